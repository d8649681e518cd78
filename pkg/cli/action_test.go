package cli

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// TestAction runs the action's script as the runner would, with the real program.
func TestAction(t *testing.T) {
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Skip("SKIPPED: needs bash")
	}
	script, err := filepath.Abs("../../scripts/action/run.sh")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	bin := filepath.Join(dir, "bin")
	program, err := os.Executable() // the test's own, which is the program under its name
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.Mkdir(bin, 0o755), os.Symlink(program, filepath.Join(bin, "whystuck")),
		os.WriteFile(filepath.Join(dir, "Dockerfile"), []byte("FROM scratch\nCMD [\"sleep\", \"infinity\"]\n"), 0o644)); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), bash, script)
	cmd.Dir = dir
	cmd.Env = []string{"PATH=" + bin + ":/usr/bin:/bin:/usr/sbin:/sbin", "HOME=" + dir, "STATIC=true", "DOCKERFILE=Dockerfile", "ARGS=--ignore\nWS101=a reason with blanks; $(touch pwned)",
		"GITHUB_STEP_SUMMARY=" + filepath.Join(dir, "summary"), "GITHUB_OUTPUT=" + filepath.Join(dir, "output"), "TMPDIR=" + dir}
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 1 {
		t.Fatalf("%v, want exit code 1\n%s", err, out)
	}
	shielded := regexp.MustCompile(`(?s)^::stop-commands::([0-9a-f-]{36})\n.*WS514.*\n::([0-9a-f-]{36})::\n::error file=Dockerfile,line=2,title=`)
	if m := shielded.FindStringSubmatch(string(out)); m == nil || m[1] != m[2] {
		t.Errorf("the log is not shielded, or has no annotation:\n%s", out)
	}
	for name, want := range map[string]string{"summary": "### whystuck: 1 target, 1 not as wanted", "output": "exit-code=1\n",
		"whystuck-reports/whystuck.xml": "<testsuites", "whystuck-reports/whystuck.sarif": `"2.1.0"`, "whystuck-reports/whystuck.json": `"schema": 1`} {
		if b, err := os.ReadFile(filepath.Join(dir, name)); err != nil || !strings.Contains(string(b), want) {
			t.Errorf("%s: %v, no %q in %.200s", name, err, want, b)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "pwned")); err == nil {
		t.Error("an argument was run as a command")
	}
}

// TestActionAsRoot: by sudo the engine and its credentials stay the user's, the images
// come before a command, and what the repository has laid into the reports is gone.
func TestActionAsRoot(t *testing.T) {
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Skip("SKIPPED: needs bash")
	}
	dir := t.TempDir()
	script, err := filepath.Abs("../../scripts/action/run.sh")
	if err != nil {
		t.Fatal(err)
	}
	bin, reports := filepath.Join(dir, "bin"), filepath.Join(dir, "whystuck-reports")
	if err := errors.Join(os.Mkdir(bin, 0o755), os.Mkdir(reports, 0o755)); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"bin/id":                           "#!/bin/sh\necho 1000\n",
		"bin/sudo":                         "#!/bin/sh\nif [ \"$2\" = true ]; then exit 0; fi\necho \"config=$DOCKER_CONFIG\"; printf '<%s>' \"$@\"\n",
		"bin/whystuck":                     "#!/bin/sh\n",
		"whystuck-reports/whystuck.github": "::set-env name=X::pwned\n",
		"victim":                           "kept",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("../victim", filepath.Join(reports, "whystuck.json")); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), bash, script)
	cmd.Dir = dir
	cmd.Env = []string{"PATH=" + bin + ":/usr/bin:/bin", "HOME=" + dir, "IMAGES=shop:1\nshop:2", "ARGS=--settle\n1s\n--\nserve", "TMPDIR=" + dir}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, want := range []string{"config=" + dir + "/.docker\n", ",DOCKER_CONFIG,", "<shop:1><shop:2><--settle><1s><--><serve>"} {
		if !strings.Contains(string(out), want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
	if strings.Contains(string(out), "pwned") {
		t.Errorf("a file of the repository was taken for a report:\n%s", out)
	}
	if left, err := os.ReadDir(reports); err != nil || len(left) > 0 {
		t.Errorf("%v, %v are left of the repository", left, err)
	}
}

// TestCIFiles: the files for CI systems are YAML, and none puts an input into a
// script's text.
func TestCIFiles(t *testing.T) {
	for _, name := range []string{"../../scripts/action/action.yml", "../../.pre-commit-hooks.yaml"} {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		var doc any
		if err := yaml.Unmarshal(b, &doc); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		for _, m := range regexp.MustCompile(`(?m)^\s+run: \|\n((?:\s{8,}.*\n)+)`).FindAllStringSubmatch(string(b), -1) {
			if strings.Contains(m[1], "${{") {
				t.Errorf("%s: an input stands in a script: %s", name, m[1])
			}
		}
	}
}
