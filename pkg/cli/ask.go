package cli

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/whystuck/whystuck/pkg/diagnose"
	"github.com/whystuck/whystuck/pkg/engine"
	"github.com/whystuck/whystuck/pkg/evidence"
	"github.com/whystuck/whystuck/pkg/look"
)

// question is what to look at, as the command line put it.
type question struct {
	query engine.Query
	pids  []int
	// host, context, dataRoot and execRoot say which engine.
	host, context, dataRoot, execRoot string
	// from is a capture to read instead of looking; "-": standard input.
	from string
	// everything: read all evidence, not only what the answer below rests on. A
	// capture is judged later, with other questions.
	everything bool
	// judge is what the reader wants to know.
	judge diagnose.Options
}

// addTo defines the flags that say what to look at.
func (q *question) addTo(f *pflag.FlagSet) {
	f.BoolVar(&q.query.All, "all", false, "every container but those that exited cleanly")
	f.StringVar(&q.query.Project, "project", "", "the containers of a compose `project`")
	f.StringVar(&q.query.Service, "service", "", "the containers of a compose `service`")
	f.IntSliceVar(&q.pids, "pid", nil, "the PID namespace that this host `PID` lives in, without an engine")
	q.addEngineTo(f)
}

// addEngineTo defines the flags that say which engine, and where its files are.
func (q *question) addEngineTo(f *pflag.FlagSet) {
	q.addAddressTo(f, "c")
	f.StringVar(&q.dataRoot, "data-root", "", "the engine's data `directory`, for when it does not answer")
	f.StringVar(&q.execRoot, "exec-root", "", "the engine's run-time state `directory`, for when it does not answer")
}

// addAddressTo defines those that say which engine; c is the short one of
// --context, which docker run has for something else.
func (q *question) addAddressTo(f *pflag.FlagSet, c string) {
	f.StringVarP(&q.host, "host", "H", "", "the engine's `socket` (default: as docker, from DOCKER_HOST or the context)")
	f.StringVarP(&q.context, "context", c, "", "the docker `context` to use")
}

// addFromTo defines --from, for the commands that can work on a capture.
func (q *question) addFromTo(f *pflag.FlagSet) {
	f.StringVar(&q.from, "from", "", "read a capture from a `file` (- for standard input) instead of looking")
}

// check takes the names and refuses what makes no sense together.
func (q *question) check(cmd *cobra.Command, names []string) error {
	q.query.Names = names
	if q.from != "" {
		if q.query.All || q.query.Project != "" || q.query.Service != "" || len(q.pids) > 0 {
			return usagef("--from reads what was captured: --all, --project, --service and --pid have no meaning with it")
		}
		return nil
	}
	for _, pid := range q.pids {
		if pid <= 0 {
			return usagef("--pid %d: a PID is a number above 0", pid)
		}
	}
	if !(&look.Question{Query: q.query}).AsksEngine() && len(q.pids) == 0 {
		return usagef("usage: %s", cmd.UseLine())
	}
	if q.query.All && len(names) > 0 {
		return usagef("--all and the name %q: give one or the other", names[0])
	}
	return nil
}

// lookQuestion is the question as package look takes it.
func (a *app) lookQuestion(q *question) *look.Question {
	return &look.Question{Query: q.query, PIDs: q.pids, Everything: q.everything, Judge: q.judge, EngineOptions: a.engineOptions(q)}
}

// looker takes looks at this machine.
func (a *app) looker() *look.Looker {
	return &look.Looker{Version: a.version(), Getenv: a.Getenv, Now: a.Now, Proc: a.Proc, Sys: a.Sys,
		Seen: func(s *evidence.Snapshot) { a.seen = s }}
}

// look gathers the evidence for q.
func (a *app) look(ctx context.Context, q *question) *evidence.Snapshot {
	return a.looker().Look(ctx, a.lookQuestion(q))
}

// engineOptions says how to find the engine.
func (a *app) engineOptions(q *question) engine.Options {
	return engine.Options{
		Host: q.host, Context: q.context, DataRoot: q.dataRoot, ExecRoot: q.execRoot,
		Getenv: a.Getenv, HomeDir: a.HomeDir, ProcRoot: a.Proc,
	}
}

// judgeFlags are the "what if" flags as typed.
type judgeFlags struct {
	signal, kill string
	timeout      int
}

func (j *judgeFlags) addTo(f *pflag.FlagSet) {
	f.StringVarP(&j.signal, "signal", "s", "", "what if it were stopped with this `signal`")
	f.IntVarP(&j.timeout, "timeout", "t", 0, "what if the stop timeout were so many `seconds` (-1: for ever)")
	f.StringVar(&j.kill, "kill", "", "what docker kill -s of this `signal` would do")
	f.SetNormalizeFunc(timeIsTimeout)
}

// timeIsTimeout takes docker stop's older spelling of a flag.
func timeIsTimeout(_ *pflag.FlagSet, name string) pflag.NormalizedName {
	if name == "time" {
		name = "timeout"
	}
	return pflag.NormalizedName(name)
}

// options turns them into the judge's, or says which is wrong.
func (j *judgeFlags) options(f *pflag.FlagSet, version string) (diagnose.Options, error) {
	opt := diagnose.Options{Version: version}
	for _, s := range []struct {
		flag, text string
		to         *int
	}{{"signal", j.signal, &opt.Signal}, {"kill", j.kill, &opt.Kill}} {
		if !f.Changed(s.flag) {
			continue
		}
		n, err := parseSignal(s.flag, s.text)
		if err != nil {
			return opt, &failure{exitUsage, err}
		}
		*s.to = n
	}
	if f.Changed("timeout") {
		seconds := max(j.timeout, -1) // dockerd takes every negative number as "for ever"
		opt.Timeout = &seconds
	}
	return opt, nil
}

// signalNote is what to tell who asks for a stop signal that this engine's
// `docker stop` cannot send ("": it can). The docker command says nothing: its
// client leaves -s out below API 1.42, and the configured signal is sent.
func signalNote(apiVersion string) string {
	var major, minor int
	if n, _ := fmt.Sscanf(apiVersion, "%d.%d", &major, &minor); n != 2 || major > 1 || minor >= 42 {
		return ""
	}
	return fmt.Sprintf("docker stop -s is dropped with this engine (API %s, it needs 1.42): the configured signal is sent. docker kill -s sends another", apiVersion)
}
