package main

import (
	"context"
	"embed"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/whystuck/whystuck/scripts/bed"
	"github.com/whystuck/whystuck/scripts/truth/cases"
)

// sources are the bed's own programs: one directory per language.
//
//go:embed prog
var sources embed.FS

// buildPrograms makes the directory that every container has at cases.Mount:
// bin/ with what is compiled, app/ with what is interpreted, and cases/NAME/
// with the files of a case.
func buildPrograms(ctx context.Context, dir string, all []cases.Case) error {
	bin := filepath.Join(dir, "bin")
	if err := os.MkdirAll(bin, 0o755); err != nil {
		return fmt.Errorf("building the programs: %w", err)
	}
	if err := copySources(filepath.Join(dir, "app")); err != nil {
		return err
	}
	lab, err := bed.BuildStatic(ctx)
	if err != nil {
		return err
	}
	steps := [][]string{
		{"cp", lab, filepath.Join(bin, "siglab")},
		{"go", "build", "-o", filepath.Join(bin, "gosig"), "./scripts/truth/prog/gosig"},
		{"go", "build", "-ldflags", "-s -w", "-o", filepath.Join(bin, "gosig-stripped"), "./scripts/truth/prog/gosig"},
	}
	if _, err := exec.LookPath("javac"); err == nil {
		steps = append(steps, []string{"javac", "--release", "17", "-XDignore.symbol.file", "-nowarn", "-d", bin, filepath.Join(dir, "app/java/Sig.java")})
	}
	for _, step := range steps {
		c := exec.CommandContext(ctx, step[0], step[1:]...)
		c.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := c.CombinedOutput(); err != nil {
			return fmt.Errorf("building the programs: %s: %w\n%s", strings.Join(step, " "), err, out)
		}
	}
	for _, c := range all {
		if err := writeFiles(dir, c); err != nil {
			return err
		}
	}
	return nil
}

func copySources(dir string) error {
	return fs.WalkDir(sources, "prog", func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		to := filepath.Join(dir, strings.TrimPrefix(path, "prog"))
		if e.IsDir() {
			return os.MkdirAll(to, 0o755)
		}
		content, err := fs.ReadFile(sources, path)
		if err != nil {
			return err
		}
		return writeFile(to, content)
	})
}

func writeFiles(dir string, c cases.Case) error {
	for name, content := range c.Files {
		path := filepath.Join(dir, strings.TrimPrefix(cases.Dir(c.Name), cases.Mount), name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return fmt.Errorf("writing the files of %s: %w", c.Name, err)
		}
		if err := writeFile(path, []byte(content)); err != nil {
			return fmt.Errorf("writing the files of %s: %w", c.Name, err)
		}
	}
	return nil
}

// writeFile makes scripts executable.
func writeFile(path string, content []byte) error {
	mode := fs.FileMode(0o644)
	if strings.HasPrefix(string(content), "#!") {
		mode = 0o755
	}
	return os.WriteFile(path, content, mode)
}
