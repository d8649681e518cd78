package cases

import (
	"strings"
	"testing"
)

func TestTable(t *testing.T) {
	all := All()
	if err := Check(all); err != nil {
		t.Fatal(err)
	}
	if len(all) < 200 {
		t.Errorf("%d cases, want 200 or more", len(all))
	}
	groups := map[string]int{}
	for _, c := range all {
		groups[c.Group]++
		for _, need := range c.Needs {
			if !strings.HasPrefix(need, "/") {
				t.Errorf("%s needs %q, which is no path", c.Name, need)
			}
		}
		for name := range c.Files {
			if strings.Contains(name, "..") || strings.HasPrefix(name, "/") {
				t.Errorf("%s writes %q outside its directory", c.Name, name)
			}
		}
	}
	for _, g := range []string{"shells", "scripts", "inits", "wrappers", "c", "go", "node", "interpreters", "java", "daemons", "tools", "modes", "signals"} {
		if groups[g] == 0 {
			t.Errorf("group %s is empty", g)
		}
	}
}

func TestCheck(t *testing.T) {
	good := run("a", "true")
	for name, all := range map[string][]Case{
		"no name":          {run("", "true")},
		"name with /":      {run("a/b", "true")},
		"twice":            {good, good},
		"no command":       {run("a")},
		"mark, no text":    {func() Case { c := good; c.Handlers = 1; return c }()},
		"paused with exec": {func() Case { c := good.exec("x"); c.Pause = true; return c }()},
	} {
		if Check(all) == nil {
			t.Errorf("%s: not noticed", name)
		}
	}
	if err := Check([]Case{good}); err != nil {
		t.Error(err)
	}
}

func TestTimeout(t *testing.T) {
	if n := run("a", "true").Timeout(); n == nil || *n != 4 {
		t.Errorf("default timeout %v, want 4", n)
	}
	if n := run("a", "true").stop("-t", "0").Timeout(); n == nil || *n != 0 {
		t.Errorf("timeout %v, want 0", n)
	}
	if n := run("a", "true").stop().Timeout(); n != nil {
		t.Errorf("timeout %d, want the container's own", *n)
	}
}

// with must not write into the slice of the case that it was made from.
func TestHelpersCopy(t *testing.T) {
	a := run("a", "true").with("-x")
	b, c := a.with("-b"), a.with("-c")
	if b.Options[1] != "-b" || c.Options[1] != "-c" || len(a.Options) != 1 {
		t.Errorf("options %q, %q, %q", a.Options, b.Options, c.Options)
	}
	d := a.file("x", "1")
	if d.file("y", "2"); len(d.Files) != 1 {
		t.Errorf("files %v", d.Files)
	}
}
