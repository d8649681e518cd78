package engine

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/whystuck/whystuck/pkg/evidence"
)

// document is what we read of `GET /containers/ID/json`, of config.v2.json and of
// hostconfig.json. All three have the same field names but for the case of "Id",
// which encoding/json does not mind.
type document struct {
	ID              string
	Name            string
	State           optional[stateDoc]
	RestartCount    int
	AppArmorProfile string
	ExecIDs         []string
	Config          optional[configDoc]
	HostConfig      optional[hostConfigDoc]
}

type stateDoc struct {
	Status            string // of the API; the files have the flags alone
	Running           bool
	Paused            bool
	Restarting        bool
	RemovalInProgress bool
	Dead              bool
	OOMKilled         bool
	Pid               int
	ExitCode          int
	Error             string
	StartedAt         string
	FinishedAt        string
	Health            *struct{ Status string }
}

type configDoc struct {
	Image       string
	User        string
	Tty         bool
	OpenStdin   bool
	StopSignal  string
	StopTimeout optional[int]
	Env         []string
	Entrypoint  words
	Cmd         words
	Labels      map[string]string
}

type hostConfigDoc struct {
	Init          optional[bool]
	PidMode       string
	RestartPolicy struct {
		Name              string
		MaximumRetryCount int
	}
	AutoRemove bool
	Runtime    string
	LogConfig  struct {
		Type   string
		Config map[string]string
	}
	Privileged  bool
	CapAdd      []string
	CapDrop     []string
	SecurityOpt []string
}

// optional is a value that may be absent, null, or of another type than expected,
// which all leave it nil. A plain pointer would point to zero in the last case:
// a stop timeout of 0 that nobody has set.
type optional[T any] struct{ value *T }

// UnmarshalJSON implements json.Unmarshaler.
func (o *optional[T]) UnmarshalJSON(b []byte) error {
	var v T
	if string(b) != "null" && decode(b, &v) == nil {
		o.value = &v
	}
	return nil
}

// words is a list of arguments; Podman before 5 and very old engines give a
// single string.
type words []string

// UnmarshalJSON implements json.Unmarshaler. Other forms are left out.
func (w *words) UnmarshalJSON(b []byte) error {
	var list []string
	if json.Unmarshal(b, &list) == nil {
		*w = list
		return nil
	}
	var one string
	if json.Unmarshal(b, &one) == nil && one != "" {
		*w = words{one}
	}
	return nil
}

// decode reads JSON into v. A field of an unexpected type is left out and not an
// error: engines differ, and one odd field must not hide the others.
func decode(b []byte, v any) error {
	err := json.Unmarshal(b, v)
	var kind *json.UnmarshalTypeError
	if err == nil || errors.As(err, &kind) && kind.Field != "" {
		return nil
	}
	return fmt.Errorf("decoding what the engine says of a container: %w", err)
}

// Bounds of what a container may make us keep. The kernel's own limit for one
// argument is 128 KiB.
const (
	maxWords = 256
	maxText  = 4096
)

// container gives the evidence in d; what d does not have stays as it is not said.
func (d *document) container() *evidence.Container {
	c := &evidence.Container{
		ID: d.ID, Name: primaryName([]string{d.Name}), RestartCount: d.RestartCount,
		AppArmor: clip(d.AppArmorProfile, maxText), ExecIDs: clipAll(d.ExecIDs),
	}
	if d.State.value != nil {
		d.State.value.fill(c)
	}
	if d.Config.value != nil {
		d.Config.value.fill(c)
	}
	if d.HostConfig.value != nil {
		d.HostConfig.value.fill(c)
	}
	return c
}

func (s *stateDoc) fill(c *evidence.Container) {
	c.Status, c.OOMKilled, c.Error = s.status(), s.OOMKilled, clip(s.Error, maxText)
	c.StartedAt, c.FinishedAt = moment(s.StartedAt), moment(s.FinishedAt)
	if s.Pid > 0 {
		c.PID = s.Pid
	}
	// While it runs the field is 0 and means nothing. A container that never
	// started has one when the start failed (126, 127, 128).
	ended := !s.Running && (c.FinishedAt != nil || s.ExitCode != 0)
	if ended {
		code := s.ExitCode
		c.ExitCode = &code
	}
	if s.Health != nil && s.Health.Status != "none" {
		c.Health = clip(s.Health.Status, 64)
	}
}

// status has the order of moby's State.StateString.
func (s *stateDoc) status() string {
	switch {
	case s.Status != "":
		return clip(s.Status, 64)
	case s.Running && s.Paused:
		return "paused"
	case s.Running && s.Restarting:
		return "restarting"
	case s.Running:
		return "running"
	case s.RemovalInProgress:
		return "removing"
	case s.Dead:
		return "dead"
	case moment(s.StartedAt) == nil:
		return "created"
	}
	return "exited"
}

func (f *configDoc) fill(c *evidence.Container) {
	c.Image, c.User = clip(f.Image, maxText), clip(f.User, 256)
	c.Tty, c.OpenStdin = f.Tty, f.OpenStdin
	c.StopSignal, c.StopTimeout = clip(f.StopSignal, 64), f.StopTimeout.value
	c.Entrypoint, c.Cmd = clipAll(f.Entrypoint), clipAll(f.Cmd)
	c.Project, c.Service = clip(f.Labels[labelProject], maxText), clip(f.Labels[labelService], maxText)
	keepEnv(c, f.Env)
}

// keepEnv takes the few variables that rules use.
func keepEnv(c *evidence.Container, env []string) {
	for _, pair := range env {
		name, value, _ := strings.Cut(pair, "=")
		if !slices.Contains(evidence.KeptEnv, name) {
			continue
		}
		if c.Env == nil {
			c.Env = map[string]string{}
		}
		c.Env[name] = clip(value, 256)
	}
}

func (h *hostConfigDoc) fill(c *evidence.Container) {
	c.Init, c.PidMode, c.Runtime = h.Init.value, clip(h.PidMode, 256), clip(h.Runtime, 256)
	c.RestartPolicy, c.RestartMax = clip(h.RestartPolicy.Name, 64), h.RestartPolicy.MaximumRetryCount
	c.AutoRemove, c.Privileged, c.LogDriver = h.AutoRemove, h.Privileged, clip(h.LogConfig.Type, 256)
	for option, value := range h.LogConfig.Config {
		switch option {
		case "mode":
			c.LogMode = clip(value, 64)
		case "syslog-address", "fluentd-address", "gelf-address", "splunk-url":
			c.LogAddress = clip(value, 256)
		}
	}
	c.CapAdd, c.CapDrop, c.SecurityOpt = clipAll(h.CapAdd), clipAll(h.CapDrop), clipAll(h.SecurityOpt)
}

// moment reads a time; nil for the year 1 that Docker writes for "never".
func moment(text string) *time.Time {
	t, err := time.Parse(time.RFC3339Nano, text)
	if err != nil || t.Year() <= 1 {
		return nil
	}
	t = t.UTC()
	return &t
}

// clip cuts text to n bytes, not within a character.
func clip(text string, n int) string {
	if len(text) <= n {
		return text
	}
	for n > 0 && !utf8.RuneStart(text[n]) {
		n--
	}
	return text[:n]
}

func clipAll(list []string) []string {
	if len(list) == 0 {
		return nil
	}
	out := slices.Clone(list[:min(len(list), maxWords)])
	for i := range out {
		out[i] = clip(out[i], maxText)
	}
	return out
}
