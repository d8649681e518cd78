package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/whystuck/whystuck/pkg/diagnose"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"whystuck": func() { os.Exit(Main(context.Background(), os.Args[1:], Host("1.2.3-test"))) },
	})
}

// TestScripts runs testdata/script/*.txtar against the real program.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(env *testscript.Env) error {
			// No engine of this machine is ever asked.
			env.Setenv("DOCKER_HOST", "unix://"+filepath.Join(env.WorkDir, "no.sock"))
			env.Setenv("DOCKER_CONTEXT", "")
			return nil
		},
		Condition: func(cond string) (bool, error) {
			if cond == "root" {
				return haveRoot(t), nil
			}
			return false, errors.New("unknown condition " + cond)
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"code":     wantCode,
			"fields":   wantFields,
			"pidof":    waitForPIDFile,
			"oneline":  wantOneLine,
			"truncate": truncate,
		},
	})
}

// haveRoot says loudly when it is missing, and fails where it is required.
func haveRoot(t *testing.T) bool {
	if os.Geteuid() == 0 {
		return true
	}
	if slices.Contains(strings.Split(os.Getenv("WHYSTUCK_REQUIRE"), ","), "root") {
		t.Fatal("WHYSTUCK_REQUIRE names root, and this is not root")
	}
	t.Log("SKIPPED for want of root: the PID namespace scripts")
	return false
}

// wantCode is `code N PROGRAM ARGS...`: runs it and checks the exit code.
func wantCode(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: code N PROGRAM [ARGS...]")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	err = ts.Exec(args[1], args[2:]...)
	got := 0
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		got = exit.ExitCode()
	} else {
		ts.Check(err)
	}
	if got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
}

// wantFields is `fields FILE NAME...`: a JSON object that has these fields.
func wantFields(ts *testscript.TestScript, neg bool, args []string) {
	var object map[string]json.RawMessage
	ts.Check(json.Unmarshal([]byte(ts.ReadFile(args[0])), &object))
	for _, name := range args[1:] {
		if value, ok := object[name]; !ok || string(value) == "null" {
			ts.Fatalf("%s: no field %q", args[0], name)
		}
	}
}

// wantOneLine is `oneline FILE`: exactly one line that is not empty.
func wantOneLine(ts *testscript.TestScript, neg bool, args []string) {
	text := ts.ReadFile(args[0])
	if strings.Count(text, "\n") != 1 || strings.TrimSpace(text) == "" {
		ts.Fatalf("%s: want one line, got %q", args[0], text)
	}
}

// waitForPIDFile is `pidof VAR FILE`: puts the PID that a background command
// writes to FILE into VAR.
func waitForPIDFile(ts *testscript.TestScript, neg bool, args []string) {
	for range 200 {
		text, err := os.ReadFile(ts.MkAbs(args[1]))
		if pid := strings.TrimSpace(string(text)); err == nil && pid != "" && strings.HasSuffix(string(text), "\n") {
			ts.Setenv(args[0], pid)
			return
		}
		time.Sleep(25 * time.Millisecond)
	}
	ts.Fatalf("%s was not written within 5 s", args[1])
}

// truncate is `truncate FILE N`: cuts the last N bytes off.
func truncate(ts *testscript.TestScript, neg bool, args []string) {
	n, err := strconv.Atoi(args[1])
	ts.Check(err)
	text := ts.ReadFile(args[0])
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(text[:len(text)-n]), 0o600))
}

// run is one run of the program in this process, without an engine.
func run(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	sys := Host("1.2.3-test")
	sys.In, sys.Out, sys.Err = strings.NewReader(""), &out, &errs
	sys.Terminal = func() (int, bool) { return 0, false }
	sys.Getenv = func(name string) string {
		if name == "DOCKER_HOST" {
			return "unix://" + filepath.Join(t.TempDir(), "no.sock")
		}
		return ""
	}
	sys.HomeDir, sys.TempDir = t.TempDir(), t.TempDir()
	code = Main(context.Background(), args, sys)
	return code, out.String(), errs.String()
}

func TestBadCalls(t *testing.T) {
	tests := []struct {
		args string
		says string
	}{
		{"", "usage: whystuck CONTAINER"},
		{"--watch", "usage: whystuck"},
		{"--json", "usage: whystuck"},
		{"--nope web", "unknown flag: --nope"},
		{"-t web", "invalid argument"},
		{"-s XX web", `--signal "XX" is no signal`},
		{"-s 0 web", "is no signal"},
		{"-s 32 web", "is no signal"},
		{"-s 65 web", "is no signal"},
		{"-s -1 web", "is no signal"},
		{"--kill RTMIN+40 web", `--kill "RTMIN+40" is no signal`},
		{"--kill= web", "is no signal"},
		{"--pid 0", "number above 0"},
		{"--pid 5,-1", "number above 0"},
		{"--pid x", "invalid argument"},
		{"--fail-on often web", `"often"`},
		{"--color mauve web", "auto, always or never"},
		{"--json --format x web", "one or the other"},
		{"--format {{.Nope}} web", "Nope"},
		{"--format {{.Name web", "template"},
		{"--all web", "one or the other"},
		{"--from x --all", "no meaning"},
		{"--from x --pid 1", "no meaning"},
		{"--from x --watch", "no --from"},
		{"--watch=-1 web", "above 0"},
		{"stop", "usage: whystuck stop CONTAINER"},
		{"stop -s XX web", `--signal "XX" is no signal`},
		{"stop --deadline 0 web", "above 0"},
		{"stop --deadline=-1 web", "above 0"},
		{"stop --kill-after=-1 web", "number of seconds"},
		{"stop --kill-after=Inf web", "number of seconds"},
		{"stop --kill-after=NaN web", "number of seconds"},
		{"stop --kill-after=1e10 web", "number of seconds"},
		{"stop --deadline=NaN web", "number of seconds"},
		{"stop --deadline=Inf web", "number of seconds"},
		{"stop --signal-chain=INT:9e9,TERM:9e9,KILL web", "number of seconds"},
		{"stop --signal-chain=INT:900000000,TERM:900000000,KILL web", "number of seconds"},
		{"stop --signal-chain TERM:x,KILL web", "no number of seconds"},
		{"stop --signal-chain TERM,KILL web", "needs the seconds"},
		{"stop --signal-chain NOPE:1,KILL web", "is no signal"},
		{"stop --signal-chain KILL -s TERM web", "no meaning with it"},
		{"stop --fail-on often web", `"often"`},
		{"stop --all", "unknown flag: --all"},
		{"watch --exec= web", "no command is named"},
		{"watch --exec nosuchprogram web", "nosuchprogram"},
		{"watch --scan-every -1s", "--scan-every"},
		{"image", "usage: whystuck image IMAGE"},
		{"image --clean lab", "takes no images"},
		{"image --nope lab", "whystuck image --help"},
		{"image --repeat 0 lab", "above 0"},
		{"image --ready-log ( lab", "--ready-log"},
		{"image --ready-port 70000 lab", "1 to 65535"},
		{"image --pull often lab", "always, missing or never"},
		{"image --memory much lab", "--memory"},
		{"image --ulimit x lab", "--ulimit"},
		{"image --device /dev/x:y:q lab", "--device"},
		{"image --publish a:b lab", "--publish"},
		{"image --platform /x lab", "--platform"},
		{"image --env-file /no/such lab", "--env-file"},
		{"image --env =x lab", "--env"},
		{"image --security-opt seccomp=/no/such lab", "--security-opt"},
		{"image --fail-on often lab", `"often"`},
		{"capture", "usage: whystuck capture"},
		{"signals", "usage: whystuck signals"},
		{"explain a b", "usage: whystuck explain"},
		{"version x", "usage: whystuck version"},
		{"completion", "usage: whystuck completion"},
		{"completion powershell", "usage: whystuck completion"},
	}
	for _, tt := range tests {
		t.Run(tt.args, func(t *testing.T) {
			code, stdout, stderr := run(t, strings.Fields(tt.args)...)
			if code != exitUsage {
				t.Errorf("exit code %d, want %d", code, exitUsage)
			}
			if strings.Count(stderr, "\n") != 1 || !strings.Contains(stderr, tt.says) {
				t.Errorf("standard error is %q, want one line with %q", stderr, tt.says)
			}
			if stdout != "" && !json.Valid([]byte(stdout)) {
				t.Errorf("standard output is %q", stdout)
			}
		})
	}
}

func TestFailureIsJSONWhereAskedFor(t *testing.T) {
	code, stdout, _ := run(t, "--json", "--from", "/does/not/exist")
	var r diagnose.Report
	if err := json.Unmarshal([]byte(stdout), &r); err != nil {
		t.Fatalf("standard output is no report: %v", err)
	}
	if code != exitUsage || len(r.Errors) != 1 || r.Errors[0].ExitCode != exitUsage || r.Containers == nil {
		t.Errorf("code %d, report %+v: want the one error of code 2 and an empty list", code, r)
	}
}
