package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"github.com/whystuck/whystuck/pkg/diagnose"
	"github.com/whystuck/whystuck/pkg/engine"
	"github.com/whystuck/whystuck/pkg/evidence"
	"github.com/whystuck/whystuck/pkg/smoke"
)

// staticFlags are those of `whystuck image` that read and do not run.
type staticFlags struct {
	only       bool
	dockerfile string
	many       bool // the arguments are Dockerfiles
	target     string
	files      []*smoke.Dockerfile // read by check
	images     int
}

func (s *staticFlags) addTo(f *pflag.FlagSet) {
	f.BoolVar(&s.only, "static", false, "read the image and do not run it")
	f.StringVar(&s.dockerfile, "dockerfile", "", "the `file` that the image is built from: findings then name its lines")
	f.BoolVar(&s.many, "dockerfiles", false, "with --static: the arguments are Dockerfiles, not images")
	f.StringVar(&s.target, "target", "", "the `stage` of the Dockerfile (default: the last)")
}

// alone: there are only Dockerfiles to judge, and no engine is asked.
func (s *staticFlags) alone() bool { return s.only && s.images == 0 && len(s.files) > 0 }

// check reads the Dockerfiles, and gives the images that are left.
func (s *staticFlags) check(args []string) (images []string, err error) {
	names := []string{s.dockerfile}
	switch {
	case s.many && (!s.only || s.dockerfile != "" || len(args) == 0):
		return nil, usagef("--dockerfiles: want --static and the names of Dockerfiles")
	case s.many:
		names, args = args, nil
	case s.target != "" && s.dockerfile == "":
		return nil, usagef("--target names a stage of the Dockerfile: it needs --dockerfile")
	case s.dockerfile == "":
		names = nil
	case len(args) > 1:
		return nil, usagef("--dockerfile is that of one image: %d are named", len(args))
	case len(args) == 0 && !s.only:
		return nil, usagef("--dockerfile without an image reads the file alone: add --static, or name the image that was built of it")
	}
	for _, name := range names {
		file, err := smoke.ReadDockerfile(name, s.target)
		if err != nil {
			return nil, &failure{exitUsage, err}
		}
		s.files = append(s.files, file)
	}
	s.images = len(args)
	return args, nil
}

// lines is where the image's settings are written, nil when not known.
func (s *staticFlags) lines() *evidence.Dockerfile {
	if len(s.files) != 1 {
		return nil
	}
	return s.files[0].Lines()
}

// imageRun are the options of a container that change who is PID 1.
func imageRun(s *engine.Spec) evidence.ImageRun {
	r := evidence.ImageRun{StopSignal: s.StopSignal, StopTimeout: s.StopTimeout, TTY: s.Tty, Cmd: s.Command}
	if s.Entrypoint != nil {
		r.Entrypoint = []string{*s.Entrypoint}
	}
	r.Init = s.Init != nil && *s.Init
	r.WorkingDir = s.Workdir
	for _, e := range s.Env {
		if path, ok := strings.CutPrefix(e, "PATH="); ok {
			r.Path = &path
		}
	}
	for _, v := range s.Volumes { // SOURCE:TARGET[:ro], or TARGET
		parts := strings.Split(v, ":")
		r.Mounts = append(r.Mounts, parts[min(1, len(parts)-1)])
	}
	for _, v := range s.Tmpfs {
		at, _, _ := strings.Cut(v, ":")
		r.Mounts = append(r.Mounts, at)
	}
	return r
}

// readAll is --static: images are read one after the other, since that is quick,
// or the Dockerfile is, without any engine.
func (t *trying) readAll(ctx context.Context, e *engine.Engine, images []string) (int, error) {
	r := t.emptyReport()
	run := imageRun(&t.options.Spec)
	if e == nil {
		for _, file := range t.static.files {
			r.Containers = append(r.Containers, file.Judge(run))
		}
	}
	for _, image := range images {
		c, err := smoke.Static(ctx, e, image, run, t.static.lines())
		var down *engine.Error
		switch {
		case errors.As(err, &down):
			return 0, err
		case errors.Is(err, engine.ErrNoSuchImage):
			r.Errors = append(r.Errors, diagnose.TargetError{Target: image, Message: fmt.Sprintf("no such image here: %s (--static does not pull)", image), ExitCode: exitUsage})
		case err != nil:
			r.Errors = append(r.Errors, diagnose.TargetError{Target: image, Message: image + ": " + err.Error(), ExitCode: exitUnknown})
		default:
			r.Containers = append(r.Containers, c)
		}
	}
	if e != nil {
		r.Host.Engine, r.Host.Sources = e.Describe().Version, e.Sources()
	}
	t.policy.mark(&r)
	return t.codeOf(r), t.answer(r, &t.format)
}

// explain adds what the image itself tells to the result of one that did not do
// well. One that did is not read: what was seen is stronger than what was read.
func (t *trying) explain(ctx context.Context, s *smoke.Smoker, image string, r *smoke.Result) {
	if r.Err != nil || ctx.Err() != nil || t.codeOfOne(r.Container) == exitClean {
		return
	}
	c, err := smoke.Static(ctx, s.Engine, image, imageRun(&t.options.Spec), t.static.lines())
	if err != nil {
		// The result stands without it, but what stays behind is to be known.
		t.complain(image + ": reading the image: " + err.Error())
		return
	}
	for _, f := range c.Findings {
		if f.Severity != diagnose.SeverityInfo && !refuted(f, &r.Container) {
			r.Container.Findings = append(r.Container.Findings, f)
		}
	}
}

// refuted reports whether what was seen speaks against a finding: what was still
// there when it was stopped can be executed. One that ended at once may not: runc
// tells of a bad format only after the start.
func refuted(f diagnose.Finding, seen *diagnose.Container) bool {
	return f.Code == "WS516" && !slices.ContainsFunc(seen.Findings, func(f diagnose.Finding) bool {
		return f.Code == string(diagnose.CannotStart) || f.Code == string(diagnose.DiedEarly)
	})
}
