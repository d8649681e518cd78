// Package watchtest holds `whystuck watch` against real stops on private engines:
// what it tells, when, and that it tells everything once.
//
// `make watch-test` runs it; `go test` alone skips it, because it takes more than
// a minute. It has no code outside its tests.
package watchtest

import (
	"strings"
	"testing"
	"time"

	"github.com/whystuck/whystuck/scripts/bed"
)

func TestMain(m *testing.M) {
	bed.Suite(m, "WHYSTUCK_WATCH", "make watch-test", 0)
}

// lab is what all tests share.
type lab struct {
	binary string
	siglab string
}

func newLab(t *testing.T) *lab {
	t.Helper()
	bed.Require(t, "root", "docker", "gcc")
	return &lab{binary: bed.Whystuck(t), siglab: bed.StaticProgram(t)}
}

// engine starts a private engine with the test image.
func (l *lab) engine(t *testing.T, opt bed.Options) *bed.Daemon {
	t.Helper()
	d := bed.StartDaemonWith(t, opt)
	files := map[string]string{"/siglab": l.siglab, "/mnt/": ""}
	if err := d.Import(t.Context(), "lab", files, `ENTRYPOINT ["/siglab"]`); err != nil {
		t.Fatal(err)
	}
	return d
}

// run starts a container and waits until it says READY.
func run(t *testing.T, d *bed.Daemon, name string, args ...string) (id string) {
	t.Helper()
	id, err := d.Run(t.Context(), append([]string{"--name", name}, args...)...)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// ready waits until a container of siglab has set up what it is for.
func ready(t *testing.T, d *bed.Daemon, name string) {
	t.Helper()
	if !bed.Eventually(10*time.Second, func() bool {
		out, _, _ := d.Docker(t.Context(), "logs", name)
		return strings.Contains(out, "READY")
	}) {
		t.Fatalf("%s does not get ready", name)
	}
}

// docker runs a docker command that has to succeed.
func docker(t *testing.T, d *bed.Daemon, args ...string) string {
	t.Helper()
	out, errOut, code := d.Docker(t.Context(), args...)
	if code != 0 {
		t.Fatalf("docker %s: exit %d: %s", strings.Join(args, " "), code, errOut)
	}
	return strings.TrimSpace(out)
}
