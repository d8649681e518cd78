package dockerfile

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParse(t *testing.T) {
	const text = "# syntax=docker/dockerfile:1\n# a comment\nARG BASE=alpine\nFROM --platform=linux/amd64 ${BASE} AS build\n" +
		"run echo a && \\\n  # between\n\n  echo b\nCOPY <<EOF /x.sh\n#!/bin/sh\nENTRYPOINT [\"no\"]\nEOF\nFROM scratch\r\nENTRYPOINT [ \"a\", \"b\" ]\n"
	f, err := Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	if len(f.Stages) != 2 || f.Stages[0].Name != "build" || f.Stages[0].Line != 4 || f.Stages[1].Line != 13 {
		t.Fatalf("stages %+v", f.Stages)
	}
	run, copied := f.Stages[0].Instructions[0], f.Stages[0].Instructions[1]
	if run.Name != "RUN" || run.Line != 5 || run.Text != "echo a &&   echo b" {
		t.Errorf("RUN is %+v", run)
	}
	if len(copied.Heredocs) != 1 || copied.Heredocs[0].Text != "#!/bin/sh\nENTRYPOINT [\"no\"]\n" {
		t.Errorf("COPY is %+v", copied)
	}
	if diff := cmp.Diff([]string{"a", "b"}, f.Stages[1].Instructions[0].List); diff != "" {
		t.Error(diff)
	}
}

func TestParseEscape(t *testing.T) {
	f, err := Parse("# escape=`\nFROM x\nCMD a `\n  b\nCMD c\\\n")
	if err != nil {
		t.Fatal(err)
	}
	in := f.Stages[0].Instructions
	if len(in) != 2 || in[0].Text != "a   b" || in[1].Text != `c\` || in[1].Line != 5 {
		t.Errorf("%+v", in)
	}
}

// TestHeredocs: only a word of its own announces a text (as in BuildKit).
func TestHeredocs(t *testing.T) {
	for line, want := range map[string]string{
		"RUN echo \"<<EOF\"": "", "RUN a <<<x": "", "RUN echo $((1<<2))": "", "RUN echo '<<A' x": "",
		"RUN <<EOF": "EOF", "RUN cat <<-'EOF' >/x": "EOF", "RUN 3<<EOF": "EOF", "COPY <<A.sh /x": "A.sh", "RUN python3 <<\"PY\"": "PY",
	} {
		text := "FROM x\n" + line + "\n"
		if want != "" {
			text += "CMD no\n" + want + "\n"
		}
		f, err := Parse(text + "CMD yes")
		if err != nil {
			t.Errorf("%s: %v", line, err)
			continue
		}
		if in := f.Stages[0].Instructions; len(in) != 2 || in[1].Text != "yes" {
			t.Errorf("%s: %+v", line, in)
		}
	}
}

func TestParseErrors(t *testing.T) {
	for text, want := range map[string]string{
		"":                            "no FROM",
		"CMD x\nFROM y":               "line 1: CMD before the first FROM",
		"FROM x\n\n./y z":             "line 3: not an instruction",
		"FROM x\nRUN <<EOF\nnever":    "line 2: the text up to EOF does not end",
		"FROM":                        "line 1: FROM names no image",
		"FROM a b":                    "line 1: want FROM IMAGE",
		strings.Repeat("#", 2<<20):    "longer than",
		"FROM x\n" + "\x00\x1b[2J oh": "line 2: not an instruction",
	} {
		if _, err := Parse(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.20q: error %v, want %q", text, err, want)
		}
	}
}

func TestImage(t *testing.T) {
	tests := []struct {
		name, text, target string
		entrypoint, cmd    []string
		stop, base         string
		lines              map[string]int
	}{
		{"shell form", "FROM debian\nCMD server -p 80", "", nil, []string{"/bin/sh", "-c", "server -p 80"}, "", "debian", map[string]int{"FROM": 1, "CMD": 2}},
		{"own shell", "FROM debian\nSHELL [\"/bin/bash\", \"-ec\"]\nENTRYPOINT server", "", []string{"/bin/bash", "-ec", "server"}, nil, "", "debian", map[string]int{"FROM": 1, "SHELL": 2, "ENTRYPOINT": 3}},
		{"exec form", "FROM debian\nENTRYPOINT [\"a\"]\nCMD [\"b\"]\nSTOPSIGNAL SIGQUIT", "", []string{"a"}, []string{"b"}, "SIGQUIT", "debian", map[string]int{"FROM": 1, "ENTRYPOINT": 2, "CMD": 3, "STOPSIGNAL": 4}},
		{"no JSON", "FROM debian\nCMD ['a']", "", nil, []string{"/bin/sh", "-c", "['a']"}, "", "debian", map[string]int{"FROM": 1, "CMD": 2}},
		{"the last counts", "FROM debian\nCMD a\nCMD [\"b\"]", "", nil, []string{"b"}, "", "debian", map[string]int{"FROM": 1, "CMD": 3}},
		{"the last stage", "FROM a AS x\nCMD [\"a\"]\nFROM b\nCMD [\"b\"]", "", nil, []string{"b"}, "", "b", map[string]int{"FROM": 3, "CMD": 4}},
		{"a stage by its name", "FROM a AS x\nCMD [\"a\"]\nFROM b\nCMD [\"b\"]", "X", nil, []string{"a"}, "", "a", map[string]int{"FROM": 1, "CMD": 2}},
		{"a stage on another", "FROM a AS x\nSTOPSIGNAL INT\nCMD [\"a\"]\nFROM x\nENTRYPOINT [\"b\"]", "", []string{"b"}, nil, "INT", "a", map[string]int{"FROM": 4, "STOPSIGNAL": 2, "ENTRYPOINT": 5}},
		{"arguments", "ARG V=1.2\nFROM nginx:${V}\nARG S=SIGQUIT\nSTOPSIGNAL $S", "", nil, nil, "SIGQUIT", "nginx:1.2", map[string]int{"FROM": 2, "STOPSIGNAL": 4}},
		{"an argument without a value", "ARG BASE\nFROM ${BASE}", "", nil, nil, "", "", map[string]int{"FROM": 2}},
		{"its own name is no stage of its own", "FROM x AS x\nCMD [\"a\"]", "", nil, []string{"a"}, "", "x", map[string]int{"FROM": 1, "CMD": 2}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f, err := Parse(tt.text)
			if err != nil {
				t.Fatal(err)
			}
			img, err := f.Image("Dockerfile", tt.target)
			if err != nil {
				t.Fatal(err)
			}
			s := img.Settings
			got := []any{s.Entrypoint, s.Cmd, s.StopSignal, s.Dockerfile.Base, s.Dockerfile.Lines}
			if diff := cmp.Diff([]any{tt.entrypoint, tt.cmd, tt.stop, tt.base, tt.lines}, got); diff != "" {
				t.Error(diff)
			}
		})
	}
	f, _ := Parse("FROM a AS x\nFROM b")
	if _, err := f.Image("Dockerfile", "nope"); err == nil {
		t.Error("a stage that is not there was found")
	}
}

func TestSources(t *testing.T) {
	f, err := Parse("FROM a\nWORKDIR /app\nCOPY . .\nCOPY docker/entry.sh /entry.sh\nCOPY a.sh b.sh /bin/\nCOPY scripts/*.sh /opt/\nCOPY ../../etc/passwd /p\n" +
		"COPY --from=x /y /z\nADD https://example.com/x /x\nCOPY --chmod=755 <<'EOF' /in.sh\n#!/bin/sh\nEOF\n")
	if err != nil {
		t.Fatal(err)
	}
	img, err := f.Image("Dockerfile", "")
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string][]string{
		"/entry.sh":    {"docker/entry.sh", "entry.sh"},
		"/bin/b.sh":    {"b.sh"},
		"/opt/x.sh":    {"scripts/x.sh"},
		"/app/run.sh":  {"run.sh"},
		"/p":           {"etc/passwd", "p"},
		"/z":           nil,
		"/x":           nil,
		"/nowhere/y":   nil,
		"/app/a/../..": nil,
	} {
		got := img.Sources(path)
		if path == "/entry.sh" || path == "/p" {
			got = got[:1]
			want = want[:1]
		}
		if path == "/bin/b.sh" {
			got = got[1:2] // after a.sh, if that were a directory
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %s", path, diff)
		}
	}
	if text, ok := img.Inline("/in.sh"); !ok || text != "#!/bin/sh\n" {
		t.Errorf("the text in the file is %q", text)
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"FROM x\nCMD [\"a\"]", "ARG A=1\nFROM ${A:-x} AS y\nFROM y\nENTRYPOINT a\\\n b", "FROM x\nRUN <<A <<-B\nA\n\tB\n", "# escape=`\nFROM x\nENV a b\nENV PATH=$PATH:/x c=\"d\"\nCOPY [\"a b\", \"/c/\"]"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		file, err := Parse(text)
		if err != nil {
			return
		}
		img, err := file.Image("Dockerfile", "")
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range []string{"/a", "/a/b/c", "/"} {
			for _, s := range img.Sources(p) {
				if strings.HasPrefix(s, "/") || strings.HasPrefix(s, "..") {
					t.Fatalf("%q leads out of the context", s)
				}
			}
		}
		for _, line := range img.Settings.Dockerfile.Lines {
			if line < 1 || line > strings.Count(text, "\n")+1 {
				t.Fatalf("line %d is not in the file", line)
			}
		}
	})
}
