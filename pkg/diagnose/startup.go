package diagnose

import "fmt"

// Startup is how the container of an image came up; only `image` fills it.
type Startup struct {
	Ready bool `json:"ready"`
	// By is what it was ready by, or what it was still waited for: healthcheck,
	// log, port N, command, time, settled.
	By           string   `json:"by"`
	AfterSeconds *float64 `json:"after_seconds"` // from the start on
	Log          []string `json:"log"`           // its last lines, where it was not ready; hostile
}

// Run is what one of several runs of an image came to (`--repeat`).
type Run struct {
	Ready        bool       `json:"ready"`
	Verdict      Verdict    `json:"verdict"`
	Confidence   Confidence `json:"confidence"`
	Observed     string     `json:"observed"` // a verdict word, "" when it was not stopped
	ExitCode     *int       `json:"exit_code"`
	AfterSeconds *float64   `json:"after_seconds"`
	Agreed       *bool      `json:"agreed"`
}

// Failing is how an image's container failed to come up.
type Failing string

// The ways to fail, each with a rule of its own.
const (
	DiedEarly   Failing = "WS530"
	NeverReady  Failing = "WS531"
	CannotStart Failing = "WS533"
)

// DiedLater as the detail of DiedEarly: it was ready already, and went.
const DiedLater = "after it was ready"

// StartFailure is a container that did not come up.
type StartFailure struct {
	How          Failing
	Detail       string // what was waited for, or the engine's own words
	ExitCode     *int
	OOMKilled    bool
	AfterSeconds *float64
	Log          []string // the last lines; hostile
}

// AddTo puts the failure into the image's container.
func (s *StartFailure) AddTo(c *Container) {
	f := newFinding(string(s.How), nil)
	f.Summary = s.sentence()
	c.Headline = f.Summary
	if s.ExitCode != nil {
		f.Evidence = append(f.Evidence, Evidence{Source: "docker inspect", Field: "State.ExitCode", Value: fmt.Sprint(*s.ExitCode), Says: s.says()})
	}
	for _, line := range s.Log {
		f.Evidence = append(f.Evidence, Evidence{Source: "docker logs", Value: line})
	}
	f.Fixes = s.fixes()
	c.Findings = append(c.Findings, f)
	if c.Startup == nil {
		c.Startup = &Startup{}
	}
	c.Startup.Ready, c.Startup.Log = false, append([]string{}, s.Log...)
}

func (s *StartFailure) sentence() string {
	switch s.How {
	case CannotStart:
		return "it could not be started: " + bounded(s.Detail, 300)
	case NeverReady:
		return "it did not become ready: " + bounded(s.Detail, 300)
	}
	text := "it ended before it was ready"
	if s.Detail == DiedLater {
		text = "it ended by itself, before it was stopped"
	}
	if s.ExitCode != nil {
		text += fmt.Sprintf(", with code %d", *s.ExitCode)
	}
	if s.OOMKilled {
		text += " (out of memory)"
	}
	if s.AfterSeconds != nil && *s.AfterSeconds >= 0.05 {
		text += fmt.Sprintf(", %.1f s after its start", *s.AfterSeconds)
	}
	return text
}

// says is what an exit code is known to mean.
func (s *StartFailure) says() string {
	switch code := *s.ExitCode; {
	case s.How == CannotStart && (code == 126 || code == 127):
		return "the entrypoint cannot be executed, or is not there"
	case s.OOMKilled:
		return "the kernel killed it: the memory limit"
	case code == 0:
		return "it had nothing more to do"
	case code == 126 || code == 127:
		return "a shell's word for a program that cannot be executed, or is not there"
	case code > 128 && code < 128+65:
		return fmt.Sprintf("it died of signal %d", code-128)
	}
	return "its own exit code"
}

func (s *StartFailure) fixes() []Fix {
	switch s.How {
	case NeverReady:
		return []Fix{{When: FixRun, Text: "say by what it is ready (--ready-log, --ready-port, --ready-cmd, --ready-after), or give it longer: --ready-timeout"}}
	case CannotStart:
		return []Fix{{When: FixRun, Text: "run it by hand with the same options: the engine says the same"}}
	}
	if s.ExitCode != nil && *s.ExitCode == 0 {
		return []Fix{{When: FixRun, Text: "give it the command that stays: whystuck image IMAGE -- COMMAND ARG..."},
			{When: FixImage, Text: "start the program in the foreground (daemon off; -F; --nodaemon): PID 1 has to stay"}}
	}
	return []Fix{{When: FixRun, Text: "give it what it needs to start: --env, --volume, --network, a command; the end of its log says what it missed"}}
}

// AddRuns notes what each of several runs came to, and says so where they were not
// the same.
func AddRuns(c *Container, all []Container) {
	c.Runs = []Run{}
	differ := false
	for i := range all {
		r := runOf(&all[i])
		c.Runs = append(c.Runs, r)
		differ = differ || r.Words() != c.Runs[0].Words()
	}
	if !differ {
		return
	}
	f := newFinding("WS535", nil)
	f.Summary = fmt.Sprintf("%d runs came to different ends; the worst is shown", len(all))
	for i := range c.Runs {
		r := &c.Runs[i]
		f.Evidence = append(f.Evidence, Evidence{Source: fmt.Sprintf("run %d", i+1), Field: r.Words(), Value: ending(r.ExitCode, r.AfterSeconds)})
	}
	c.Findings = append(c.Findings, f)
}

func runOf(c *Container) Run {
	r := Run{Ready: c.Startup != nil && c.Startup.Ready, Verdict: c.Verdict, Confidence: c.Confidence, ExitCode: c.ExitCode, Agreed: c.Agreed}
	if o := c.Observed; o != nil {
		r.Observed, r.ExitCode, r.AfterSeconds = o.Outcome, o.ExitCode, o.AfterSeconds
	}
	return r
}

// Words say what a run came to: what was seen, else what was foretold.
func (r *Run) Words() string {
	switch {
	case r.Observed != "":
		return r.Observed
	case r.Ready:
		return string(r.Verdict)
	}
	return "not ready"
}
