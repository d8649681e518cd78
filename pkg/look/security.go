package look

import (
	"context"
	"slices"

	"github.com/whystuck/whystuck/pkg/kernel"
)

// readSecurity reads what may deny signals on this host, where that is in
// question for some target: the kernel's log is long.
func (l *looker) readSecurity(ctx context.Context) {
	if !l.wantSecurity.Load() {
		return
	}
	s, gaps := l.prober.HostSecurity(ctx, true)
	if slices.Contains(s.LSMs, "bpf") && !l.procAlone() {
		s.BPF = kernel.LSMPrograms()
	}
	l.snap.Host.Security = s
	for i := range l.snap.Targets {
		if t := &l.snap.Targets[i]; t.Receiver != nil {
			t.Gaps = append(t.Gaps, gaps...)
		}
	}
}
