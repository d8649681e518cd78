package probe

import (
	"runtime"

	"github.com/whystuck/whystuck/pkg/evidence"
)

// tracer fills who holds a traced process and what it is doing: a tracer that is
// stopped, or sits in something else than a wait, lets nothing go.
func (r *reader) tracer(p *evidence.Process) {
	if p.TracerPID <= 0 {
		return
	}
	p.TracerComm = r.comm(p.TracerPID)
	if st, err := r.readStat(p.TracerPID); err == nil {
		p.TracerState = st.State
	}
	// A tracer is often a debugger of the host, whose calls are nobody's gap.
	data, err := r.read(r.p.pidPath(p.TracerPID, "syscall"), firstRead)
	if err != nil {
		return
	}
	if s, err := parseSyscall(data, runtime.GOARCH); err == nil {
		p.TracerCall = s.Name
	}
}
