package render

import (
	"fmt"
	"strings"

	"github.com/whystuck/whystuck/pkg/diagnose"
)

// stopRunning is the finding that says that the history belongs to a stop that
// is under way; without it the history is past.
const stopRunning = "WS120"

// history comes before everything else when a stop is running now: whoever asks
// then wants to know what it is waiting for. Ages count from the observation.
func (p *page) history(r diagnose.Report, c diagnose.Container) {
	if !has(c.Findings, stopRunning) {
		return
	}
	var parts []string
	for _, e := range c.History {
		switch {
		case e.Action == "die" || e.Action == "start" || e.Action == "restart":
			parts = nil // of an earlier run
		case e.Action == "kill" && e.Signal != "":
			age := max(r.ObservedAt.Sub(e.At).Seconds(), 0)
			parts = append(parts, fmt.Sprintf("%s sent %.0f s ago", e.Signal, age))
		}
	}
	if len(parts) == 0 {
		return
	}
	if n := len(parts); n > 4 && !p.o.NoTrunc {
		parts = append([]string{"…"}, parts[n-4:]...)
	}
	p.prose(0, strings.Join(parts, ", ")+", waiting for the exit event.")
}

func has(list []diagnose.Finding, code string) bool {
	for _, f := range list {
		if f.Code == code {
			return true
		}
	}
	return false
}

// timeline is what docker stop will do second by second, and kill and rm in a
// line.
func (p *page) timeline(c diagnose.Container) {
	if c.Stop != nil && len(c.Stop.Steps) > 0 {
		p.line()
		p.line("  ", p.fit(stopCommand(c), p.width-2))
		p.steps(c.Stop.Steps)
		if f := c.Stop.Freed; f != nil {
			p.prose(2, "let go after that: "+f.Says)
		} else if then := thenWords(c.Stop.Then); then != "" {
			p.line("  then: ", then)
		}
	}
	p.others(c)
}

// stopCommand is the command whose steps follow.
func stopCommand(c diagnose.Container) string {
	if !byEngine(c) {
		return fmt.Sprintf("%s, %s, SIGKILL", c.Stop.Signal, forTimeout(c.Stop.TimeoutSeconds))
	}
	flags := ""
	if c.Stop.SignalSource == "flag" {
		flags += " -s " + c.Stop.Signal
	}
	if c.Stop.TimeoutSource == "flag" {
		flags += fmt.Sprintf(" -t %d", c.Stop.TimeoutSeconds)
	}
	return "docker stop" + flags + " " + name(c)
}

func forTimeout(s int) string {
	if s < 0 {
		return "no timeout"
	}
	return fmt.Sprintf("%d s", s)
}

func thenWords(then string) string {
	switch then {
	case "restarted":
		return "the restart policy starts it again"
	case "removed":
		return "it is removed (--rm)"
	}
	return ""
}

// The timeline's columns: seconds end at atWidth, actions begin 3 later.
const (
	atWidth     = 8
	actionAt    = atWidth + 3
	minAction   = 18
	actionSpace = 3
)

func (p *page) steps(steps []diagnose.Step) {
	column, limit := minAction, max(p.width/2-actionAt, minAction)
	for _, s := range steps {
		column = max(column, min(textWidth(s.Action), limit))
	}
	for _, s := range steps {
		at := padLeft(seconds(s.AtSeconds), atWidth) + spaces(actionAt-atWidth)
		indent := actionAt + column + actionSpace
		if textWidth(s.Action) > column {
			p.hang(at, actionAt, s.Action)
			p.hang(spaces(indent), indent, s.Effect)
			continue
		}
		p.hang(at+pad(s.Action, column)+spaces(actionSpace), indent, s.Effect)
	}
}

func (p *page) others(c diagnose.Container) {
	var parts []string
	kill := "docker kill: "
	if !byEngine(c) {
		kill = "SIGKILL: "
	}
	if c.Kill != nil {
		parts = append(parts, kill+endWords(c.Kill, "dies"))
	}
	if c.Rm != nil {
		parts = append(parts, "docker rm -f: "+endWords(c.Rm, "removed"))
	}
	if len(parts) == 0 {
		return
	}
	if c.Stop == nil || len(c.Stop.Steps) == 0 {
		p.line()
	}
	p.prose(2, strings.Join(parts, " · "))
}

// signal is the answer to --kill.
func (p *page) signal(c diagnose.Container) {
	if c.Signal == nil {
		return
	}
	p.line()
	p.prose(2, signalWords(c))
	if to := receivers(c); to != "" {
		p.prose(2, "received by "+to)
	}
}

// signalWords is one line: "docker kill -s HUP web: handled, likely: reloads".
func signalWords(c diagnose.Container) string {
	s := c.Signal
	command := fmt.Sprintf("docker kill -s %s %s", strings.TrimPrefix(s.Signal, "SIG"), name(c))
	if !byEngine(c) {
		command = fmt.Sprintf("%s to PID %d", s.Signal, c.PID)
	}
	text := command + ": " + s.Outcome
	if s.Confidence != "" && s.Outcome != "unknown" {
		text += ", " + string(s.Confidence)
	}
	if effect := strings.TrimPrefix(s.Effect, s.Outcome+": "); effect != "" && effect != s.Outcome {
		text += ": " + effect
	}
	return text
}

// receivers names the processes that take the signal.
func receivers(c diagnose.Container) string {
	var names []string
	for _, pid := range c.Signal.ReceivedBy {
		label := fmt.Sprintf("host PID %d", pid)
		for i := range c.Processes {
			if c.Processes[i].PID == pid {
				label = fmt.Sprintf("%d %s", shownPID(&c.Processes[i]), c.Processes[i].Comm)
			}
		}
		names = append(names, label)
	}
	if len(names) > 5 {
		names = append(names[:5], fmt.Sprintf("%d more", len(names)-5))
	}
	return strings.Join(names, ", ")
}
