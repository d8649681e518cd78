package engine

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// What a user has laid where a configuration is looked for is not opened unless it
// is a regular file, and neither waited for nor read without end.
func TestTreeReadsFilesOnly(t *testing.T) {
	dir := t.TempDir()
	fifo, file := filepath.Join(dir, "fifo"), filepath.Join(dir, "file")
	if err := unix.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte("text"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, to := range map[string]string{"zero": "/dev/zero", "pipe": fifo, "dir": dir, "good": file} {
		if err := os.Symlink(to, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	opened := make(chan error, 1)
	go func() { // an end for writing is had only while somebody has the one for reading
		f, err := os.OpenFile(fifo, os.O_WRONLY, 0)
		if err == nil {
			_ = f.Close()
		}
		opened <- err
	}()
	for _, name := range []string{"zero", "pipe", "dir"} {
		if b, err := (tree{}).read(filepath.Join(dir, name), maxConfig); err == nil || !strings.Contains(err.Error(), "not a regular file") {
			t.Errorf("%s: %q, %v", name, b, err)
		}
	}
	select {
	case err := <-opened:
		t.Errorf("the FIFO was opened (%v)", err)
	case <-time.After(200 * time.Millisecond):
		r, err := os.OpenFile(fifo, os.O_RDONLY|unix.O_NONBLOCK, 0) // lets the writer go
		if err != nil {
			t.Fatal(err)
		}
		<-opened
		_ = r.Close()
	}
	if b, err := (tree{}).read(filepath.Join(dir, "good"), maxConfig); err != nil || string(b) != "text" {
		t.Errorf("a file behind a link: %q, %v", b, err)
	}
	if _, err := (tree{}).read(file, 3); err == nil {
		t.Error("a file that is too long was read")
	}
	if unitCommand([]string{dir}, "pipe") != nil || unitCommand([]string{dir}, "zero") != nil {
		t.Error("a unit that is no file")
	}
}

// A user's engine is not told by files that are not that user's.
func TestTreeOwner(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, []byte("text"), 0o600); err != nil {
		t.Fatal(err)
	}
	mine := os.Geteuid()
	if _, err := (tree{owner: mine + 1}).read(file, maxConfig); err == nil {
		t.Error("a file of another user was read as the engine's own")
	}
	if b, err := (tree{owner: mine}).read(file, maxConfig); err != nil || string(b) != "text" {
		t.Errorf("a file of its own: %q, %v", b, err)
	}
}

// Who waits for a turn whose holder hangs gives up in time, and takes it later.
func TestTurn(t *testing.T) {
	var turn turn
	if err := turn.take(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if err := turn.take(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("while it is held: %v", err)
	}
	turn.give()
	if err := turn.take(t.Context()); err != nil {
		t.Errorf("when it was given back: %v", err)
	}
}

func TestParseStored(t *testing.T) {
	list, err := parseStored([]byte(`[{"id":"a"},{"id":"b"}]`))
	if err != nil || len(list) != 2 || list[1].ID != "b" {
		t.Errorf("%+v, %v", list, err)
	}
	many := "[" + strings.Repeat("{},", 2*maxContainers) + "{}]"
	if list, err := parseStored([]byte(many)); err != nil || len(list) != maxContainers {
		t.Errorf("%d of many, %v", len(list), err)
	}
	for _, bad := range []string{"", "{}", "null", "7", `[{"id":`, `[{"id":"a"}`, `[7]`} {
		if list, err := parseStored([]byte(bad)); err == nil {
			t.Errorf("%q: %+v", bad, list)
		}
	}
}
