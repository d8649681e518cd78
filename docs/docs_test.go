package docs

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// sections are those of every rule's page, in this order: a reader at night
// finds the way out at the same place on each.
var sections = []string{"Symptom", "Why", "What was read", "Fix now", "Fix for good", "How to check the fix"}

// codes are for ever: one that is missing here or there was renamed or lost.
var codes = []string{
	"WS101", "WS102", "WS103", "WS104", "WS105", "WS106", "WS107", "WS108", "WS109", "WS110",
	"WS111", "WS112", "WS113", "WS114", "WS115", "WS116", "WS117", "WS118", "WS119", "WS120",
	"WS201", "WS202", "WS203", "WS204", "WS205", "WS206", "WS207", "WS208", "WS209", "WS210",
	"WS211", "WS212", "WS213", "WS214", "WS215", "WS216", "WS217", "WS218", "WS219", "WS220",
	"WS221", "WS222", "WS224",
	"WS301", "WS302", "WS303", "WS304", "WS305", "WS306", "WS307", "WS308",
	"WS309", "WS310", "WS311", "WS312", "WS313", "WS314", "WS315", "WS316",
	"WS317", "WS318", "WS319", "WS320", "WS321", "WS322", "WS323", "WS324", "WS326", "WS327",
	"WS328", "WS329", "WS330", "WS331", "WS332", "WS333",
	"WS401", "WS402", "WS403", "WS404", "WS405",
	"WS501", "WS502", "WS503",
	"WS504", "WS505", "WS506", "WS507", "WS508", "WS509", "WS510", "WS511", "WS512", "WS513", "WS514", "WS515", "WS516", "WS517", "WS518",
	"WS519",
	"WS530", "WS531", "WS532", "WS533", "WS535", "WS536", "WS537",
	"created-for-ever", "ctrl-c", "gone-but-alive", "kill-errors", "permission-denied", "slow-stop", "stop-never-returns",
	"entrypoint", "podman", "rootless",
}

func TestCodes(t *testing.T) {
	if got := Codes(); !slices.Equal(got, codes) {
		t.Errorf("Codes() = %v, want %v", got, codes)
	}
}

func TestPages(t *testing.T) {
	heading := regexp.MustCompile(`(?m)^## (.+)$`)
	for _, code := range Codes() {
		page, ok := Page(code)
		if !ok || Title(code) == "" || strings.Contains(Title(code), "#") {
			t.Errorf("%s: no page or no title (%q)", code, Title(code))
			continue
		}
		checkText(t, code, page)
		if !strings.HasPrefix(code, "WS") {
			continue
		}
		if !strings.HasPrefix(page, "# "+code+" ") {
			t.Errorf("%s: the first heading is not its code and title", code)
		}
		var got []string
		for _, m := range heading.FindAllStringSubmatch(page, -1) {
			got = append(got, m[1])
		}
		if !slices.Equal(got, sections) {
			t.Errorf("%s: sections %q, want %q", code, got, sections)
		}
		for i, part := range heading.Split(page, -1)[1:] {
			if len(strings.TrimSpace(part)) < 20 {
				t.Errorf("%s: section %q says nothing", code, sections[i])
			}
		}
		if n := strings.Count(page, "\n"); n < 30 || n > 70 {
			t.Errorf("%s: %d lines, want 30 to 70", code, n)
		}
	}
}

// foreign are words that do not belong into the project's pages: paths of
// somebody's machine, notes to oneself, and words that tell the reader that he
// should have known.
var foreign = regexp.MustCompile(`(?i)/work/|\.\./shared|/tmp/|/gt/|\btodo\b|\bfixme\b|\bagents?\b|\bsimply\b|\bobviously\b|\bof course\b`)

func checkText(t *testing.T, name, page string) {
	t.Helper()
	if m := foreign.FindString(page); m != "" {
		t.Errorf("%s: has %q in it", name, m)
	}
	if strings.Count(page, "```")%2 != 0 {
		t.Errorf("%s: a code block is not closed", name)
	}
	for i, line := range strings.Split(page, "\n") {
		if len([]rune(line)) > 110 {
			t.Errorf("%s:%d: %d columns, which a terminal breaks", name, i+1, len(line))
		}
	}
}

// TestReferences: a page names only codes that exist.
func TestReferences(t *testing.T) {
	code := regexp.MustCompile(`\bWS\d+\b`)
	for _, name := range pages(t) {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, ref := range code.FindAllString(string(text), -1) {
			if !slices.Contains(codes, ref) {
				t.Errorf("%s names %s, which does not exist", name, ref)
			}
		}
		if strings.Count(filepath.ToSlash(name), "/") == 0 {
			checkText(t, name, string(text))
		}
	}
}

func pages(t *testing.T) []string {
	t.Helper()
	var out []string
	for _, pattern := range []string{"*.md", "*/*.md"} {
		names, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, names...)
	}
	return out
}

func TestPageRefusesPaths(t *testing.T) {
	for _, asked := range []string{"", "nope", "../docs", "../guides/entrypoints", "WS104.md", "ws104", "entrypoints", `..\x`, "."} {
		if _, ok := Page(asked); ok {
			t.Errorf("Page(%q) gives a page", asked)
		}
	}
	if Title("nope") != "" {
		t.Error("a page that is not there has a title")
	}
}
