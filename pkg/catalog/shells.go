package catalog

// shells, told from each other by executable; where that could not be read, by
// the masks (ShellByMasks).
var shells = []Program{
	{ID: "dash", Kind: KindShell, Names: []string{"dash"}, NeverWaits: true, Source: "dash src/jobs.c, src/trap.c", Case: "dash-two"},
	{ID: "bash", Kind: KindShell, Names: []string{"bash", "rbash"}, NeverWaits: true, Source: "bash trap.c, jobs.c", Case: "bash-two"},
	{ID: "ash", Kind: KindShell, Names: []string{"ash"}, NeverWaits: true, Source: "busybox shell/ash.c", Case: "ash-two"},
	{ID: "zsh", Kind: KindShell, Names: []string{"zsh"}, NeverWaits: true, Source: "zsh Src/signals.c, Src/jobs.c", Case: "zsh-two"},
	{ID: "mksh", Kind: KindShell, Names: []string{"mksh", "lksh"}, NeverWaits: true, Source: "mksh histrap.c, jobs.c", Case: "mksh-two"},
	{ID: "ksh", Kind: KindShell, Names: []string{"ksh", "ksh93"}, NeverWaits: true, Source: "ksh93 sh/jobs.c, sh/fault.c", Case: "ksh-two"},
	{ID: "fish", Kind: KindShell, Names: []string{"fish"}, NeverWaits: true, Source: "fish src/signal.cpp", Case: "fish-two"},
	{ID: "yash", Kind: KindShell, Names: []string{"yash"}, NeverWaits: true, Source: "yash sig.c", Case: "yash-two"},
	// sh is a shell of a flavour that could not be told.
	{ID: "sh", Kind: KindShell, Names: []string{"sh"}, NeverWaits: true, Source: "POSIX sh", Case: "dash-two"},
}
