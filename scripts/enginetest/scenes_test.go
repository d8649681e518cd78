package enginetest

import "testing"

// scenes in the order in which they are played. Those that are parallel have
// containers of their own and leave the engines alone, or have an engine of their own.
var scenes = []struct {
	name     string
	play     func(*lab, *testing.T)
	parallel bool
}{
	{"dockerd-stopped", (*lab).dockerdStopped, false},
	{"orphans", (*lab).orphans, false},
	{"orphans-crowded", (*lab).crowded, false},
	{"orphans-stray", (*lab).stray, false},
	{"dockerd-killed", (*lab).dockerdKilled, false},
	{"containerd-stopped", (*lab).containerdStopped, false},
	{"containerd-killed", (*lab).containerdKilled, false},
	{"containerd-managed", (*lab).containerdManaged, false},
	{"lost-exit", (*lab).lostExit, false},
	{"exec-holds", (*lab).execHolds, true},
	{"log-holds", (*lab).logHolds, true},
	{"log-stopped", (*lab).logStopped, true},
	{"log-cut", (*lab).logCut, true},
	{"log-ring", (*lab).logRing, true},
	{"log-unix", (*lab).logUnix, true},
	{"log-frozen", (*lab).logFrozen, true},
	{"log-read", (*lab).logRead, true},
	{"shim-given-up", (*lab).shimGivenUp, true},
	{"two-shims", (*lab).twoShims, true},
	{"shim-gone", (*lab).shimGone, true},
	{"shim-killed", (*lab).shimKilled, true},
	{"shim-stopped", (*lab).shimStopped, true},
	{"shim-traced", (*lab).shimTraced, true},
	{"runtime-hangs", (*lab).runtimeHangs, true},
	{"shim-hangs", (*lab).shimHangs, true},
	{"shim-left", (*lab).shimLeft, true},
	{"restart-policy", (*lab).restartPolicy, true},
	{"lock-held", (*lab).lockHeld, true},
	{"start-lookup", (*lab).startLookup, true},
	{"start-again", (*lab).startAgain, true},
	{"start-exec", (*lab).startExec, true},
	{"start-dockerd", (*lab).startDaemon, true},
	{"auto-remove", (*lab).autoRemove, true},
	{"removal-held", (*lab).removalHeld, true},
	{"removal-free", (*lab).removalFree, true},
	{"removal-frozen", (*lab).removalFrozen, true},
	{"removal-read-only", (*lab).removalReadOnly, true},
	{"healthy", (*lab).healthy, true},
	{"healthy-busy", (*lab).busy, true},
}
