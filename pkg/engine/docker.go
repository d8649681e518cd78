package engine

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/events"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/client"

	"github.com/whystuck/whystuck/pkg/beside"
	"github.com/whystuck/whystuck/pkg/evidence"
)

// api is the calls that are made of an engine: those that look are here, those of
// images in docker_image.go, those that act in docker_act.go (stop, kill) and
// docker_run.go (create, start, remove). This file is the only one that imports the SDK's
// client; moving to its successor is a change here alone.
//
// /info is never called: it takes the lock of the image store and walks all
// plugins, and it is among the first calls to hang in a sick engine.
type api struct {
	sdk *client.Client
	// turn is held while negotiating. It is no sync.Mutex: who waits for it has a
	// deadline, and who holds it may wait for an engine that never answers.
	turn chan struct{}
	// agreed: the version is negotiated, or DOCKER_API_VERSION rules.
	agreed bool
}

func newAPI(at endpoint, conn *transport) (*api, error) {
	opts := []client.Opt{
		client.WithHost(at.host), // before WithHTTPClient: it wants to configure a transport of its own
		client.WithHTTPClient(&http.Client{Transport: conn, CheckRedirect: client.CheckRedirect}),
		client.WithVersion(at.apiVersion),
	}
	if at.tls != nil {
		opts = append(opts, client.WithScheme("https"))
	}
	sdk, err := client.NewClientWithOpts(opts...)
	if err != nil {
		return nil, usage(fmt.Sprintf("cannot use %s as the engine's address: %v", at.host, err), err)
	}
	return &api{sdk: sdk, turn: make(chan struct{}, 1), agreed: at.apiVersion != ""}, nil
}

// rawImage makes an image's inspect give its raw answer too.
func rawImage(into *bytes.Buffer) client.ImageInspectOption {
	return client.ImageInspectWithRawResponse(into)
}

// version is the API version in use, after negotiate the common one.
func (a *api) version() string { return a.sdk.ClientVersion() }

// negotiate asks for the engine's API version with one ping, once. The SDK would
// do it by itself, but drops the error, so that a dead engine is dialled twice.
func (a *api) negotiate(ctx context.Context) error {
	select {
	case a.turn <- struct{}{}:
		defer func() { <-a.turn }()
	case <-ctx.Done():
		return fmt.Errorf("pinging the engine: %w", ctx.Err())
	}
	if a.agreed {
		return nil
	}
	ping, err := a.sdk.Ping(ctx)
	if err != nil {
		return fmt.Errorf("pinging the engine: %w", err)
	}
	a.sdk.NegotiateAPIVersionPing(ping)
	a.agreed = true
	return nil
}

// list gives the containers, stopped ones too, or with running only those. A
// filter ("name", "id") narrows it. It is answered from the engine's copy of all
// states (containersReplica), without the lock of any container.
func (a *api) list(ctx context.Context, running bool, filter ...filters.KeyValuePair) ([]listed, error) {
	if err := a.negotiate(ctx); err != nil {
		return nil, err
	}
	containers, err := a.sdk.ContainerList(ctx, container.ListOptions{All: !running, Filters: filters.NewArgs(filter...)})
	if err != nil {
		return nil, fmt.Errorf("listing containers: %w", err)
	}
	out := make([]listed, 0, len(containers))
	for _, c := range containers {
		out = append(out, listed{
			id: c.ID, names: c.Names, image: c.Image, status: c.State, summary: c.Status, labels: c.Labels,
		})
	}
	return out, nil
}

// listNamed gives the container with a name, and the one whose id alone begins
// with it: at some 0.2 ms for each container in the answer (20.10), the whole
// list of a busy host takes longer than everything else. A prefix of several ids
// finds none, and aliases of links are not found.
func (a *api) listNamed(ctx context.Context, name string) ([]listed, error) {
	type answer struct {
		list []listed
		err  error
	}
	// The engine intersects filters for names and ids: these are two questions.
	byID := beside.Start(func() (r answer) {
		if name != "" && isHex(name) {
			r.list, r.err = a.list(ctx, false, filters.Arg("id", name))
		}
		return r
	})
	// The filter is a regular expression and would match within names.
	list, err := a.list(ctx, false, filters.Arg("name", "^/?"+regexp.QuoteMeta(strings.TrimPrefix(name, "/"))+"$"))
	r := byID.Wait()
	return append(list, r.list...), cmp.Or(err, r.err)
}

// errNoSuchContainer is the engine's 404.
var errNoSuchContainer = errors.New("no such container")

// inspect gives the raw answer: the SDK's own types refuse a whole body for one
// odd field, and this program uses a few fields only.
func (a *api) inspect(ctx context.Context, id string) ([]byte, error) {
	var status int
	var raw []byte
	ctx = context.WithValue(context.WithValue(ctx, statusKey{}, &status), rawKey{}, &raw)
	_, err := a.sdk.ContainerInspect(ctx, id)
	switch {
	case len(raw) > 0:
		return raw, nil
	case status == http.StatusNotFound:
		return nil, errNoSuchContainer
	case err == nil:
		err = io.ErrUnexpectedEOF
	}
	return nil, fmt.Errorf("inspecting %s: %w", id, err)
}

// maxEvents is what an engine keeps in memory of all events.
const maxEvents = 256

// history gives the events of one container since a moment, oldest first. It
// returns what had come when it fails.
func (a *api) history(ctx context.Context, id string, podman bool, since, now time.Time) ([]evidence.Event, error) {
	if err := a.negotiate(ctx); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // ends the SDK's reader
	wanted := filters.NewArgs(filters.Arg("type", "container"), filters.Arg("container", id))
	if !podman { // which has names of its own
		for _, action := range remembered {
			wanted.Add("event", action)
		}
	}
	messages, errs := a.sdk.Events(ctx, events.ListOptions{Since: unixTime(since), Until: unixTime(now), Filters: wanted})
	var out []evidence.Event
	for len(out) < maxEvents {
		select {
		case m := <-messages:
			// The engine's filter takes the id as a regular expression and also
			// matches it against names (events/filter.go fuzzyMatchName).
			if m.Actor.ID == id {
				out = appendEvent(out, time.Unix(m.Time, m.TimeNano%int64(time.Second)), string(m.Action), m.Actor.Attributes["signal"])
			}
		case err := <-errs:
			var cut *json.SyntaxError
			if errors.Is(err, io.EOF) || errors.As(err, &cut) && len(out) > 0 {
				return out, nil
			}
			return out, fmt.Errorf("reading the history of %s: %w", id, err)
		}
	}
	return out, nil
}

// unixTime is a moment as the events call takes it: seconds.nanoseconds.
func unixTime(t time.Time) string {
	return strconv.FormatInt(t.Unix(), 10) + fmt.Sprintf(".%09d", t.Nanosecond())
}
