package inside_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/whystuck/whystuck/pkg/evidence"
	"github.com/whystuck/whystuck/scripts/bed"
)

// others are further copies of a program to test with, separated by colons: no
// machine has every version of Node installed.
func others(t *testing.T, name, env string) []string {
	t.Helper()
	if list := os.Getenv(env); list != "" {
		return strings.Split(list, ":")
	}
	bed.Require(t, name)
	return []string{name}
}

var nodeCases = []struct {
	name, script string
	want         []int
}{
	{"no handler", "", []int{}},
	{"TERM", "process.on('SIGTERM', () => {});", []int{15}},
	{"several", "for (const s of ['SIGTERM','SIGINT','SIGHUP','SIGUSR2','SIGWINCH','SIGQUIT','SIGALRM']) process.on(s, () => {});", []int{1, 2, 3, 12, 14, 15, 28}},
	{"once and on", "process.once('SIGTERM', () => {}); process.on('SIGTERM', () => {});", []int{15}},
	{"removed", "const f = () => {}; process.on('SIGTERM', f); process.on('SIGHUP', f); process.off('SIGTERM', f);", []int{1}},
	{"child", "require('child_process').spawn('sleep', ['50']);", []int{17}},
}

func TestNode(t *testing.T) {
	for _, node := range others(t, "node", "WHYSTUCK_TEST_NODES") {
		for _, c := range nodeCases {
			t.Run(node+" "+c.name, func(t *testing.T) {
				p := start(t, node, "-e", c.script+"setTimeout(() => {}, 1e6); console.log('ready', process.version, process.versions.uv)")
				if !p.says("ready", 10*time.Second) {
					t.Fatalf("node did not start: %s", &p.out)
				}
				if shared := os.Getenv("WHYSTUCK_TEST_NODES") == "" && !officialNode(t, node); shared {
					t.Skip("SKIPPED: this node has no uv__signal_tree (Debian's links libuv.so)")
				}
				got, gaps := p.settled(func(e evidence.Process) bool {
					return leaderCall(e) == "epoll_pwait" || leaderCall(e) == "epoll_wait"
				})
				if len(gaps) != 0 || got.Inside == nil || !slices.Equal(got.Inside.Node.UserHandlers, c.want) || got.Inside.Node.UserHandlers == nil {
					t.Fatalf("inside %+v, want %v; gaps %+v", got.Inside.PHP, c.want, gaps)
				}
				t.Log(strings.TrimSpace(p.out.String()), got.Inside.Node.UserHandlers)
			})
		}
	}
}

// officialNode: the file is large because libuv and all else are in it.
func officialNode(t *testing.T, name string) bool {
	t.Helper()
	for _, dir := range filepath.SplitList(os.Getenv("PATH")) {
		if st, err := os.Stat(filepath.Join(dir, name)); err == nil {
			return st.Size() > 50<<20
		}
	}
	return false
}

var phpCases = []struct {
	name, script string
	want         []int
}{
	{"no handler", "", []int{}},
	{"TERM", "pcntl_signal(SIGTERM, function() {});", []int{15}},
	{"async", "pcntl_async_signals(true); pcntl_signal(SIGTERM, function() { exit(3); }); pcntl_signal(SIGINT, function() {}); pcntl_signal(SIGUSR1, function() {});", []int{2, 10, 15}},
	{"ignored and back", "pcntl_signal(SIGTERM, SIG_IGN); pcntl_signal(SIGHUP, function() {}); pcntl_signal(SIGHUP, SIG_DFL);", []int{}},
	{"no signal of the engine's own", "pcntl_signal(SIGCHLD, function() {});", []int{17}},
}

func TestPHP(t *testing.T) {
	for _, php := range others(t, "php", "WHYSTUCK_TEST_PHPS") {
		for _, c := range phpCases {
			t.Run(php+" "+c.name, func(t *testing.T) {
				p := start(t, php, "-r", c.script+"echo 'ready'; for (;;) sleep(1000);")
				if !p.says("ready", 10*time.Second) {
					t.Fatalf("php did not start: %s", &p.out)
				}
				got, gaps := p.settled(func(e evidence.Process) bool { return leaderCall(e) == "clock_nanosleep" })
				if len(gaps) != 0 || got.Inside == nil || got.Inside.PHP.UserHandlers == nil || !slices.Equal(got.Inside.PHP.UserHandlers, c.want) {
					t.Fatalf("inside %+v, want %v; gaps %+v", got.Inside.PHP, c.want, gaps)
				}
			})
		}
	}
}
