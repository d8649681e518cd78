package smoke

import (
	"context"
	"errors"
	"strings"

	"github.com/whystuck/whystuck/pkg/engine"
)

// Strays are the containers that interrupted runs have left: those that carry our
// label and our name, and whose creator is gone. live counts the others, which a
// run is using, or of which that cannot be told.
func (s *Smoker) Strays(ctx context.Context) (strays []engine.Labelled, live int, err error) {
	all, err := s.Engine.Runner().Labelled(ctx, Label)
	if err != nil {
		return nil, 0, err
	}
	for _, c := range all {
		if !ours(c.Name) {
			continue
		}
		if by, ok := parseCreator(c.Label); ok && by.over(s.Look.Proc, s.Now()) {
			strays = append(strays, c)
		} else {
			live++
		}
	}
	return strays, live, nil
}

// ours reports a name that we give. The label alone proves nothing: a container
// has its image's labels, and docker commit keeps those of a stray.
func ours(name string) bool {
	return strings.HasPrefix(name, namePrefix) || strings.HasPrefix(name, engine.ReadingPrefix)
}

// Clean removes them and gives those that are removed; the error joins those of
// the others.
func (s *Smoker) Clean(ctx context.Context, strays []engine.Labelled) (removed []engine.Labelled, err error) {
	var failed []error
	for _, c := range strays {
		s.say(c.Name, "removing")
		switch err := s.Engine.Runner().Remove(ctx, c.ID); {
		case err == nil:
			removed = append(removed, c)
		case !errors.Is(err, engine.ErrNoSuchContainer):
			failed = append(failed, &LeftError{c.Name, err})
		}
	}
	return removed, errors.Join(failed...)
}

// LeftError says that a container could not be removed.
type LeftError struct {
	Name string
	Err  error
}

func (e *LeftError) Error() string {
	return "container " + e.Name + " is left, it could not be removed: " + e.Err.Error() + "; later: whystuck image --clean, or docker rm -f " + e.Name
}

func (e *LeftError) Unwrap() error { return e.Err }
