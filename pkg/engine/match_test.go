package engine

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/whystuck/whystuck/pkg/evidence"
)

func id(prefix string) string { return prefix + strings.Repeat("0", 64-len(prefix)) }

func someContainers() []listed {
	web := map[string]string{labelProject: "shop", labelService: "web"}
	return []listed{
		{id: id("abc1"), names: []string{"/web", "/proxy/backend"}, status: "running", labels: web},
		{id: id("abc2"), names: []string{"/db"}, status: "paused", labels: map[string]string{labelProject: "shop", labelService: "db"}},
		{id: id("d1"), names: []string{"/abc2"}, status: "created"},
		{id: id("e1"), names: []string{"/done"}, status: "exited", summary: "Exited (0) 3 days ago", labels: web},
		{id: id("e2"), names: []string{"/failed"}, status: "exited", summary: "Exited (137) 3 days ago"},
		{id: id("e3"), names: []string{"/odd"}, status: "exited", summary: "Beendet"},
		{id: id("f1"), names: []string{"/old_web_1"}, status: "running", labels: map[string]string{labelProject: "myshop", labelService: "web", labelVersion: "1.29.2"}},
		{id: id("f2"), status: "dead"},
	}
}

func TestLookup(t *testing.T) {
	for asked, want := range map[string][]string{
		"web":           {"abc1"},
		"/web":          {"abc1"},
		"proxy/backend": {"abc1"}, // the alias of a link, which docker takes too
		"we":            nil,      // names have no prefixes
		id("abc2"):      {"abc2"},
		"abc1":          {"abc1"},
		"abc2":          {"d1"}, // a name beats the prefix of another's id
		"abc20":         {"abc2"},
		"abc":           {"abc1", "abc2"},
		"ABC1":          nil, // as docker: ids are lower case
		"":              nil,
		"/":             nil,
		"f2":            {"f2"},
	} {
		var got []string
		for _, l := range lookup(someContainers(), asked) {
			got = append(got, strings.TrimRight(l.id, "0"))
		}
		if !slices.Equal(got, want) {
			t.Errorf("%q finds %v, want %v", asked, got, want)
		}
	}
}

func TestPick(t *testing.T) {
	for name, c := range map[string]struct {
		q       Query
		want    string
		missing string
		errors  int
	}{
		"names in their order": {Query{Names: []string{"db", "web"}}, "db web", "", 0},
		"twice the same":       {Query{Names: []string{"db", "/db", "abc20"}}, "db", "", 0},
		"missing":              {Query{Names: []string{"nope", "web", ""}}, "web", "nope,", 0},
		"ambiguous":            {Query{Names: []string{"abc", "web"}}, "web", "", 1},
		"all":                  {Query{All: true}, " abc2 db failed odd old_web_1 web", "", 0},
		"project":              {Query{Project: "shop"}, "db web", "", 0},
		"project, all":         {Query{Project: "shop", All: true}, "db web", "", 0},
		"service":              {Query{Service: "web"}, "old_web_1 web", "", 0},
		"project and service":  {Query{Project: "shop", Service: "db"}, "db", "", 0},
		"compose v1 name":      {Query{Project: "My-Shop"}, "old_web_1", "", 0},
		"no such project":      {Query{Project: "shoe"}, "", "", 1},
		"no such service":      {Query{Project: "shop", Service: "x"}, "", "", 1},
	} {
		s := pick(someContainers(), c.q)
		var got []string
		for _, f := range s.found {
			got = append(got, f.asked)
		}
		if strings.Join(got, " ") != c.want || strings.Join(s.missing, ",") != c.missing || len(s.errors) != c.errors {
			t.Errorf("%s: %q, missing %q, errors %v", name, got, s.missing, s.errors)
		}
		for _, e := range s.errors {
			if e.ExitCode != 2 || e.Target == "" {
				t.Errorf("%s: %+v", name, e)
			}
		}
	}
}

// A project whose containers have all ended well exists, and nothing is wrong.
func TestPickEndedProject(t *testing.T) {
	list := []listed{{id: id("1"), status: "exited", summary: "Exited (0) 1 second ago", labels: map[string]string{labelProject: "job"}}}
	if s := pick(list, Query{Project: "job"}); len(s.found)+len(s.errors) != 0 {
		t.Errorf("got %+v", s)
	}
	zero := 0
	list[0].known, list[0].summary = &evidence.Container{ExitCode: &zero}, ""
	if s := pick(list, Query{Project: "job"}); len(s.found)+len(s.errors) != 0 {
		t.Errorf("from the files: %+v", s)
	}
}

func TestAmbiguousIsBounded(t *testing.T) {
	var list []listed
	for i := range 1000 {
		list = append(list, listed{id: id(fmt.Sprintf("ab%04d", i)), names: []string{fmt.Sprint("/n", i)}})
	}
	s := pick(list, Query{Names: []string{"ab"}})
	if len(s.errors) != 1 {
		t.Fatal(s)
	}
	m := s.errors[0].Message
	if len(m) > 600 || !strings.Contains(m, "ab0000000000 (n0), ab0001000000 (n1)") || !strings.Contains(m, "and 992 more") {
		t.Errorf("%d bytes: %s", len(m), m)
	}
}

func TestQueryCheck(t *testing.T) {
	for _, q := range []Query{{}, {Names: []string{"a"}, All: true}, {Names: []string{"a"}, Service: "b"}} {
		if q.check() == nil {
			t.Errorf("%+v was taken", q)
		}
	}
	if err := (Query{Names: []string{"a"}}).check(); err != nil {
		t.Error(err)
	}
}
