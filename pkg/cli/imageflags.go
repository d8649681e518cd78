package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/whystuck/whystuck/pkg/engine"
	"github.com/whystuck/whystuck/pkg/smoke"
)

// runFlags are docker run's flags under their own names, long and short.
type runFlags struct {
	spec       engine.Spec
	entrypoint string
	envFiles   []string
	init       bool
	pidsLimit  int64
	stopAfter  int
	pull       string
	flags      *pflag.FlagSet
}

func (r *runFlags) addTo(f *pflag.FlagSet) {
	r.flags = f
	s := &r.spec
	f.StringVar(&r.entrypoint, "entrypoint", "", "the `program` to start instead of the image's")
	f.StringArrayVarP(&s.Env, "env", "e", nil, "set a `variable` (NAME=value; NAME alone: as here)")
	f.StringArrayVar(&r.envFiles, "env-file", nil, "read variables from a `file`")
	f.StringArrayVarP(&s.Volumes, "volume", "v", nil, "mount a `volume` (SOURCE:TARGET[:ro])")
	f.StringArrayVar(&s.Tmpfs, "tmpfs", nil, "mount a tmpfs at this `path`")
	f.StringVarP(&s.User, "user", "u", "", "run as this `user`")
	f.StringVarP(&s.Workdir, "workdir", "w", "", "start in this `directory`")
	f.StringVarP(&s.Hostname, "hostname", "h", "", "the container's host `name`")
	f.StringVar(&s.Network, "network", "", "join this `network` (default none)")
	f.StringArrayVarP(&s.Publish, "publish", "p", nil, "publish a `port` (implies a network)")
	f.BoolVar(&r.init, "init", false, "run an init as PID 1")
	f.BoolVarP(&s.Tty, "tty", "t", false, "give it a terminal")
	f.BoolVarP(&s.Interactive, "interactive", "i", false, "keep its standard input open")
	f.StringVar(&s.StopSignal, "stop-signal", "", "the `signal` to stop it with")
	f.IntVar(&r.stopAfter, "stop-timeout", 0, "`seconds` until SIGKILL (-1: for ever)")
	f.StringVarP(&s.Memory, "memory", "m", "", "limit its memory to so many `bytes` (64m)")
	f.Int64Var(&r.pidsLimit, "pids-limit", 0, "limit its processes to this `number`")
	f.StringArrayVar(&s.Ulimits, "ulimit", nil, "set a `limit` (nofile=1024)")
	f.StringSliceVar(&s.CapAdd, "cap-add", nil, "add a `capability`")
	f.StringSliceVar(&s.CapDrop, "cap-drop", nil, "drop a `capability`")
	f.BoolVar(&s.Privileged, "privileged", false, "give it all there is")
	f.BoolVar(&s.ReadOnly, "read-only", false, "mount its root file system read-only")
	f.StringArrayVar(&s.SecurityOpt, "security-opt", nil, "a security `option`")
	f.StringArrayVar(&s.Devices, "device", nil, "give it a `device` of the host")
	f.StringVar(&s.PIDMode, "pid", "", "share a PID `namespace` (host, container:NAME)")
	f.StringVar(&s.Platform, "platform", "", "the image's `platform` (linux/arm64)")
	f.StringVar(&r.pull, "pull", "missing", "pull the image: `always`, missing or never")
}

// options gives the container to make, or says what is wrong with its flags.
func (r *runFlags) options(getenv func(string) string) (engine.Spec, error) {
	s := r.spec
	if r.flags.Changed("entrypoint") {
		s.Entrypoint = &r.entrypoint
	}
	if r.flags.Changed("init") {
		s.Init = &r.init
	}
	if r.flags.Changed("pids-limit") {
		s.PidsLimit = &r.pidsLimit
	}
	if r.flags.Changed("stop-timeout") {
		s.StopTimeout = &r.stopAfter
	}
	switch r.pull {
	case "always", "missing", "never":
	default:
		return s, usagef("--pull %q: want always, missing or never", r.pull)
	}
	var err error
	if s.Env, err = environment(s.Env, r.envFiles, getenv); err != nil {
		return s, err
	}
	if s.SecurityOpt, err = securityOpts(s.SecurityOpt); err != nil {
		return s, err
	}
	if err := s.Check(); err != nil {
		return s, usagef("%s", strings.ReplaceAll(err.Error(), "\n", "; "))
	}
	return s, nil
}

// environment puts files and flags together as docker run does: a name alone
// takes our own value, or is left out where there is none; flags win.
func environment(flags, files []string, getenv func(string) string) ([]string, error) {
	var out []string
	add := func(entry string) {
		switch value := ""; {
		case strings.Contains(entry, "="):
			out = append(out, entry)
		default:
			if value = getenv(entry); value != "" {
				out = append(out, entry+"="+value)
			}
		}
	}
	for _, name := range files {
		b, err := os.ReadFile(name)
		if err != nil {
			return nil, usagef("--env-file: %v", err)
		}
		for text := range strings.Lines(string(b)) { // of any length
			line := strings.TrimLeft(strings.TrimSuffix(strings.TrimSuffix(text, "\n"), "\r"), " \t")
			if line != "" && !strings.HasPrefix(line, "#") {
				add(line)
			}
		}
	}
	for _, entry := range flags {
		if name, _, _ := strings.Cut(entry, "="); name == "" {
			return nil, usagef("--env %q: want NAME=value or NAME", entry)
		}
		add(entry)
	}
	return out, nil
}

// securityOpts reads a seccomp profile: the engine takes its text, not its name.
func securityOpts(list []string) ([]string, error) {
	out := make([]string, 0, len(list))
	for _, o := range list {
		name, ok := strings.CutPrefix(o, "seccomp=")
		if !ok || name == "unconfined" || name == "builtin" {
			out = append(out, o)
			continue
		}
		b, err := os.ReadFile(name)
		if err != nil {
			return nil, usagef("--security-opt %s: %v", o, err)
		}
		var small bytes.Buffer
		if err := json.Compact(&small, b); err != nil {
			return nil, usagef("--security-opt %s: the profile is not JSON: %v", o, err)
		}
		out = append(out, "seccomp="+small.String())
	}
	return out, nil
}

// readyFlags say when a container is ready.
type readyFlags struct {
	log, cmd               string
	port                   int
	after, settle, timeout time.Duration
}

func (r *readyFlags) addTo(f *pflag.FlagSet) {
	f.StringVar(&r.log, "ready-log", "", "it is ready when a line of its log matches this `regexp`")
	f.IntVar(&r.port, "ready-port", 0, "... when it listens on this TCP `port`, network or not")
	f.StringVar(&r.cmd, "ready-cmd", "", "... when this `command` in the container succeeds")
	f.DurationVar(&r.after, "ready-after", 0, "... after so much `time` (10s)")
	f.DurationVar(&r.settle, "settle", time.Second, "... when nothing has changed in it for this `time`, without the above and a healthcheck")
	f.DurationVar(&r.timeout, "ready-timeout", time.Minute, "how much `time` it has to become ready")
}

func (r *readyFlags) options() (smoke.Ready, error) {
	out := smoke.Ready{Port: r.port, Cmd: r.cmd, After: r.after, Settle: r.settle, Timeout: r.timeout}
	if r.log != "" {
		re, err := regexp.Compile(r.log)
		if err != nil {
			return out, usagef("--ready-log: %v", err)
		}
		out.Log = re
	}
	if r.port < 0 || r.port > 65535 {
		return out, usagef("--ready-port %d: want a number from 1 to 65535", r.port)
	}
	for name, d := range map[string]time.Duration{"--ready-after": r.after, "--settle": r.settle, "--ready-timeout": r.timeout} {
		if d < 0 {
			return out, &failure{exitUsage, fmt.Errorf("%s %s: want a time above 0", name, d)}
		}
	}
	return out, nil
}
