package diagnose

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/whystuck/whystuck/pkg/evidence"
)

// elf is how a program begins.
const elf = "\x7fELF\x02\x01\x01"

func image(entrypoint, cmd []string, files map[string]string) *evidence.Image {
	img := &evidence.Image{Asked: "shop:1", Entrypoint: entrypoint, Cmd: cmd, Files: map[string]evidence.ImageFile{}}
	for path, text := range files {
		at := path
		if link, ok := strings.CutPrefix(text, "-> "); ok {
			at, text = link, elf
		}
		img.Files[path] = evidence.ImageFile{Path: at, Mode: 0o755, Size: int64(len(text)), Head: []byte(text)}
	}
	return img
}

// settle answers what the judge wants to read: what the test did not give is not
// in the image.
func settle(img *evidence.Image) {
	for wants := ImageWants(img); len(wants) > 0; wants = ImageWants(img) {
		for _, p := range wants {
			img.Files[p] = evidence.ImageFile{Path: p, Absent: true}
		}
	}
}

func argv(s ...string) []string { return s }

var shells = map[string]string{"/bin/sh": "-> /usr/bin/dash", "/usr/bin/bash": elf, "/bin/bash": elf, "/bin/ash": "-> /bin/busybox", "/usr/local/bin/server": elf, "/usr/bin/env": elf}

func and(more map[string]string) map[string]string {
	out := map[string]string{}
	for _, m := range []map[string]string{shells, more} {
		for k, v := range m {
			out[k] = v
		}
	}
	return out
}

func script1(text string) map[string]string { return and(map[string]string{"/entry.sh": text}) }

func TestJudgeImage(t *testing.T) {
	type edit func(*evidence.Image)
	stop := func(s string) edit { return func(i *evidence.Image) { i.StopSignal = s } }
	path := func(dirs string) edit {
		if dirs == "" {
			for n := range 20 {
				dirs += fmt.Sprintf("/p%d:", n)
			}
		}
		return func(i *evidence.Image) { i.Path = &dirs }
	}
	dockerfile := func(base, instruction string) edit {
		return func(i *evidence.Image) {
			i.Dockerfile = &evidence.Dockerfile{Path: "Dockerfile", Base: base, Alone: true, Lines: map[string]int{"FROM": 1, instruction: 2}}
		}
	}
	tests := []struct {
		name       string
		entrypoint []string
		cmd        []string
		files      map[string]string
		edit       edit
		want       []string // code severity confidence
	}{
		{"exec form", argv("server", "-p", "80"), nil, shells, nil, nil},
		{"shell form under dash", nil, argv("/bin/sh", "-c", "server -p 80"), shells, nil, []string{"WS504 warning assumed"}},
		{"shell form under bash", nil, argv("/bin/bash", "-c", "server -p 80"), shells, nil, nil},
		{"shell form under bash, redirected", nil, argv("/bin/bash", "-c", "server >/dev/null"), shells, nil, []string{"WS504 warning assumed"}},
		{"shell form under busybox ash", nil, argv("/bin/ash", "-c", "cd / && server"), shells, nil, nil},
		{"shell form with exec", nil, argv("/bin/sh", "-c", "exec server"), shells, nil, nil},
		{"something follows", nil, argv("/bin/bash", "-c", "server; true"), shells, nil, []string{"WS504 error likely"}},
		{"pipeline", nil, argv("/bin/ash", "-c", "server | tee log"), shells, nil, []string{"WS504 error likely"}},
		{"script with exec", argv("/entry.sh"), argv("server"), script1("#!/bin/sh\nset -e\nexec \"$@\"\n"), nil, nil},
		{"script without exec", argv("/entry.sh"), argv("server"), script1("#!/bin/sh\nset -e\n\"$@\"\n"), nil, []string{"WS505 error likely"}},
		{"script that reads another", argv("/entry.sh"), argv("server"), script1("#!/bin/sh\n. /lib.sh\nserver\n"), nil, []string{"WS505 warning assumed"}},
		{"script by bash through env", argv("/entry.sh"), nil, script1("#!/usr/bin/env bash\nserver\n"), nil, []string{"WS505 error likely"}},
		{"trap and foreground", argv("/entry.sh"), nil, script1("#!/bin/bash\ntrap 'exit 0' TERM\nserver\n"), nil, []string{"WS506 error likely"}},
		{"trap, background, wait", argv("/entry.sh"), nil, script1("#!/bin/sh\nserver & pid=$!\ntrap 'kill -TERM $pid' TERM\nwait $pid\ntrap - TERM\nwait $pid\n"), nil, nil},
		{"background, wait, no trap", argv("/entry.sh"), nil, script1("#!/bin/sh\nserver &\nother &\nwait\n"), nil, []string{"WS507 error likely"}},
		{"background, wait, a trap that tells nobody", argv("/entry.sh"), nil, script1("#!/bin/sh\ntrap 'exit 0' TERM\nserver &\nwait\n"), nil, []string{"WS507 warning assumed"}},
		{"trap for another signal", argv("/entry.sh"), nil, script1("#!/bin/sh\ntrap 'exit 0' INT\nserver &\nwait\n"), nil, []string{"WS507 error likely"}},
		{"tail keeps it alive", argv("/entry.sh"), nil, script1("#!/bin/sh\nserver &\ntail -f /var/log/x\n"), nil, []string{"WS518 error likely"}},
		{"an eval that may become the program", argv("/entry.sh"), nil, script1("#!/bin/sh\nserver &\nsleep infinity\neval exec \"$CMD\"\n"), nil, []string{"WS518 warning assumed"}},
		{"a loop over the arguments that ends in exec", argv("/entry.sh"), argv("server"), script1("#!/bin/sh\nwhile :; do case $1 in -x) shift;; *) exec \"$@\";; esac; done\n"), nil, []string{"WS518 warning assumed"}},
		{"ignored and given back", argv("/entry.sh"), nil, script1("#!/bin/sh\ntrap '' TERM\nsetup\ntrap - TERM\nserver\n"), nil, []string{"WS517 warning assumed"}},
		{"ignored in a function", argv("/entry.sh"), nil, script1("#!/bin/sh\nquiet() { trap '' TERM; }\nserver\n"), nil, []string{"WS517 warning assumed"}},
		{"ignored in a subshell", argv("/entry.sh"), nil, script1("#!/bin/sh\n(trap '' TERM; setup)\nserver\n"), nil, []string{"WS517 warning assumed"}},
		{"a handler that silences its signal", argv("/entry.sh"), nil, script1("#!/bin/sh\nserver &\ntrap stop TERM\nstop() { trap '' TERM; kill $!; }\nwait\n"), nil, nil},
		{"ignored for good", argv("/entry.sh"), nil, script1("#!/bin/sh\ntrap '' TERM\nserver\n"), nil, []string{"WS517 error likely"}},
		{"ignored", argv("/entry.sh"), argv("server"), script1("#!/bin/sh\ntrap '' TERM\nexec \"$@\"\n"), nil, []string{"WS517 warning assumed"}},
		{"init before a script without exec", argv("tini", "--", "/entry.sh"), nil, and(map[string]string{"/usr/bin/tini": elf, "/entry.sh": "#!/bin/sh\nserver\n"}), nil,
			[]string{"WS505 warning likely", "WS510 info likely"}},
		{"options of the shell", nil, argv("/bin/bash", "-euxo", "pipefail", "-c", "server; true"), shells, nil, []string{"WS504 error likely"}},
		{"more options of the shell", nil, argv("/bin/bash", "--login", "-o", "pipefail", "-lc", "exec server"), shells, nil, nil},
		{"init before an interpreter", argv("tini", "--", "node", "server.js"), nil, and(map[string]string{"/usr/bin/tini": elf, "/usr/bin/node": elf}), nil, []string{"WS510 info likely"}},
		{"init that is no PID 1", argv("/entry.sh"), nil, and(map[string]string{"/usr/bin/tini": elf, "/entry.sh": "#!/bin/sh\ntini -- server\n"}), nil,
			[]string{"WS505 error likely", "WS510 warning likely"}},
		{"node as PID 1", argv("node", "server.js"), nil, map[string]string{"/usr/local/bin/node": elf}, nil, []string{"WS513 warning assumed"}},
		{"node as PID 1 behind --init", argv("node", "server.js"), nil, map[string]string{"/usr/local/bin/node": elf}, func(i *evidence.Image) { i.Run.Init = true }, nil},
		{"python takes SIGINT", argv("python3", "app.py"), nil, map[string]string{"/usr/local/bin/python3": elf}, stop("SIGINT"), nil},
		{"gunicorn by its script", argv("gunicorn", "app"), nil, map[string]string{"/usr/local/bin/gunicorn": "#!/usr/local/bin/python3\nimport x\n", "/usr/local/bin/python3": elf}, nil, nil},
		{"npm", argv("npm", "start"), nil, map[string]string{"/usr/local/bin/npm": "#!/usr/bin/env node\nx", "/usr/bin/env": elf, "/usr/local/bin/node": elf}, nil, []string{"WS512 warning likely"}},
		{"su", argv("su", "app", "-c", "server"), nil, map[string]string{"/bin/su": elf}, nil, []string{"WS512 warning likely"}},
		{"gosu", argv("gosu", "app", "server"), nil, shells, nil, nil},
		{"sleep", nil, argv("sleep", "infinity"), map[string]string{"/bin/sleep": elf}, nil, []string{"WS514 error likely"}},
		{"tail of busybox", nil, argv("tail", "-f", "/dev/null"), map[string]string{"/usr/bin/tail": "-> /bin/busybox"}, nil, []string{"WS514 error likely"}},
		{"nginx without STOPSIGNAL", nil, argv("nginx", "-g", "daemon off;"), map[string]string{"/usr/sbin/nginx": elf}, nil, []string{"WS508 warning likely"}},
		{"nginx with it", nil, argv("nginx", "-g", "daemon off;"), map[string]string{"/usr/sbin/nginx": elf}, stop("SIGQUIT"), nil},
		{"nginx with a reload", nil, argv("nginx"), map[string]string{"/usr/sbin/nginx": elf}, stop("SIGHUP"), []string{"WS508 error likely"}},
		{"systemd", nil, argv("/sbin/init"), map[string]string{"/sbin/init": "-> /lib/systemd/systemd"}, nil, []string{"WS508 error likely"}},
		{"systemd with its signal", nil, argv("/sbin/init"), map[string]string{"/sbin/init": "-> /lib/systemd/systemd"}, stop("SIGRTMIN+3"), nil},
		{"foreign stop signal", argv("server"), nil, shells, stop("SIGQUIT"), []string{"WS509 warning assumed"}},
		{"a stop signal that ends nothing", argv("server"), nil, shells, stop("SIGWINCH"), []string{"WS116 warning likely"}},
		{"a stop signal that does not parse", argv("server"), nil, shells, stop("SIGFOO"), []string{"WS501 warning certain"}},
		{"SIGKILL", argv("server"), nil, shells, stop("9"), []string{"WS503 warning certain"}},
		{"single quotes", nil, argv("/bin/sh", "-c", "['server', '-p', '80']"), shells, nil, []string{"WS511 error likely"}},
		{"a test in brackets is none", nil, argv("/bin/bash", "-c", "[ -f x ] && server"), shells, nil, nil},
		{"no such program", argv("/nope"), nil, shells, nil, []string{"WS516 error certain"}},
		{"CR LF", argv("/entry.sh"), nil, script1("#!/bin/sh\r\nserver\r\n"), nil, []string{"WS516 error certain"}},
		{"no first line", argv("/entry.sh"), nil, script1("exec server\n"), nil, []string{"WS516 error certain"}},
		{"no first line behind an init", argv("tini", "--", "/entry.sh"), nil, and(map[string]string{"/usr/bin/tini": elf, "/entry.sh": "exec server\n"}), nil, []string{"WS510 info likely"}},
		{"no first line behind --init", argv("/entry.sh"), nil, script1("exec server\n"), func(i *evidence.Image) { i.Run.Init = true }, nil},
		{"no first line behind env", argv("env", "/entry.sh"), nil, script1("exec server\n"), nil, nil},
		{"no first line, and no exec, behind env", argv("env", "/entry.sh"), nil, script1("server\n"), nil, []string{"WS505 error likely"}},
		{"in another root", argv("chroot", "/newroot", "/app/run"), nil, shells, nil, []string{"WS516 warning assumed"}},
		{"by another PATH", argv("env", "PATH=/opt/bin", "run"), nil, shells, nil, []string{"WS516 warning assumed"}},
		{"on a node of the machine", argv("numactl", "-m", "0", "server"), nil, shells, nil, nil},
		{"an init's program", argv("tini", "--", "/nope"), nil, map[string]string{"/usr/bin/tini": elf}, nil, []string{"WS516 warning assumed", "WS510 info likely"}},
		{"an interpreter that is not there", argv("/entry.sh"), nil, map[string]string{"/entry.sh": "#!/bin/nosh\nserver\n"}, nil, []string{"WS516 error certain"}},
		{"a tab behind the interpreter", argv("/entry.sh"), nil, script1("#!/bin/sh\t-e\nexec server\n"), nil, nil},
		{"a script that is not there", argv("/bin/sh", "/nope.sh"), nil, shells, nil, []string{"WS516 warning assumed"}},
		{"a directory before it in PATH", argv("server"), nil, shells, func(i *evidence.Image) {
			i.Files["/usr/local/sbin/server"] = evidence.ImageFile{Path: "/usr/local/sbin/server", Dir: true, Mode: 0o755}
		}, nil},
		{"one that is not executable before it in PATH", argv("server"), nil, shells, func(i *evidence.Image) {
			i.Files["/usr/local/sbin/server"] = evidence.ImageFile{Path: "/usr/local/sbin/server", Mode: 0o644, Head: []byte(elf)}
		}, nil},
		{"one that is not executable, and no other", argv("run"), nil, nil, func(i *evidence.Image) {
			i.Files["/usr/bin/run"] = evidence.ImageFile{Path: "/usr/bin/run", Mode: 0o644, Head: []byte(elf)}
		}, []string{"WS516 error certain"}},
		{"the twentieth in PATH", argv("server"), nil, map[string]string{"/p19/server": elf}, path(""), nil},
		{"by a PATH of docker run", argv("run"), nil, map[string]string{"/opt/run": elf}, func(i *evidence.Image) { p := "/opt"; i.Run.Path = &p }, nil},
		{"in a directory of docker run", argv("./run"), nil, map[string]string{"/opt/run": elf}, func(i *evidence.Image) { i.WorkingDir, i.Run.WorkingDir = "/app", "/opt" }, nil},
		{"in a mount of docker run", argv("/app/bin/run"), nil, nil, func(i *evidence.Image) { i.Run.Mounts = []string{"/app/"} }, nil},
		{"beside a mount of docker run", argv("/app/bin/run"), nil, nil, func(i *evidence.Image) { i.Run.Mounts = []string{"/app/b"} }, []string{"WS516 error certain"}},
		{"over a mount in PATH", argv("server"), nil, shells, func(i *evidence.Image) { i.Run.Mounts = []string{"/usr/local/sbin"} }, nil},
		{"a PATH that depends on where it is", argv("run"), nil, nil, path("bin:/bin"), nil},
		{"only the Dockerfile, and a base that may bring an init", nil, argv("sleep", "infinity"), nil, dockerfile("company/base", "CMD"), []string{"WS514 warning assumed"}},
		{"only the Dockerfile, and no base", nil, argv("sleep", "infinity"), nil, dockerfile("scratch", "CMD"), []string{"WS514 error likely"}},
		{"only the Dockerfile, with an entrypoint", argv("sleep", "infinity"), nil, nil, dockerfile("company/base", "ENTRYPOINT"), []string{"WS514 error likely"}},
		{"only the Dockerfile, and su", nil, argv("su", "app", "-c", "server"), nil, dockerfile("company/base", "CMD"), []string{"WS512 warning assumed"}},
		{"no command", nil, nil, nil, nil, []string{"WS516 warning certain"}},
		{"a shell for people", nil, argv("bash"), shells, nil, []string{"WS515 info likely"}},
		{"a shell on a terminal", nil, argv("bash"), shells, func(i *evidence.Image) { i.Run.TTY = true }, []string{"WS515 error likely"}},
		{"options after the entrypoint", argv("/entry.sh"), argv("-p", "80"), script1("#!/bin/sh\nif [ \"${1#-}\" != \"$1\" ]; then set -- server \"$@\"; fi\nexec \"$@\"\n"), nil, nil},
		{"another command on the command line", argv("/entry.sh"), argv("server"), and(map[string]string{"/entry.sh": "#!/bin/sh\nexec \"$@\"\n", "/bin/sleep": elf}), func(i *evidence.Image) { i.Run.Cmd = argv("sleep", "9") }, []string{"WS514 error likely"}},
		{"a script that interprets itself", argv("/entry.sh"), nil, script1("#!/entry.sh\n"), nil, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			img := image(tt.entrypoint, tt.cmd, tt.files)
			if tt.edit != nil {
				tt.edit(img)
			}
			settle(img)
			c := JudgeImage(img)
			var got []string
			for _, f := range c.Findings {
				got = append(got, f.Code+" "+f.Severity+" "+string(f.Confidence))
				if f.Summary == "" || len(f.Evidence) == 0 {
					t.Errorf("%s says nothing: %+v", f.Code, f)
				}
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("%s\n%s", diff, c.Headline)
			}
			if c.Stop != nil || c.Verdict != NotRunning || c.Kind != "image" || c.Headline == "" {
				t.Errorf("not the form of a static answer: %+v", c)
			}
		})
	}
}

// TestImageFacts: evidence names where it was read.
func TestImageFacts(t *testing.T) {
	img := image(argv("/entry.sh"), argv("server"), script1("#!/bin/sh\nset -e\nserver --port 80\n"))
	c := JudgeImage(img)
	if len(c.Findings) != 1 {
		t.Fatalf("findings %+v", c.Findings)
	}
	f := c.Findings[0]
	if e := f.Evidence[0]; e.Source != "image:/entry.sh" || e.Field != "line 3" || e.Value != "server --port 80" {
		t.Errorf("evidence %+v", e)
	}
	if f.Fixes[0].Patch != "exec server --port 80" {
		t.Errorf("fix %+v", f.Fixes[0])
	}
	if want := "entry.sh is PID 1, drops SIGTERM and does not pass it on to server"; c.Headline != want {
		t.Errorf("headline %q, want %q", c.Headline, want)
	}
}

// TestLongLine: a patch is a whole command or none, and nothing ends within a rune.
func TestLongLine(t *testing.T) {
	for n, patched := range map[int]bool{20: true, 200: false} {
		img := image(argv("/entry.sh"), nil, script1("#!/bin/sh\nserver "+strings.Repeat("ä", n)+"\n"))
		settle(img)
		f := JudgeImage(img).Findings[0]
		if got := f.Fixes[0].Patch != ""; got != patched {
			t.Errorf("a line of %d letters: patch %q", n, f.Fixes[0].Patch)
		}
		if e := f.Evidence[0].Value; !utf8.ValidString(e) || len(e) > 120 {
			t.Errorf("evidence %q", e)
		}
	}
}

// TestFateBehindAnInit: who is told by a group, and who is not.
func TestFateBehindAnInit(t *testing.T) {
	files := and(map[string]string{"/usr/bin/tini": elf, "/usr/bin/dumb-init": elf, "/entry.sh": "#!/bin/sh\nserver\n"})
	for want, line := range map[string][]string{
		"is killed without having heard anything":                             argv("tini", "--", "/entry.sh"),
		"is signalled by tini, and nobody waits for it to finish":             argv("tini", "-g", "--", "/entry.sh"),
		"is signalled by dumb-init, and nobody waits for it to finish":        argv("dumb-init", "/entry.sh"),
		"on SIGTERM entry.sh dies at once and does not pass it on; server is": argv("dumb-init", "-c", "/entry.sh"),
	} {
		img := image(line, nil, files)
		settle(img)
		if c := JudgeImage(img); !strings.Contains(c.Headline, want) {
			t.Errorf("%v: %q, want %q", line, c.Headline, want)
		}
	}
}

// TestInherited: the history of a builder tells whose the stop signal is.
func TestInherited(t *testing.T) {
	img := image(argv("server"), nil, shells)
	img.StopSignal = "SIGQUIT"
	img.History = []string{"ADD rootfs", `/bin/sh -c #(nop)  STOPSIGNAL SIGQUIT`, `/bin/sh -c #(nop)  ENTRYPOINT ["nginx"]`, "COPY server /", `ENTRYPOINT ["server"]`}
	settle(img)
	f := JudgeImage(img).Findings[0]
	if f.Code != "WS509" || !strings.Contains(f.Summary, "base image") || !strings.Contains(f.Summary, "nginx") {
		t.Errorf("%+v", f)
	}
	img.History = slices.Delete(img.History, 2, 3)
	if f := JudgeImage(img).Findings[0]; strings.Contains(f.Summary, "base image") {
		t.Errorf("said to be inherited with no sign of it: %+v", f)
	}
}

// TestUnreadFiles: what could not be read gives no finding, and a gap.
func TestUnreadFiles(t *testing.T) {
	img := image(argv("/entry.sh"), nil, shells)
	img.Files["/entry.sh"] = evidence.ImageFile{Path: "/entry.sh", Unread: true}
	if c := JudgeImage(img); len(c.Findings) != 0 {
		t.Errorf("found %+v in a file that was not read", c.Findings)
	}
	img = image(argv("/bin/sh", "/entry.sh"), nil, script1("if then fi ("))
	if c := JudgeImage(img); len(c.Gaps) != 1 || len(c.Findings) != 0 {
		t.Errorf("a script that cannot be parsed: %+v", c)
	}
}
