package watch

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/whystuck/whystuck/pkg/diagnose"
	"github.com/whystuck/whystuck/pkg/render"
)

// Text writes reports for a person: one line each, and below it the screen of
// `whystuck CONTAINER` where there is a diagnosis. A screen that was shown for a
// container before is not shown again while it says the same.
func Text(out io.Writer, o render.Options) func(*Report) error {
	shown := map[string]string{}
	return func(r *Report) error {
		var b bytes.Buffer
		b.WriteString(line(r, o))
		for _, f := range r.HostFindings {
			fmt.Fprintf(&b, "    %s  %s\n", render.Escape(f.Code), render.Escape(f.Summary))
		}
		switch {
		case r.Diagnosis != nil:
			screen(&b, r, o, shown)
		case r.DiagnosisNote != "":
			fmt.Fprintf(&b, "    no diagnosis: %s\n", render.Escape(r.DiagnosisNote))
		}
		if r.Kind == KindEnded && r.Container != nil {
			delete(shown, r.Container.ID)
		}
		if _, err := out.Write(b.Bytes()); err != nil {
			return fmt.Errorf("writing a report: %w", err)
		}
		return nil
	}
}

// line is the report in one line: when, who, what.
func line(r *Report, o render.Options) string {
	who := "engine"
	if r.Container != nil {
		who = render.Escape(r.Container.name())
	}
	mark := " "
	if r.Trouble {
		mark = "!"
	}
	text := r.At.Format(time.RFC3339) + " " + mark + " " + who + ": " + render.Escape(r.Headline)
	if r.Reconciled {
		text += " (reconciled)"
	}
	if o.Color && r.Trouble {
		text = "\x1b[31m" + text + "\x1b[0m"
	}
	return text + "\n"
}

// seenAt is when the diagnosis was taken, by the clock that its history has.
func (r *Report) seenAt() time.Time {
	if r.SignalledAt == nil || r.DiagnosedAfter == nil {
		return r.At
	}
	return r.SignalledAt.Add(time.Duration(*r.DiagnosedAfter * float64(time.Second)))
}

// screen writes the diagnosis, indented.
func screen(b *bytes.Buffer, r *Report, o render.Options, shown map[string]string) {
	if o.Width > 8 {
		o.Width -= 4
	}
	var text strings.Builder
	_ = render.Text(&text, diagnose.Report{ObservedAt: r.seenAt(), Containers: []diagnose.Container{*r.Diagnosis}}, o) // a strings.Builder takes everything
	if len(shown) > 1000 {
		clear(shown)
	}
	if shown[r.Container.ID] == text.String() {
		return
	}
	shown[r.Container.ID] = text.String()
	if r.DiagnosedAfter != nil {
		fmt.Fprintf(b, "    seen %s after the signal:\n", span(r.DiagnosedAfter))
	}
	for l := range strings.Lines(text.String()) {
		if strings.TrimSpace(l) == "" {
			b.WriteString("\n")
			continue
		}
		b.WriteString("    " + l)
	}
}
