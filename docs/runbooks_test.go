package docs

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// steps are those of every runbook, in this order.
var steps = []string{"Symptom", "First command", "What it says", "Decide", "Way out", "What not to do"}

// verbs are the commands of whystuck that a page may tell the reader to type.
var verbs = []string{"explain", "capture", "signals", "stop", "watch", "image", "orphans", "version"}

func TestRunbooks(t *testing.T) {
	names := folder("runbooks")
	if len(names) < 7 {
		t.Fatalf("runbooks: %v", names)
	}
	readme, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	heading := regexp.MustCompile(`(?m)^## (.+)$`)
	for _, name := range names {
		page, _ := Page(name)
		var got []string
		for _, m := range heading.FindAllStringSubmatch(page, -1) {
			got = append(got, m[1])
		}
		if !slices.Equal(got, steps) {
			t.Errorf("%s: steps %q, want %q", name, got, steps)
			continue
		}
		parts := heading.Split(page, -1)[1:]
		if !strings.Contains(parts[1], "```\nwhystuck ") {
			t.Errorf("%s: the first command is not whystuck's", name)
		}
		if !strings.Contains(parts[2], "\n$ whystuck ") && !strings.Contains(parts[2], "\n$ docker ") && !strings.Contains(parts[2], "\n$ time docker ") {
			t.Errorf("%s: no output of a real run", name)
		}
		if strings.Count(parts[3], "\n- **") < 3 || strings.Count(parts[5], "\n- **") < 3 {
			t.Errorf("%s: nothing to decide, or nothing that is forbidden", name)
		}
		if !strings.Contains(parts[5], "eboot") && name != "slow-stop" {
			t.Errorf("%s: says nothing of a reboot", name)
		}
		if !strings.Contains(string(readme), name) {
			t.Errorf("%s: the README does not name it", name)
		}
	}
}

// TestRunbooksNameWhatExists: pages and commands that a runbook sends its reader to.
func TestRunbooksNameWhatExists(t *testing.T) {
	explain := regexp.MustCompile(`whystuck explain ([a-zA-Z0-9-]+)`)
	typed := regexp.MustCompile("(?m)(?:^|`|\\$ )whystuck ([a-z]+)( |$|`|;)")
	for _, name := range folder("runbooks") {
		page, _ := Page(name)
		for _, m := range explain.FindAllStringSubmatch(page, -1) {
			if _, ok := Page(m[1]); !ok {
				t.Errorf("%s sends to a page that does not exist: %s", name, m[1])
			}
		}
		for _, m := range typed.FindAllStringSubmatch(page, -1) {
			// A word that is no command is a container's name, and those are few.
			if !slices.Contains(verbs, m[1]) && !slices.Contains([]string{"web", "db", "job"}, m[1]) {
				t.Errorf("%s: whystuck %s is neither a command nor a container of the page", name, m[1])
			}
		}
	}
}
