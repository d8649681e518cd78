package look

import (
	"context"
	"regexp"
	"strings"

	"github.com/whystuck/whystuck/pkg/evidence"
)

// seeLogs looks at where the logs of running containers go, if that is to somebody
// who may not read: an exit is not booked before the log driver lets go. A log that
// dockerd writes into a file costs nothing here, unless a thread of it hangs there.
func (l *looker) seeLogs(ctx context.Context) {
	if l.engine == nil || l.snap.Host.Engine == nil {
		return
	}
	var remote []*evidence.Target
	for i := range l.snap.Targets {
		t := &l.snap.Targets[i]
		if c := t.Container; t.Kind != evidence.KindContainer || c == nil || c.Status != "running" {
			continue
		}
		if t.Log = hangsOnLog(l.snap.Host.Engine.Parts, t.Container.ID); t.Log == nil && sendsLog(t.Container) {
			remote = append(remote, t)
		}
	}
	l.prober.LogPaths(ctx, l.enginePID, remote)
}

// sendsLog reports whether a container's log driver may have a receiver.
func sendsLog(c *evidence.Container) bool {
	return c.LogAddress != "" || c.LogDriver == "fluentd" || c.LogDriver == "syslog"
}

// hangsOnLog finds a thread of dockerd that hangs in a call on a file of a container's
// directory, where its log is written, if it is, and its exit is booked; else one that
// hangs beside that, in another container's. nil: there is none.
func hangsOnLog(parts []evidence.Part, id string) *evidence.LogPath {
	var beside *evidence.LogPath
	for _, p := range parts {
		if p.Role != evidence.RoleDaemon || p.Process == nil || id == "" {
			continue
		}
		for _, t := range p.Process.Tasks {
			if t.State != "D" || t.About == nil {
				continue
			}
			if strings.Contains(t.About.Path, "/containers/"+id+"/") {
				return &evidence.LogPath{DaemonTID: t.TID}
			}
			if inContainers.MatchString(t.About.Path) {
				beside = &evidence.LogPath{DaemonTID: t.TID, Beside: true}
			}
		}
	}
	return beside
}

// inContainers tells a path below dockerd's directory of containers.
var inContainers = regexp.MustCompile(`/containers/[0-9a-f]{64}/`)
