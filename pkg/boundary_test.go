// Package pkg_test holds the house's floors: who may import whom, and which
// packages must not look at the machine.
package pkg_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/whystuck/whystuck/"

// floors from the ground up: a package may import only what is below it.
var floors = map[string]int{
	"pkg/evidence": 0,
	"pkg/beside":   0,
	"pkg/script":   1,
	"pkg/memory":   1,
	"pkg/catalog":  1,
	"pkg/diagnose": 2, "pkg/engine": 2, "pkg/probe": 2, "pkg/probe/inside": 2, "pkg/kernel": 2,
	"pkg/dockerfile": 1,
	"pkg/policy":     3,
	"pkg/look":       3, "pkg/render": 3,
	"pkg/stop":     4,
	"pkg/watch":    5,
	"pkg/smoke":    5,
	"pkg/cli":      6,
	"cmd/whystuck": 7,
	"docs":         0,
}

// pure packages judge and print: the same input gives the same output on any
// machine at any time.
var pure = []string{"pkg/evidence", "pkg/script", "pkg/dockerfile", "pkg/catalog", "pkg/diagnose", "pkg/policy", "pkg/render"}

// source is one Go file that is no test.
type source struct {
	name, pkg string // both as seen from the module's root
	tree      *ast.File
}

func sources(t *testing.T) []source {
	t.Helper()
	var all []source
	for _, top := range []string{"pkg", "cmd", "docs"} {
		err := filepath.WalkDir(filepath.Join("..", top), func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
				return err
			}
			tree, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
			if err != nil {
				return err
			}
			name := filepath.ToSlash(strings.TrimPrefix(path, ".."+string(filepath.Separator)))
			all = append(all, source{name, filepath.ToSlash(filepath.Dir(name)), tree})
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if len(all) < 10 {
		t.Fatalf("only %d files found: the test looks in the wrong place", len(all))
	}
	return all
}

func (s source) imports() []string {
	var out []string
	for _, spec := range s.tree.Imports {
		if path, err := strconv.Unquote(spec.Path.Value); err == nil {
			out = append(out, path)
		}
	}
	return out
}

func TestNoImportRunsUpward(t *testing.T) {
	for _, s := range sources(t) {
		own, known := floors[s.pkg]
		if !known {
			t.Errorf("%s: package %s has no floor yet; give it one", s.name, s.pkg)
			continue
		}
		for _, path := range s.imports() {
			other, ours := strings.CutPrefix(path, module)
			if !ours {
				continue
			}
			floor, known := floors[other]
			if !known || floor >= own {
				t.Errorf("%s imports %s, which is not below it", s.name, other)
			}
		}
	}
}

func TestPurePackagesDoNotLook(t *testing.T) {
	for _, s := range sources(t) {
		if !slices.Contains(pure, s.pkg) {
			continue
		}
		for _, path := range s.imports() {
			switch first, _, _ := strings.Cut(path, "/"); {
			case path == "net/netip": // addresses as values: it asks nobody
			case first == "os", first == "net", first == "syscall":
				t.Errorf("%s imports %s", s.name, path)
			}
			if strings.HasPrefix(path, "golang.org/x/sys") {
				t.Errorf("%s imports %s", s.name, path)
			}
		}
		for _, name := range clocks(s.tree) {
			t.Errorf("%s reads the clock: time.%s", s.name, name)
		}
	}
}

// clocks are the uses of the time package that depend on when they happen.
func clocks(tree *ast.File) []string {
	var out []string
	ast.Inspect(tree, func(n ast.Node) bool {
		sel, ok := n.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		if x, ok := sel.X.(*ast.Ident); ok && x.Name == "time" {
			switch sel.Sel.Name {
			case "Now", "Since", "Until", "After", "AfterFunc", "Tick", "NewTicker", "NewTimer", "Sleep", "Local", "LoadLocation":
				out = append(out, sel.Sel.Name)
			}
		}
		return true
	})
	return out
}

func TestClocksAreFound(t *testing.T) {
	tree, err := parser.ParseFile(token.NewFileSet(), "x.go", `package x
import "time"
var a, b = time.Now(), time.Duration(1)
func f(t time.Time) { _ = time.Since(t); _ = t.Local() }`, 0)
	if err != nil {
		t.Fatal(err)
	}
	if got := clocks(tree); !slices.Equal(got, []string{"Now", "Since"}) {
		t.Errorf("found %q", got)
	}
}

// One file imports Docker's client, so that moving to its successor is a change
// of one file.
func TestDockerClientIsImportedOnce(t *testing.T) {
	var in []string
	for _, s := range sources(t) {
		if slices.Contains(s.imports(), "github.com/docker/docker/client") {
			in = append(in, s.name)
		}
	}
	if len(in) != 1 || !strings.HasPrefix(in[0], "pkg/engine/") {
		t.Errorf("github.com/docker/docker/client is imported by %q, want one file of pkg/engine", in)
	}
}

// What is for tests stays out of the program.
func TestProgramDoesNotImportScripts(t *testing.T) {
	for _, s := range sources(t) {
		for _, path := range s.imports() {
			if strings.HasPrefix(path, module+"scripts") || path == "testing" {
				t.Errorf("%s imports %s", s.name, path)
			}
		}
	}
}
