package catalog

import "github.com/whystuck/whystuck/pkg/evidence"

// runtimes run somebody's program. What their own handlers do is in diagnose
// (react_runtime.go), since it needs more than a table.
var runtimes = []Program{
	{ID: "node", Kind: KindRuntime, Names: []string{"node", "nodejs"}, NeverWaits: true, Source: "nodejs/node src/node.cc SignalExit", Case: "node20-plain"},
	{ID: "python", Kind: KindRuntime, Names: []string{"python", "python2", "python3", "pypy", "pypy3"}, Plain: true, Source: "CPython Modules/signalmodule.c", Case: "python-plain"},
	{ID: "ruby", Kind: KindRuntime, Names: []string{"ruby", "irb"}, Source: "ruby signal.c", Case: "ruby-plain"},
	{ID: "perl", Kind: KindRuntime, Quick: true, Names: []string{"perl"}, Plain: true, NeverWaits: true, Source: "perl mg.c", Case: "perl-plain"},
	{ID: "php", Kind: KindRuntime, Names: []string{"php", "php-cli"}, NeverWaits: true, Source: "php-src Zend/zend_signal.c", Case: "php-plain"},
	{ID: "java", Kind: KindRuntime, Names: []string{"java"}, NeverWaits: true, Source: "OpenJDK os/posix/signals_posix.cpp",
		Responses: map[int]Response{
			evidence.SIGTERM: {Ends: EndsUnknown, Code: 143, Means: "runs the shutdown hooks, then exits 143"},
			evidence.SIGINT:  {Ends: EndsUnknown, Code: 130, Means: "runs the shutdown hooks, then exits 130"},
			evidence.SIGHUP:  {Ends: EndsUnknown, Code: 129, Means: "runs the shutdown hooks, then exits 129"},
			evidence.SIGQUIT: {Ends: EndsNo, Means: "prints a thread dump and goes on", Instead: "SIGTERM"},
		}, Case: "java-plain"},
	{ID: "dotnet", Kind: KindRuntime, Names: []string{"dotnet"}, Source: "dotnet/runtime pal_signal.c",
		Responses: map[int]Response{evidence.SIGTERM: {Ends: EndsUnknown, Code: 143, Means: "stops the host, then exits 143"}}, Case: ""},
	{ID: "beam", Kind: KindRuntime, Names: []string{"beam.smp", "beam"}, NeverWaits: true, Source: "erlang/otp erts sys.c, init:stop()",
		Responses: map[int]Response{
			evidence.SIGTERM: {Ends: EndsYes, Code: 0, After: 1.4, Means: "runs init:stop() and exits 0"},
			evidence.SIGUSR1: {Ends: EndsUnknown, Code: 1, Means: "writes a crash dump and ends"},
		}, Case: "erl-noinput"},
	{ID: "lua", Kind: KindRuntime, Quick: true, Names: []string{"lua", "luajit"}, Plain: true, NeverWaits: true, Source: "lua.c", Case: "lua-stdin"},
	{ID: "tclsh", Kind: KindRuntime, Names: []string{"tclsh"}, Plain: true, NeverWaits: true, Source: "tcl", Case: "tcl-plain"},
	{ID: "guile", Kind: KindRuntime, Names: []string{"guile"}, Plain: true, NeverWaits: true, Source: "guile", Case: ""},
	{ID: "rscript", Kind: KindRuntime, Names: []string{"R", "Rscript"}, Plain: true, NeverWaits: true, Source: "R", Case: ""},
	{ID: "mono", Kind: KindRuntime, Names: []string{"mono", "mono-sgen"}, NeverWaits: true, Source: "mono", Case: ""},
	{ID: "deno", Kind: KindRuntime, Names: []string{"deno"}, Source: "denoland/deno", Case: ""},
	{ID: "bun", Kind: KindRuntime, Names: []string{"bun"}, Source: "oven-sh/bun", Case: ""},
}

// GoCaught is the mask that the Go runtime installs (runtime/sigtab_linux_generic.go)
// as far as every version agrees: these are caught in any Go program that does
// not ignore them.
var GoCaught = evidence.SetOf(evidence.SIGQUIT, evidence.SIGILL, evidence.SIGTRAP, evidence.SIGABRT, evidence.SIGBUS, evidence.SIGFPE,
	evidence.SIGUSR1, evidence.SIGSEGV, evidence.SIGUSR2, evidence.SIGPIPE, evidence.SIGALRM, evidence.SIGTERM, evidence.SIGSTKFLT,
	evidence.SIGCHLD, evidence.SIGURG, evidence.SIGXCPU, evidence.SIGXFSZ, evidence.SIGVTALRM, evidence.SIGPROF, evidence.SIGWINCH,
	evidence.SIGIO, evidence.SIGPWR, evidence.SIGSYS, 35, 40, 50, 60)
