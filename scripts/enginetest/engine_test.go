// Package enginetest makes the engine itself the problem, for real: dockerd,
// containerd or a shim stopped or killed, a start that hangs. It holds what
// whystuck says against what docker's commands then really do, and takes the
// ways out that whystuck names to see the container healed.
//
// `make engine-test` runs it; `go test` alone skips it. Everything happens to two
// private engines that end with the test, and each scene has a recovery that runs
// whatever happens, at the latest after its deadline.
//
// A new scene is one row in scenes_test.go and a function. It has no code outside
// its tests.
package enginetest

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/whystuck/whystuck/scripts/bed"
)

func TestMain(m *testing.M) {
	if len(os.Args) > 2 && os.Args[1] == noKillArg {
		fmt.Fprintln(os.Stderr, noKill(os.Args[2:]))
		os.Exit(1)
	}
	if len(os.Args) > 2 && os.Args[1] == fenceArg {
		fmt.Fprintln(os.Stderr, fence(os.Args[2:]))
		os.Exit(1)
	}
	if len(os.Args) == 4 && os.Args[1] == receiverArg {
		if err := receive(os.Args[2], os.Args[3]); err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
		os.Exit(1)
	}
	bed.Suite(m, "WHYSTUCK_ENGINE", "make engine-test", 4)
}

// lab is what all scenes share: two engines on one host, whose containers have
// the same names.
type lab struct {
	// own runs a containerd of its own beside it, as a packaged Docker does; plain
	// has dockerd start its containerd.
	own, plain *bed.Daemon
	binary     string
	slack      time.Duration // what it takes to start that binary
	runtimeDir string        // of plain's further runtimes

	mu   sync.Mutex
	rows []string
}

func TestEngine(t *testing.T) {
	bed.Require(t, "root", "docker", "gcc", "fuse")
	l := &lab{binary: bed.Whystuck(t), own: bed.StartDaemonWith(t, bed.Options{Containerd: true})}
	l.plain = bed.StartDaemonWith(t, bed.Options{Args: l.runtimes(t)})
	files := map[string]string{"/siglab": bed.StaticProgram(t), "/mnt/": "", "/data/": "", "/tmp/": ""}
	for _, d := range []*bed.Daemon{l.own, l.plain} {
		if err := d.Import(t.Context(), "lab", files, `ENTRYPOINT ["/siglab"]`); err != nil {
			t.Fatal(err)
		}
	}
	// Those that stop a whole engine go one after the other, and before the rest.
	for _, parallel := range []bool{false, true} {
		t.Run(map[bool]string{false: "engines", true: "containers"}[parallel], func(t *testing.T) {
			for _, s := range scenes {
				if s.parallel != parallel {
					continue
				}
				t.Run(s.name, func(t *testing.T) {
					if parallel {
						t.Parallel()
					}
					s.play(l, t)
				})
			}
		})
	}
	slices.Sort(l.rows)
	fmt.Printf("%-20s %-44s %7s  %s\n%s\n", "scene", "whystuck", "answer", "docker", strings.Join(l.rows, "\n"))
}

// engine is one for a scene that does to it what others would notice, with a
// containerd of its own and the lab image.
func (l *lab) engine(t *testing.T) *bed.Daemon {
	t.Helper()
	d := bed.StartDaemonWith(t, bed.Options{Containerd: true})
	if err := d.Import(t.Context(), "lab", map[string]string{"/siglab": bed.StaticProgram(t)}, `ENTRYPOINT ["/siglab"]`); err != nil {
		t.Fatal(err)
	}
	return d
}

// row is one line of the table at the end.
func (l *lab) row(t *testing.T, a answer, docker string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.rows = append(l.rows, fmt.Sprintf("%-20s %-44s %5.2f s  %s", filepath.Base(t.Name()), a.words(), a.took.Seconds(), docker))
}
