package engine

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/whystuck/whystuck/pkg/beside"
	"github.com/whystuck/whystuck/pkg/evidence"
)

// listed is one container of the engine's list, or of its files.
type listed struct {
	id      string
	names   []string // with a leading slash; names with two are aliases of links
	image   string
	status  string            // running, exited, ...
	summary string            // "Exited (0) 2 hours ago"
	labels  map[string]string // of the list only
	// known is what the engine's files say; nil when it is still to be inspected.
	known *evidence.Container
}

const (
	labelProject = "com.docker.compose.project"
	labelService = "com.docker.compose.service"
	labelVersion = "com.docker.compose.version"
)

// chosen is one container that was asked for.
type chosen struct {
	asked string
	listed
	// early is an inspect that is under way since before the list; nil: none.
	early *beside.Task[inspected]
}

// selection is a query's answer before anything is inspected.
type selection struct {
	found   []chosen
	missing []string // names that no container has
	errors  []evidence.TargetError
}

// pick answers a query from the list.
func pick(list []listed, q Query) selection {
	if len(q.Names) > 0 {
		return pickNames(list, q.Names)
	}
	var s selection
	matched := false
	for _, l := range list {
		if !inProject(l, q.Project) || !inService(l, q.Service) {
			continue
		}
		matched = true
		if !exitedCleanly(l) {
			s.found = append(s.found, chosen{asked: primaryName(l.names), listed: l})
		}
	}
	slices.SortFunc(s.found, func(a, b chosen) int { return cmp.Or(cmp.Compare(a.asked, b.asked), cmp.Compare(a.id, b.id)) })
	if !matched && (q.Project != "" || q.Service != "") {
		s.errors = append(s.errors, noCompose(q))
	}
	return s
}

func pickNames(list []listed, names []string) selection {
	var s selection
	seen := map[string]bool{}
	for _, asked := range names {
		switch hits := lookup(list, asked); {
		case len(hits) == 0:
			s.missing = append(s.missing, asked)
		case len(hits) > 1:
			s.errors = append(s.errors, ambiguous(asked, hits))
		case !seen[hits[0].id]: // asked for twice is judged once
			seen[hits[0].id] = true
			s.found = append(s.found, chosen{asked: asked, listed: hits[0]})
		}
	}
	return s
}

// lookup has the order of moby's GetContainer: the full id, then a name, then a
// prefix of the id. More than one hit is an ambiguous prefix.
func lookup(list []listed, asked string) []listed {
	name := strings.TrimPrefix(asked, "/")
	if name == "" {
		return nil
	}
	for _, l := range list {
		if l.id == asked {
			return []listed{l}
		}
	}
	for _, l := range list {
		if slices.ContainsFunc(l.names, func(n string) bool { return strings.TrimPrefix(n, "/") == name }) {
			return []listed{l}
		}
	}
	var hits []listed
	for _, l := range list {
		if strings.HasPrefix(l.id, asked) {
			hits = append(hits, l)
		}
	}
	return hits
}

// maxCandidates bounds an error line.
const maxCandidates = 8

func ambiguous(asked string, hits []listed) evidence.TargetError {
	slices.SortFunc(hits, func(a, b listed) int { return cmp.Compare(a.id, b.id) })
	var shown []string
	for _, l := range hits[:min(len(hits), maxCandidates)] {
		text := shortID(l.id)
		if name := primaryName(l.names); name != "" {
			text += " (" + name + ")"
		}
		shown = append(shown, text)
	}
	if more := len(hits) - maxCandidates; more > 0 {
		shown = append(shown, fmt.Sprintf("and %d more", more))
	}
	return targetError(asked, fmt.Sprintf("several containers have ids that begin with %s: %s; give more of the id, or a name", clip(asked, 64), strings.Join(shown, ", ")))
}

func noSuch(asked string) evidence.TargetError {
	return targetError(asked, "no such container: "+clip(asked, 256))
}

func noCompose(q Query) evidence.TargetError {
	switch {
	case q.Service == "":
		return targetError(q.Project, fmt.Sprintf("no container of the compose project %q; `docker compose ls -a` lists the projects", clip(q.Project, 256)))
	case q.Project == "":
		return targetError(q.Service, fmt.Sprintf("no container of a compose service %q", clip(q.Service, 256)))
	}
	return targetError(q.Project+"/"+q.Service, fmt.Sprintf("no container of the service %q in the compose project %q", clip(q.Service, 256), clip(q.Project, 256)))
}

func targetError(target, message string) evidence.TargetError {
	return evidence.TargetError{Target: target, Message: message, ExitCode: ExitUsage}
}

// inProject: compose v1 took every character but a-z and 0-9 out of the project's
// name before it made the label.
func inProject(l listed, project string) bool {
	if project == "" {
		return true
	}
	label := l.labels[labelProject]
	if label == project {
		return true
	}
	return strings.HasPrefix(l.labels[labelVersion], "1.") && label != "" && label == composeV1Name(project)
}

func composeV1Name(project string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			return r
		}
		return -1
	}, strings.ToLower(project))
}

func inService(l listed, service string) bool {
	return service == "" || l.labels[labelService] == service
}

// exitedCleanly: exit code 0. A status text in an unknown form does not say so.
func exitedCleanly(l listed) bool {
	if l.status != "exited" {
		return false
	}
	if l.known != nil {
		return l.known.ExitCode != nil && *l.known.ExitCode == 0
	}
	return strings.HasPrefix(l.summary, "Exited (0)")
}

// primaryName is the name without its slash; a second slash marks an alias made
// by a link ("/other/db").
func primaryName(names []string) string {
	for _, n := range names {
		if n = strings.TrimPrefix(n, "/"); n != "" && !strings.Contains(n, "/") {
			return clip(n, 256)
		}
	}
	return ""
}

func shortID(id string) string { return id[:min(len(id), 12)] }
