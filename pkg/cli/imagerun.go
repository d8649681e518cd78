package cli

import (
	"context"
	"runtime"

	"github.com/whystuck/whystuck/pkg/beside"
	"github.com/whystuck/whystuck/pkg/smoke"
)

// tryAll runs the images side by side and prints the report.
func (t *trying) tryAll(ctx context.Context, s *smoke.Smoker, images []string) (int, error) {
	p := t.newProgress(len(images))
	s.Progress = p.doing
	results := make([]smoke.Result, len(images))
	g := beside.NewGroup(t.width(images))
	for i, image := range images {
		g.Go(func() {
			results[i] = s.Check(ctx, image)
			t.explain(ctx, s, image, &results[i])
			p.done(image)
		})
	}
	g.Wait()
	p.end()
	report := t.report(s, results)
	t.policy.mark(&report)
	code := t.codeOf(report)
	return code, t.answer(report, &t.format)
}

// width is how many run at once. A port or a device of the host can be had once.
func (t *trying) width(images []string) int {
	s := &t.options.Spec
	if len(s.Publish) > 0 || s.Network == "host" || len(s.Devices) > 0 {
		return 1
	}
	if t.atOnce > 0 {
		return t.atOnce
	}
	return min(len(images), 2*runtime.GOMAXPROCS(0), 4)
}
