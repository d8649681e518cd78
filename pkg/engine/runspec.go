package engine

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/strslice"
	"github.com/docker/go-connections/nat"
	"github.com/docker/go-units"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// Spec is a container to be made, in the words of docker run. What is "" or nil
// is left to the image and the engine, as there.
type Spec struct {
	Image   string
	Command []string
	// Entrypoint replaces the image's; a pointer to "" removes it.
	Entrypoint *string
	Labels     map[string]string
	Hostname   string

	Env     []string // NAME=value
	User    string
	Workdir string

	Volumes  []string // SOURCE:TARGET[:OPTIONS], or TARGET alone
	Tmpfs    []string // TARGET[:OPTIONS]
	ReadOnly bool

	Network string // "": none, or the engine's default where something is published
	Publish []string
	PIDMode string

	Memory      string // 64m
	PidsLimit   *int64
	Ulimits     []string // nofile=1024:2048
	CapAdd      []string
	CapDrop     []string
	Privileged  bool
	Devices     []string // /dev/x[:/dev/y[:rwm]]
	SecurityOpt []string // a seccomp profile as JSON, not as a file

	Init        *bool
	Tty         bool
	Interactive bool
	StopSignal  string
	StopTimeout *int
	Platform    string // os[/arch[/variant]]

	// LogBytes bounds what the engine keeps of the log; 0: as the engine does.
	LogBytes int64
}

// made is a Spec in the form that the engine takes.
type made struct {
	config   *container.Config
	host     *container.HostConfig
	platform *ocispec.Platform
}

// Check says what is wrong with the words of a Spec, before anything is done.
func (s *Spec) Check() error {
	_, err := s.make()
	return err
}

func (s *Spec) make() (*made, error) {
	m := &made{
		config: &container.Config{
			Image: s.Image, Cmd: strslice.StrSlice(s.Command), Labels: s.Labels, Hostname: s.Hostname,
			Env: s.Env, User: s.User, WorkingDir: s.Workdir,
			Tty: s.Tty, OpenStdin: s.Interactive, StopSignal: s.StopSignal, StopTimeout: s.StopTimeout,
		},
		host: &container.HostConfig{
			ReadonlyRootfs: s.ReadOnly, PidMode: container.PidMode(s.PIDMode),
			CapAdd: s.CapAdd, CapDrop: s.CapDrop, Privileged: s.Privileged, Init: s.Init,
			NetworkMode: container.NetworkMode(s.network()),
		},
	}
	if s.Entrypoint != nil {
		// An empty word is docker's sign for "none"; an empty list would mean the image's.
		m.config.Entrypoint = strslice.StrSlice{*s.Entrypoint}
	}
	if s.LogBytes > 0 {
		m.host.LogConfig = container.LogConfig{Type: "json-file", Config: map[string]string{
			"max-size": fmt.Sprint(s.LogBytes)}} // max-file is 1 then
	}
	return m, errors.Join(s.mounts(m), s.ports(m), s.resources(m), s.security(m), s.ofPlatform(m))
}

// network: none unless asked for; to publish a port is to ask for one.
func (s *Spec) network() string {
	switch {
	case s.Network != "":
		return s.Network
	case len(s.Publish) > 0:
		return "default"
	}
	return "none"
}

func (s *Spec) mounts(m *made) error {
	for _, v := range s.Volumes {
		source, rest, ok := strings.Cut(v, ":")
		switch {
		case !ok && v == "":
			return errors.New("--volume needs a path")
		case !ok:
			if m.config.Volumes == nil {
				m.config.Volumes = map[string]struct{}{}
			}
			m.config.Volumes[v] = struct{}{}
			continue
		case source == "." || source == ".." || strings.HasPrefix(source, "./") || strings.HasPrefix(source, "../"):
			abs, err := filepath.Abs(source)
			if err != nil {
				return fmt.Errorf("--volume %q: %w", v, err)
			}
			source = abs
		}
		m.host.Binds = append(m.host.Binds, source+":"+rest)
	}
	for _, t := range s.Tmpfs {
		target, options, _ := strings.Cut(t, ":")
		if m.host.Tmpfs == nil {
			m.host.Tmpfs = map[string]string{}
		}
		m.host.Tmpfs[target] = options
	}
	return nil
}

func (s *Spec) ports(m *made) error {
	exposed, bound, err := nat.ParsePortSpecs(s.Publish)
	if err != nil {
		return fmt.Errorf("--publish: %w", err)
	}
	m.config.ExposedPorts, m.host.PortBindings = exposed, bound
	return nil
}

func (s *Spec) resources(m *made) error {
	r := &m.host.Resources
	r.PidsLimit = s.PidsLimit
	if s.Memory != "" {
		n, err := units.RAMInBytes(s.Memory)
		if err != nil {
			return fmt.Errorf("--memory %q: %w", s.Memory, err)
		}
		r.Memory = n
	}
	for _, u := range s.Ulimits {
		limit, err := units.ParseUlimit(u)
		if err != nil {
			return fmt.Errorf("--ulimit %q: %w", u, err)
		}
		r.Ulimits = append(r.Ulimits, limit)
	}
	for _, d := range s.Devices {
		device, err := parseDevice(d)
		if err != nil {
			return err
		}
		r.Devices = append(r.Devices, device)
	}
	return nil
}

// parseDevice reads /dev/x[:/dev/y][:rwm] as docker/cli does.
func parseDevice(text string) (container.DeviceMapping, error) {
	part := strings.Split(text, ":")
	d := container.DeviceMapping{PathOnHost: part[0], PathInContainer: part[0], CgroupPermissions: "rwm"}
	mode := func(s string) bool { return s != "" && strings.Trim(s, "rwm") == "" }
	switch {
	case part[0] == "" || len(part) > 3 || len(part) == 3 && !mode(part[2]):
		return d, fmt.Errorf("--device %q: want PATH[:PATH][:rwm]", text)
	case len(part) == 3:
		d.PathInContainer, d.CgroupPermissions = part[1], part[2]
	case len(part) == 2 && mode(part[1]):
		d.CgroupPermissions = part[1]
	case len(part) == 2:
		d.PathInContainer = part[1]
	}
	return d, nil
}

// security passes the options on; systempaths=unconfined is the client's own.
func (s *Spec) security(m *made) error {
	for _, o := range s.SecurityOpt {
		if o == "systempaths=unconfined" {
			m.host.MaskedPaths, m.host.ReadonlyPaths = []string{}, []string{}
			continue
		}
		m.host.SecurityOpt = append(m.host.SecurityOpt, o)
	}
	return nil
}

func (s *Spec) ofPlatform(m *made) error {
	if s.Platform == "" {
		return nil
	}
	part := strings.Split(s.Platform, "/")
	if len(part) > 3 || part[0] == "" {
		return fmt.Errorf("--platform %q: want OS/ARCH[/VARIANT], linux/amd64 for example", s.Platform)
	}
	part = append(part, "", "")
	m.platform = &ocispec.Platform{OS: part[0], Architecture: part[1], Variant: part[2]}
	return nil
}
