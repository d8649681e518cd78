package watchtest

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/whystuck/whystuck/scripts/bed"
)

// TestFleetFiles checks the files of scripts/fleet as far as it can be done
// without a cluster.
func TestFleetFiles(t *testing.T) {
	l := &lab{binary: bed.Whystuck(t)}
	t.Run("prometheus", func(t *testing.T) {
		bed.Require(t, "promtool")
		check(t, "promtool", "check", "config", fleet+"prometheus.yml")
		check(t, "promtool", "check", "rules", fleet+"whystuck.rules.yml")
		check(t, "promtool", "test", "rules", fleet+"whystuck.rules.test.yml")
	})
	t.Run("swarm", func(t *testing.T) {
		bed.Require(t, "docker")
		check(t, "docker", "stack", "config", "-c", fleet+"swarm.yml")
	})
	t.Run("units", func(t *testing.T) {
		bed.Require(t, "systemd-analyze")
		for _, unit := range []string{"whystuck-watch.service", "whystuck-textfile.service"} {
			text := read(t, fleet+unit)
			if !strings.Contains(text, "ExecStart=/usr/local/bin/whystuck ") {
				t.Errorf("%s starts another program", unit)
			}
			file := filepath.Join(t.TempDir(), unit)
			if err := os.WriteFile(file, []byte(strings.ReplaceAll(text, "/usr/local/bin/whystuck", l.binary)), 0o600); err != nil {
				t.Fatal(err)
			}
			check(t, "systemd-analyze", "verify", "--man=no", file)
		}
	})
	t.Run("kubernetes", func(t *testing.T) {
		var d struct {
			Kind string
			Spec struct {
				Template struct {
					Spec struct {
						HostPID    bool `yaml:"hostPID"`
						Containers []struct {
							Args         []string
							VolumeMounts []struct{ Name string } `yaml:"volumeMounts"`
							Security     struct {
								AppArmor struct{ Type string } `yaml:"appArmorProfile"`
							} `yaml:"securityContext"`
						}
						Volumes []struct{ Name string }
					}
				}
			}
		}
		parse(t, fleet+"kubernetes.yml", &d)
		pod := d.Spec.Template.Spec
		if d.Kind != "DaemonSet" || !pod.HostPID || len(pod.Containers) != 1 || pod.Containers[0].Args[0] != "watch" {
			t.Errorf("%+v", d)
		}
		if got := pod.Containers[0].Security.AppArmor.Type; got != "Unconfined" {
			t.Errorf("AppArmor %q: it cannot read the processes of others", got)
		}
		var have []string
		for _, v := range pod.Volumes {
			have = append(have, v.Name)
		}
		for i, m := range pod.Containers[0].VolumeMounts {
			if i >= len(have) || have[i] != m.Name {
				t.Errorf("no volume %s", m.Name)
			}
		}
	})
	t.Run("compose", func(t *testing.T) {
		var c struct {
			Services map[string]struct {
				Pid, Cgroup string
				Command     []string
				Security    []string `yaml:"security_opt"`
			}
		}
		parse(t, fleet+"compose.yml", &c)
		if s := c.Services["whystuck"]; s.Pid != "host" || s.Cgroup != "host" || s.Command[0] != "watch" {
			t.Errorf("%+v", c)
		}
		if s := c.Services["whystuck"]; len(s.Security) != 1 || s.Security[0] != "apparmor=unconfined" {
			t.Errorf("AppArmor %q: it cannot read the processes of others", s.Security)
		}
	})
	t.Run("flags", func(t *testing.T) { l.flagsExist(t) })
}

var flagWord = regexp.MustCompile(`[\s\[,](--[a-z-]+)`)

// flagsExist: a file that names a flag of the watcher names one that there is.
func (l *lab) flagsExist(t *testing.T) {
	help, err := exec.CommandContext(t.Context(), l.binary, "watch", "--help").Output()
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, name := range []string{"whystuck-watch.service", "whystuck-textfile.service", "compose.yml", "swarm.yml", "kubernetes.yml"} {
		for line := range strings.Lines(read(t, fleet+name)) {
			if strings.HasPrefix(line, "#") || !strings.Contains(line, "watch,") && !strings.HasPrefix(line, "ExecStart") {
				continue
			}
			for _, m := range flagWord.FindAllStringSubmatch(line, -1) {
				n++
				if !strings.Contains(string(help), m[1]+" ") {
					t.Errorf("%s: there is no %s", name, m[1])
				}
			}
		}
	}
	if n < 8 {
		t.Errorf("only %d flags were found", n)
	}
}

// check runs a program that has to succeed.
func check(t *testing.T, name string, args ...string) {
	t.Helper()
	if out, err := exec.CommandContext(t.Context(), name, args...).CombinedOutput(); err != nil {
		t.Errorf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
}

func read(t *testing.T, file string) string {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func parse(t *testing.T, file string, into any) {
	t.Helper()
	if err := yaml.Unmarshal([]byte(read(t, file)), into); err != nil {
		t.Errorf("%s: %v", file, err)
	}
}
