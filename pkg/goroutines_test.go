package pkg_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"slices"
	"testing"
)

// A bare goroutine that panics ends the program without a word, so only pkg/beside
// starts any.
func TestGoroutinesAreStartedBeside(t *testing.T) {
	for _, s := range sources(t) {
		if s.pkg == "pkg/beside" {
			continue
		}
		for _, what := range bareGoroutines(s.tree) {
			t.Errorf("%s: %s; take one of pkg/beside", s.name, what)
		}
	}
}

// bareGoroutines are the go statements, and the calls of Go on what this file
// declares to be a sync.WaitGroup.
func bareGoroutines(tree *ast.File) []string {
	groups := waitGroups(tree)
	var out []string
	ast.Inspect(tree, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.GoStmt:
			out = append(out, "a go statement")
		case *ast.CallExpr:
			if sel, ok := n.Fun.(*ast.SelectorExpr); ok && sel.Sel.Name == "Go" && slices.Contains(groups, lastName(sel.X)) {
				out = append(out, fmt.Sprintf("%s.Go of a sync.WaitGroup", lastName(sel.X)))
			}
		}
		return true
	})
	return out
}

// waitGroups are the names of variables and fields of that type.
func waitGroups(tree *ast.File) []string {
	var out []string
	add := func(typ ast.Expr, names []*ast.Ident) {
		if sel, ok := typ.(*ast.SelectorExpr); ok && sel.Sel.Name == "WaitGroup" {
			for _, n := range names {
				out = append(out, n.Name)
			}
		}
	}
	ast.Inspect(tree, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.ValueSpec:
			add(n.Type, n.Names)
		case *ast.Field:
			add(n.Type, n.Names)
		}
		return true
	})
	return out
}

func lastName(x ast.Expr) string {
	switch x := x.(type) {
	case *ast.Ident:
		return x.Name
	case *ast.SelectorExpr:
		return x.Sel.Name
	}
	return ""
}

func TestBareGoroutinesAreFound(t *testing.T) {
	tree, err := parser.ParseFile(token.NewFileSet(), "x.go", `package x
import "sync"
type s struct { all sync.WaitGroup }
func (s *s) f(g group) { go s.f(g); s.all.Go(nil); g.Go(nil); var wg sync.WaitGroup; wg.Go(nil) }`, 0)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"a go statement", "all.Go of a sync.WaitGroup", "wg.Go of a sync.WaitGroup"}
	if got := bareGoroutines(tree); !slices.Equal(got, want) {
		t.Errorf("found %q", got)
	}
}
