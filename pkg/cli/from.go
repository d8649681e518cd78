package cli

import (
	"io"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/whystuck/whystuck/pkg/catalog"
	"github.com/whystuck/whystuck/pkg/evidence"
)

// judgeCapture is `whystuck --from FILE [CONTAINER...]`.
func (r *asking) judgeCapture(*cobra.Command) error {
	s, err := r.readCapture(&r.question)
	if err != nil {
		return err
	}
	report := r.judged(s)
	return exitWithAnswer(r.failOn.codeOfReport(report), r.answer(report, &r.format))
}

// readCapture reads the capture that --from names, cut down to the names given.
func (a *app) readCapture(q *question) (*evidence.Snapshot, error) {
	in := a.In
	if q.from != "-" {
		file, err := os.Open(q.from)
		if err != nil {
			return nil, usagef("reading the capture: %w", err)
		}
		defer file.Close()
		in = io.Reader(file)
	}
	s, err := evidence.Read(in)
	if err != nil {
		return nil, usagef("--from %s: %w", q.from, err)
	}
	selectTargets(s, q.query.Names)
	if !s.Redacted {
		// A capture of an older version gets what the catalog has learnt since;
		// a redacted one has lost what the catalog would look at.
		catalog.Annotate(s)
	}
	a.seen = s
	return s, nil
}

// selectTargets keeps the named targets of a capture; without names, all.
func selectTargets(s *evidence.Snapshot, names []string) {
	if len(names) == 0 {
		return
	}
	all := s.Targets
	s.Targets, s.Errors = []evidence.Target{}, nil
	for _, name := range names {
		i := slices.IndexFunc(all, func(t evidence.Target) bool { return isNamed(&t, name) })
		if i < 0 {
			s.Errors = append(s.Errors, evidence.TargetError{Target: name, Message: "no such container in the capture: " + name, ExitCode: exitUsage})
			continue
		}
		s.Targets = append(s.Targets, all[i])
	}
}

func isNamed(t *evidence.Target, name string) bool {
	if t.Asked == name {
		return true
	}
	c := t.Container
	return c != nil && (c.Name == strings.TrimPrefix(name, "/") || len(name) >= 4 && strings.HasPrefix(c.ID, name))
}
