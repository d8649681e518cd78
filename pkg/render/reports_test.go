package render

import (
	"fmt"
	"strings"
	"time"

	"github.com/whystuck/whystuck/pkg/diagnose"
	"github.com/whystuck/whystuck/pkg/evidence"
)

// The reports of the golden tests: what real containers give, and what nobody
// should ever meet.

func ptr[T any](v T) *T { return &v }

var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

func report(list ...diagnose.Container) diagnose.Report {
	return diagnose.Report{
		Schema: 1, Version: "0.1.0", ObservedAt: noon,
		Host:       diagnose.Host{Kernel: "6.1.0", Engine: "20.10.24", Sources: []string{"docker-api", "proc"}},
		Containers: list,
	}
}

func at(s float64, action, effect string) diagnose.Step {
	return diagnose.Step{AtSeconds: s, Action: action, Effect: effect}
}

func dies() *diagnose.EndForecast {
	return &diagnose.EndForecast{Signal: "SIGKILL", Outcome: "dies", AfterSeconds: ptr(0.0),
		Command: diagnose.Command{Returns: true, AfterSeconds: ptr(0.0), ExitStatus: ptr(0)}, ContainerEnds: ptr(true)}
}

func fails(_ string, after float64, text string) diagnose.Command {
	return diagnose.Command{Returns: true, AfterSeconds: ptr(after), ExitStatus: ptr(1), Error: ptr(text)}
}

func killedShell() diagnose.Container {
	return diagnose.Container{
		Target: "web", Kind: "container", Name: "web", ID: strings.Repeat("ab", 32), Image: "shop:1.2", PID: 4121, Status: "running",
		Verdict: diagnose.Killed, Confidence: diagnose.Certain, Layer: diagnose.LayerApp,
		Headline: "PID 1 (sh) drops SIGTERM; node (PID 7) has a handler and is never sent it",
		Stop: &diagnose.StopForecast{
			Signal: "SIGTERM", TimeoutSeconds: 10, TimeoutSource: "default", Outcome: "killed", ExitCode: ptr(137), AfterSeconds: ptr(10.0), KilledUnheard: []int{4180},
			Command: diagnose.Command{Returns: true, AfterSeconds: ptr(10.0), ExitStatus: ptr(0)}, ContainerEnds: ptr(true), Then: "stays",
			Steps: []diagnose.Step{
				at(0, "SIGTERM to 1 sh", "discarded: default action, and PID 1 of a PID namespace"),
				at(10, "SIGKILL to 1 sh", "dies, with the other process. Exit code 137, unsaved data lost"),
			},
		},
		Kill: dies(), Rm: dies(),
		Findings: []diagnose.Finding{{
			Code: "WS104", Title: "shell entrypoint does not pass the signal on", Severity: diagnose.SeverityError, PID: 4121, NSPID: 1, TID: 4121,
			Summary:  "PID 1 (sh) drops SIGTERM; node (PID 7) has a handler and is never sent it.",
			Evidence: []diagnose.Evidence{{Source: "/proc/4121/status", Field: "SigCgt", Value: "0000000000010002", Says: "SIGTERM not caught"}},
			Fixes: []diagnose.Fix{
				{When: "now", Text: "node, host PID", Command: "sudo kill -TERM 4180"},
				{When: "image", Text: "or: exec node server.js", Patch: `ENTRYPOINT ["node", "server.js"]`},
				{When: "run", Text: "--init alone stops at once and cuts node off: the shell dies first"},
			},
		}},
		Processes: []diagnose.Process{
			{PID: 4121, NSPID: 1, PPID: 4098, Comm: "sh", Argv: []string{"/bin/sh", "-c", "node server.js; true"}, State: "S", Signal: "default", Effect: "discarded", Note: "discarded (PID 1)", Tasks: []diagnose.Task{{TID: 4121, State: "S", Wchan: ptr("do_wait")}}},
			{PID: 4180, NSPID: 7, PPID: 4121, Comm: "node", Argv: []string{"node", "server.js"}, State: "S", Signal: "caught", Effect: "never-sent", Note: "has a handler, is never sent it"},
		},
	}
}

func stops() diagnose.Container {
	c := diagnose.Container{
		Target: "proxy", Kind: "container", Name: "proxy", Image: "nginx:1.22", PID: 900, Status: "running",
		Verdict: diagnose.Stops, Confidence: diagnose.Likely, Layer: diagnose.LayerApp,
		Headline: "nginx takes SIGTERM as a fast shutdown",
		Stop: &diagnose.StopForecast{Signal: "SIGTERM", TimeoutSeconds: 10, Outcome: "stops", ExitCode: ptr(0), AfterSeconds: ptr(0.1),
			Command: diagnose.Command{Returns: true, AfterSeconds: ptr(0.1), ExitStatus: ptr(0)}, ContainerEnds: ptr(true), Then: "removed",
			Steps: []diagnose.Step{at(0, "SIGTERM to 1 nginx", "its handler runs: fast shutdown. Exit code 0")}},
		Kill: dies(), Rm: dies(),
		Findings: []diagnose.Finding{{Code: "WS111", Title: "handler of an unknown program", Severity: diagnose.SeverityInfo}},
		Gaps:     []diagnose.Gap{{Path: "/proc/900/stack", Kind: "denied", Matters: "nothing here"}},
		Processes: []diagnose.Process{
			{PID: 900, NSPID: 1, PPID: 1, Comm: "nginx", Argv: []string{"nginx: master process nginx -g daemon off;"}, State: "S", Signal: "caught", Effect: "handler-runs"},
		},
	}
	for i := range 12 {
		c.Processes = append(c.Processes, diagnose.Process{PID: 920 + i, NSPID: 20 + i, PPID: 900, Comm: "nginx", Argv: []string{"nginx: worker process"}, State: "S", Signal: "caught", Effect: "handler-runs", Note: "told by its master"})
	}
	return c
}

func withSignal(c diagnose.Container) diagnose.Container {
	c.Signal = &diagnose.SignalForecast{Signal: "SIGHUP", Outcome: "handled", Confidence: diagnose.Likely, Effect: "reloads its configuration", ReceivedBy: []int{900, 77}}
	return c
}

func stuckFUSE() diagnose.Container {
	const text = "cannot stop container: files: tried to kill container, but did not receive an exit event"
	return diagnose.Container{
		Target: "files", Kind: "container", Name: "files", Image: "registry.example.com:5000/team/backend/files-service:2026.11.23-rc1", PID: 25651, Status: "running",
		Verdict: diagnose.Stuck, Confidence: diagnose.Likely, Layer: diagnose.LayerKernel,
		Headline: "PID 1 (files) waits for a FUSE server that has taken the request and does not answer: SIGKILL cannot end it",
		Stop: &diagnose.StopForecast{Signal: "SIGTERM", TimeoutSeconds: 3, TimeoutSource: "flag", Outcome: "stuck",
			Command: fails("stuck", 17, text), ContainerEnds: ptr(false), Then: "stays",
			Steps: []diagnose.Step{
				at(0, "SIGTERM to 1 files", "queued: the task cannot take it while it waits"),
				at(3, "SIGKILL to 1 files", "queued; the task turns from S to D and stays"),
				at(13, "SIGKILL by dockerd itself to host PID 25651, which is the same process seen from outside", "no effect"),
				at(17.04, "docker stop gives up", text),
			}},
		Kill: &diagnose.EndForecast{Outcome: "stuck", Command: fails("stuck", 12, text), ContainerEnds: ptr(false)},
		Rm:   &diagnose.EndForecast{Outcome: "stuck", Command: fails("stuck", 12, text), ContainerEnds: ptr(false)},
		Findings: []diagnose.Finding{{
			Code: "WS209", Title: "FUSE request not answered", Severity: diagnose.SeverityError, PID: 25651, NSPID: 1, TID: 25651,
			Summary: "newfstatat on /mnt/hangstat waits in request_wait_answer; the mount is served by fusehang (PID 25526)",
			Evidence: []diagnose.Evidence{
				{Source: "/proc/25651/wchan", Value: "request_wait_answer", Says: "waits for a FUSE server"},
				{Source: "/sys/fs/fuse/connections/74/waiting", Value: "2", Says: "two requests are open on this connection, and nobody has answered them"},
			},
			Fixes: []diagnose.Fix{
				{When: "now", Text: "ends every open request of that mount", Command: "echo 1 | sudo tee /sys/fs/fuse/connections/74/abort", Risk: ptr("every process that uses /mnt gets an error")},
				{When: "host", Text: "restart the FUSE server"},
			},
		}},
		Processes: []diagnose.Process{
			{PID: 25651, NSPID: 1, PPID: 1, Comm: "files", Argv: []string{"/usr/local/bin/files", "--listen=:8080", "--root=/mnt", "--verbose"}, State: "S", Signal: "default", Effect: "cannot-die", Note: "cannot die: request_wait_answer"},
			{PID: 25700, NSPID: 8, PPID: 25651, Comm: "worker", State: "S", Signal: "default", Effect: "cannot-die", Tasks: []diagnose.Task{{TID: 25700, State: "S"}, {TID: 25701, State: "D"}}},
		},
		Gaps: []diagnose.Gap{{Path: "/proc/25651/cmdline", Kind: "skipped", Matters: "reading could block"}},
	}
}

func stopRunningNow() diagnose.Container {
	c := killedShell()
	c.Verdict, c.Headline = diagnose.Stuck, "a stop is running and PID 1 (sh) is in D"
	c.Stop.Command, c.Stop.ContainerEnds = diagnose.Command{}, ptr(false)
	c.Findings = append([]diagnose.Finding{{Code: stopRunning, Title: "stop already running", Severity: diagnose.SeverityInfo}}, c.Findings...)
	c.History = []diagnose.Event{
		{At: noon.Add(-99 * time.Second), Action: "kill", Signal: "SIGQUIT"},
		{At: noon.Add(-98 * time.Second), Action: "die"},
		{At: noon.Add(-97 * time.Second), Action: "start"},
		{At: noon.Add(-42 * time.Second), Action: "kill", Signal: "SIGTERM"},
		{At: noon.Add(-32 * time.Second), Action: "kill", Signal: "SIGKILL"},
	}
	return c
}

func unknown() diagnose.Container {
	c := diagnose.Container{
		Target: "db", Kind: "container", Name: "db", Image: "acme/db", PID: 71, Status: "running",
		Verdict: diagnose.Unknown, Confidence: diagnose.Assumed,
		Headline: "what PID 1 (db) sleeps in could not be read; sudo whystuck db would settle it",
		Stop: &diagnose.StopForecast{Signal: "SIGTERM", TimeoutSeconds: 10, Outcome: "unknown",
			Steps: []diagnose.Step{at(0, "SIGTERM to 1 db", "not known")}},
		Kill: &diagnose.EndForecast{Outcome: "unknown"}, Rm: &diagnose.EndForecast{Outcome: "unknown"},
		Processes: []diagnose.Process{{PID: 71, NSPID: 1, Comm: "db", State: "S", Signal: "unknown", Effect: "unknown"}},
	}
	for i := range 12 {
		c.Gaps = append(c.Gaps, diagnose.Gap{Path: fmt.Sprintf("/proc/%d/syscall", 71+i), Kind: "denied", Matters: "cannot tell whether it waits in sigwait"})
	}
	for i := range 7 {
		c.Gaps = append(c.Gaps, diagnose.Gap{Path: "/proc/71/stack", Kind: "denied", Matters: fmt.Sprintf("reason %d", i)})
	}
	return c
}

func notRunning() diagnose.Container {
	return diagnose.Container{
		Target: "batch", Kind: "container", Name: "batch", Image: "batch:7", Status: "exited", ExitCode: ptr(137),
		Verdict: diagnose.NotRunning, Confidence: diagnose.Certain, Headline: "exited 2 hours ago with 137: it was killed",
	}
}

func pidns() diagnose.Container {
	c := killedShell()
	c.Kind, c.Name, c.Target, c.Image, c.Rm = evidence.KindPIDNS, "", "4121", "", nil
	c.Signal = &diagnose.SignalForecast{Signal: "SIGUSR1", Outcome: "discarded", Confidence: diagnose.Certain, Effect: "discarded: default action, and PID 1 of a PID namespace"}
	return c
}

// evil drives a terminal in every way that Escape knows.
const evil = "a\x1b[2J\n\x07b\u202ec\u200bd\x9b\xffe\u0085\u2066f\u00adg\u3164h\x7fi\U000e0041"

func hostile() diagnose.Container {
	c := killedShell()
	c.Name, c.Target, c.Image, c.Headline = "web"+evil, "web", "img"+evil, "PID 1 ("+evil+") drops SIGTERM"
	c.Stop.Steps[0].Action += evil
	c.Stop.Steps[1].Effect += evil
	c.Processes[0].Comm, c.Processes[0].Argv = evil, []string{"/bin/" + evil, "-c", "\x1b]0;owned\x07", "", `say "hi" \ there`}
	c.Processes[1].Argv, c.Processes[1].Comm = nil, strings.Repeat("e\u0301\u0301\u0301", 5)
	f := &c.Findings[0]
	f.Title, f.Summary, f.Evidence[0].Value, f.Evidence[0].Says = f.Title+evil, evil, evil, evil
	f.Fixes[0].Command = "sudo kill \x1b[1A4180"
	f.Fixes[1].Patch = "ENTRYPOINT [\"node\"]\nRUN \u202etrue"
	f.Fixes = append(f.Fixes, diagnose.Fix{When: "image", Text: "two lines", Patch: "STOPSIGNAL SIGINT\nENTRYPOINT [\"node\"]"}, diagnose.Fix{When: "run", Command: "docker update", Risk: ptr(evil)})
	c.Gaps = []diagnose.Gap{{Path: "/proc/1/root/" + evil, Kind: "denied", Matters: evil}}
	return c
}

func wideNames() diagnose.Container {
	c := killedShell()
	c.Name, c.Target = "网站-главный", "x"
	c.Findings[0].Summary = "sh: discarded (PID 1)"
	c.Headline = "PID 1 (シェル) は SIGTERM を捨てる; ノード (PID 7) has a handler and is never sent it, 🚀 whatever happens to it"
	c.Processes[0].Argv = []string{"シェル", "-c", "ノード サーバー.js; true"}
	c.Processes[1].Argv = []string{"ノード", "サーバー.js", "数据库连接参数很长很长很长很长很长很长很长很长很长"}
	c.Stop.Steps[0].Action = "SIGTERM to 1 シェル"
	return c
}

// many has a wide and deep tree in which one process of 200 matters.
func many() diagnose.Container {
	c := killedShell()
	for i := range 30 {
		c.Processes = append(c.Processes, diagnose.Process{PID: 5000 + i, NSPID: 100 + i, PPID: 4121, Comm: "job", Argv: []string{"job", fmt.Sprint(i)}, State: "S", Signal: "default", Effect: "dies", Note: "dies with PID 1"})
	}
	for i := range 150 {
		c.Processes = append(c.Processes, diagnose.Process{PID: 6000 + i, NSPID: 1000 + i, PPID: 5003, Comm: "sub", Argv: []string{"sub"}, State: "S", Signal: "default", Effect: "dies", Note: "dies with PID 1"})
	}
	for i := range 20 { // a chain below job 7
		c.Processes = append(c.Processes, diagnose.Process{PID: 7000 + i, NSPID: 2000 + i, PPID: max(6999+i, 5007), Comm: "deep", Argv: []string{"deep", fmt.Sprint(i)}, State: "S", Signal: "default", Effect: "dies"})
	}
	c.Processes[len(c.Processes)-20].PPID = 5007
	c.Processes = append(c.Processes, diagnose.Process{PID: 8000, NSPID: 3000, PPID: 5029, Comm: "held", Argv: []string{"held"}, State: "D", Signal: "default", Effect: "cannot-die", Note: "D in percpu_rwsem_wait"})
	return c
}

func several() diagnose.Report {
	refused := killedShell()
	refused.Name, refused.Verdict, refused.Headline = "guard", diagnose.Refused, "AppArmor denies the signal"
	refused.Stop = &diagnose.StopForecast{Command: fails("refused", 14, "permission denied"), ContainerEnds: ptr(false)}
	refused.Processes, refused.Findings = nil, nil
	dead := notRunning()
	dead.Name, dead.Status, dead.ExitCode = "half-gone", "removing", nil
	dead.Findings = []diagnose.Finding{{Code: "WS308", Title: "stuck in removing", Severity: diagnose.SeverityError}}
	r := report(stops(), notRunning(), killedShell(), unknown(), stuckFUSE(), refused, withSignal(stops()), dead)
	r.Containers[6].Name = "another"
	r.Host.Findings = []diagnose.Finding{{Code: "WS304", Title: "the engine does not answer", Severity: diagnose.SeverityWarning, Summary: "it was asked twice"}}
	return r
}
