package cli

import (
	"context"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/whystuck/whystuck/pkg/diagnose"
	"github.com/whystuck/whystuck/pkg/render"
)

// runWatch looks again and again and prints a report when it says something
// new. SIGINT or SIGTERM ends it, with the exit code of the latest look.
func (r *asking) runWatch(ctx context.Context) error {
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	ticker := time.NewTicker(time.Duration(r.watch * float64(time.Second)))
	defer ticker.Stop()
	code, last := exitClean, ""
	for {
		report := diagnose.Judge(r.look(ctx, &r.question), r.judge)
		if ctx.Err() != nil {
			return exitWith(code) // cut short: what was seen says nothing
		}
		code = r.failOn.codeOfReport(report)
		if now := changeKey(report); now != last {
			if err := r.answer(report, &r.format); err != nil {
				return err
			}
			last = now
		}
		select {
		case <-ctx.Done():
			return exitWith(code)
		case <-ticker.C:
		}
	}
}

// changeKey is equal for reports between which only time has passed.
func changeKey(r diagnose.Report) string {
	var b strings.Builder
	r.ObservedAt = time.Time{}
	for _, e := range r.Errors {
		b.WriteString(e.Message + "\n")
	}
	_ = render.Text(&b, r, render.Options{NoTrunc: true}) // a strings.Builder takes everything
	return withoutAges(b.String())
}

// withoutAges takes the numbers out of "SIGTERM sent 42 s ago".
func withoutAges(text string) string {
	parts := strings.Split(text, " s ago")
	for i := range parts[:len(parts)-1] {
		parts[i] = strings.TrimRight(parts[i], "0123456789.")
	}
	return strings.Join(parts, " s ago")
}
