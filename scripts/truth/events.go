package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os/exec"
	"sync"
	"syscall"
	"time"

	"github.com/whystuck/whystuck/scripts/bed"
)

// Event is one entry of the engine's own history of a container.
type Event struct {
	At     time.Time `json:"at"`
	Action string    `json:"action"` // kill, die, stop, ...
	Signal string    `json:"signal,omitempty"`
	Code   string    `json:"exit_code,omitempty"`
}

// eventLog follows the engine's events from before the first container on. The
// events alone prove a timeout: exit code 137 does not, many end with it by
// themselves. They are told apart by id, never by name.
type eventLog struct {
	cmd  *exec.Cmd
	mu   sync.Mutex
	byID map[string][]Event
}

func watchEvents(ctx context.Context, d *bed.Daemon) (*eventLog, error) {
	l := &eventLog{byID: map[string][]Event{}}
	l.cmd = exec.CommandContext(ctx, "docker", "events", "--filter", "type=container", "--since", "0", "--format", "{{json .}}")
	l.cmd.Env = d.Env()
	l.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	out, err := l.cmd.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("following the engine's events: %w", err)
	}
	if err := l.cmd.Start(); err != nil {
		return nil, fmt.Errorf("following the engine's events: %w", err)
	}
	go func() {
		for lines := bufio.NewScanner(out); lines.Scan(); {
			l.add(lines.Bytes())
		}
	}()
	return l, nil
}

func (l *eventLog) add(line []byte) {
	var e struct {
		Action   string
		TimeNano int64 `json:"timeNano"`
		Actor    struct {
			ID         string
			Attributes map[string]string
		}
	}
	if json.Unmarshal(line, &e) != nil || e.Actor.ID == "" {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.byID[e.Actor.ID] = append(l.byID[e.Actor.ID], Event{
		At: time.Unix(0, e.TimeNano).UTC(), Action: e.Action,
		Signal: e.Actor.Attributes["signal"], Code: e.Actor.Attributes["exitCode"],
	})
}

// since gives a container's events from a moment on.
func (l *eventLog) since(id string, from time.Time) []Event {
	l.mu.Lock()
	defer l.mu.Unlock()
	var some []Event
	for _, e := range l.byID[id] {
		if !e.At.Before(from) {
			some = append(some, e)
		}
	}
	return some
}

func (l *eventLog) close() {
	_ = l.cmd.Process.Kill()
	_ = l.cmd.Wait() // killed: always an error
}
