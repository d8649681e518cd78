package catalog

// tools are small programs that leave every signal at its default: the general
// rule judges them, and the row only says that nothing is hidden (NeverWaits)
// and that they keep what a shell's `&` gave them (Plain).
var tools = []Program{
	{ID: "sleep", Kind: KindTool, Names: []string{"sleep"}, Plain: true, NeverWaits: true, Source: "coreutils sleep.c", Case: "sleep"},
	{ID: "tail", Kind: KindTool, Names: []string{"tail"}, Plain: true, NeverWaits: true, Source: "coreutils tail.c", Case: "tail-f"},
	{ID: "cat", Kind: KindTool, Names: []string{"cat", "tac", "tee"}, Plain: true, NeverWaits: true, Source: "coreutils", Case: "cat-stdin"},
	{ID: "coreutils", Kind: KindTool, Names: []string{"coreutils", "yes", "dd", "wc", "sort", "head", "cut", "tr", "seq", "true", "false", "echo", "od", "mkfifo"},
		Plain: true, NeverWaits: true, Source: "coreutils", Case: "yes"},
	{ID: "text-tools", Kind: KindTool, Names: []string{"grep", "sed", "awk", "mawk", "gawk", "find", "inotifywait", "nc", "ncat", "curl", "wget", "logger"},
		Plain: true, NeverWaits: true, Source: "grep, sed, awk, findutils, inotify-tools, netcat", Case: "inotifywait"},
	{ID: "pause", Kind: KindTool, Names: []string{"pause"}, Source: "kubernetes build/pause", Case: ""},
}
