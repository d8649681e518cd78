package catalog

import (
	"strconv"
	"strings"
)

// Defect is a known fault of some versions of an engine that changes how a stop
// ends.
type Defect struct {
	ID string
	// Versions are the ranges that have it, from the first to the one that mended
	// it, which is not in it; "": none has.
	Versions []Range
	Says     string // what it does, one clause
	WayOut   string
	Source   string
}

// Range is from a version on, and until another.
type Range struct{ From, Until string }

// The defects that rules ask for by name.
const (
	StopWithoutEnd  = "stop-without-end"
	KillsWhenLeft   = "kills-when-left"
	GhostForMinus1  = "ghost-for-minus-1"
	RemovalOutlives = "removal-outlives"
)

// Defects are those of dockerd.
var Defects = []Defect{
	{ID: StopWithoutEnd, Versions: []Range{{"20.10.0", "20.10.10"}},
		Says:   "docker stop never returns when its SIGKILL fails: it waits for the exit without a limit",
		WayOut: "end the command with Ctrl-C: the engine goes on by itself; 20.10.10 gives up after 2 s",
		Source: "moby issue 41579; daemon/stop.go, tag by tag"},
	{ID: KillsWhenLeft, Versions: []Range{{"23.0.0", "23.0.8"}, {"24.0.0", "24.0.3"}},
		Says:   "a docker stop whose client leaves (Ctrl-C, a timeout of a script) sends SIGKILL at once, in the middle of the grace period",
		WayOut: "let docker stop run to its end",
		Source: "moby commit fc94ed0a86; daemon/stop.go, tag by tag"},
	{ID: GhostForMinus1, Versions: []Range{{"29.7.0", ""}},
		Says:   "with a stop timeout of -1 a lost exit is never booked: docker stop waits for ever for a process that is gone",
		WayOut: "only a new dockerd books it: SIGKILL to dockerd, and start it (without live-restore that stops all containers); docker stop -t and docker kill return and change nothing, docker rm -f fails, and SIGTERM does not end dockerd",
		Source: "moby commit f3d1fb5fa9; daemon/kill.go killWithSignal"},
	{ID: RemovalOutlives, Versions: []Range{{"", "28.2.0"}},
		Says:   "a removal that is under way is written to the disk: a restart of dockerd makes the container Dead, and does not undo it",
		WayOut: "free what holds the removal, then docker rm -f again",
		Source: "moby daemon/container State.RemovalInProgress"},
}

// DefectOf is a defect that a version has, nil when it has not, or the version is
// not known.
func DefectOf(id, version string) *Defect {
	v, ok := parseVersion(version)
	if !ok {
		return nil
	}
	for i := range Defects {
		d := &Defects[i]
		if d.ID != id {
			continue
		}
		for _, r := range d.Versions {
			if r.has(v) {
				return d
			}
		}
	}
	return nil
}

func (r Range) has(v [3]int) bool {
	from, hasFrom := parseVersion(r.From)
	until, hasUntil := parseVersion(r.Until)
	return !(hasFrom && less(v, from) || hasUntil && !less(v, until))
}

func less(a, b [3]int) bool {
	for i := range a {
		if a[i] != b[i] {
			return a[i] < b[i]
		}
	}
	return false
}

// parseVersion reads "20.10.24+dfsg1", "29.7.0-rc.1"; false for another form.
func parseVersion(s string) (v [3]int, ok bool) {
	if i := strings.IndexAny(s, "+-~ "); i >= 0 {
		s = s[:i]
	}
	parts := strings.Split(s, ".")
	if len(parts) != 3 {
		return v, false
	}
	for i, p := range parts {
		n, err := strconv.Atoi(p)
		if err != nil || n < 0 {
			return v, false
		}
		v[i] = n
	}
	return v, true
}
