package cli

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/whystuck/whystuck/pkg/diagnose"
	"github.com/whystuck/whystuck/pkg/policy"
)

// policyName is the policy file that is looked for where we are.
const policyName = ".whystuck.yaml"

// maxPolicy bounds a policy file, in bytes.
const maxPolicy = 1 << 20

// policyFlags say what is demanded beyond the verdict, on the command line and in
// a file. --fail-on is among them, so that the file can set it.
type policyFlags struct {
	path      string
	failWords []string
	maxStop   float64
	exitCodes []int
	ignore    []string

	file  policy.File
	flags policy.Policy
}

func (p *policyFlags) addTo(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringSliceVar(&p.failWords, "fail-on", []string{"abrupt"}, "from which outcome on the exit code is 1: abrupt, killed or stuck; also unknown, assumed")
	f.Float64Var(&p.maxStop, "max-stop-seconds", 0, "fail where the stop takes more `seconds` than this")
	f.IntSliceVar(&p.exitCodes, "allow-exit-codes", nil, "fail where the stop ends with another exit `code` (0,143)")
	f.StringArrayVar(&p.ignore, "ignore", nil, "a finding that does not count, `WSnnn=reason`; several times")
	f.StringVar(&p.path, "policy", "", "the policy `file` (default: "+policyName+" where there is one)")
	completeWords(cmd, "fail-on", "abrupt", "killed", "stuck", "unknown", "assumed")
}

// check reads the flags and the file.
func (p *policyFlags) check(f *pflag.FlagSet) error {
	if f.Changed("fail-on") {
		p.flags.FailOn = p.failWords
	}
	if f.Changed("max-stop-seconds") {
		if p.maxStop < 0 {
			return usagef("--max-stop-seconds %v: want a number of seconds", p.maxStop)
		}
		p.flags.MaxStopSeconds = &p.maxStop
	}
	if f.Changed("allow-exit-codes") {
		p.flags.AllowExitCodes = p.exitCodes
	}
	p.flags.Ignore = map[string]string{}
	for _, word := range p.ignore {
		code, reason, err := policy.ParseIgnore(word)
		if err != nil {
			return usagef("--ignore %s: %w", strconv.Quote(word), err)
		}
		p.flags.Ignore[code] = reason
	}
	if _, err := parseFailOn(p.failWords); err != nil {
		return &failure{exitUsage, err}
	}
	return p.read()
}

// read reads the file. One that was not named may be absent.
func (p *policyFlags) read() error {
	path := p.path
	if path == "" {
		path = policyName
	}
	f, err := os.Open(path)
	switch {
	case errors.Is(err, fs.ErrNotExist) && p.path == "":
		return nil
	case err != nil:
		return usagef("reading the policy: %w", err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxPolicy+1))
	if err == nil && len(text) > maxPolicy {
		err = fmt.Errorf("%s is longer than %d bytes", path, maxPolicy)
	}
	if err != nil {
		return usagef("reading the policy: %w", err)
	}
	file, err := policy.Parse(path, string(text))
	if err != nil {
		return usagef("%s", strings.ReplaceAll(err.Error(), "\n", "; "))
	}
	p.file = *file
	return nil
}

// of is what holds for a target: the file, and over it the flags.
func (p *policyFlags) of(c *diagnose.Container) policy.Policy {
	name := c.Image
	if name == "" {
		name = c.Target
	}
	return p.file.For(name).Over(p.flags)
}

// failOnOf is the threshold that holds for a target.
func (p *policyFlags) failOnOf(c *diagnose.Container) failOn {
	words := p.of(c).FailOn
	if words == nil {
		words = p.failWords
	}
	f, err := parseFailOn(words) // checked before, in the flags and in the file
	if err != nil {
		return failOn{level: levelAbrupt}
	}
	return f
}

// mark writes the policy into a report's findings.
func (p *policyFlags) mark(r *diagnose.Report) {
	for i := range r.Containers {
		c := &r.Containers[i]
		*c = p.of(c).Mark(*c)
	}
}

// code is the exit code that a marked target makes. What is excused passes, but
// not what nothing can end.
func (p *policyFlags) code(c *diagnose.Container) int {
	for _, f := range c.Findings {
		if f.Code == "WS519" && f.Ignored == nil {
			return exitTrouble
		}
	}
	if badness(c) < levelStuck && policy.Excused(c) {
		return exitClean
	}
	return p.failOnOf(c).codeOfContainer(c)
}
