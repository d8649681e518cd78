package main

import (
	"bytes"
	"debug/elf"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestProgramIsELF(t *testing.T) {
	for goarch, machine := range map[string]elf.Machine{"amd64": elf.EM_X86_64, "arm64": elf.EM_AARCH64} {
		b, err := program(goarch)
		if err != nil {
			t.Fatal(err)
		}
		f, err := elf.NewFile(bytes.NewReader(b))
		if err != nil {
			t.Fatalf("%s: %v", goarch, err)
		}
		if f.Machine != machine || f.Type != elf.ET_EXEC || len(f.Progs) != 1 || f.Progs[0].Filesz != uint64(len(b)) {
			t.Errorf("%s: %+v", goarch, f.FileHeader)
		}
	}
	if _, err := program("riscv64"); err == nil {
		t.Error("a program for an unknown machine")
	}
}

// It runs, sleeps, has no handler, and SIGTERM ends it where it is not PID 1.
func TestProgramRuns(t *testing.T) {
	b, err := program(runtime.GOARCH)
	if err != nil {
		t.Skip(err)
	}
	path := filepath.Join(t.TempDir(), programName)
	if err := os.WriteFile(path, b, 0o700); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(path)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for range 100 { // until it sleeps
		if strings.Contains(status(cmd.Process.Pid), "State:\tS") {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	if s := status(cmd.Process.Pid); !strings.Contains(s, "State:\tS") || !strings.Contains(s, "SigCgt:\t0000000000000000") {
		t.Errorf("status:\n%s", s)
	}
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	var exit *exec.ExitError
	if err := cmd.Wait(); !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGTERM {
		t.Errorf("it ended with %v, want SIGTERM", err)
	}
}

func status(pid int) string {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return err.Error()
	}
	return string(b)
}

// A SIGTERM does not end it as PID 1: what the demo is about.
func TestPIDNamespace(t *testing.T) {
	b, err := program(runtime.GOARCH)
	if err != nil {
		t.Skip(err)
	}
	// A whystuck that only records that it was asked, sends the signal, and says 1.
	dir := t.TempDir()
	asked := filepath.Join(dir, "whystuck")
	script := "#!/bin/sh\nkill -TERM $2; sleep 0.2; kill -0 $2 || exit 9; echo $* > " + dir + "/asked; exit 1\n"
	if err := os.WriteFile(asked, []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	d := demo{whystuck: asked, dir: dir, elf: b}
	if err := d.pidns(t.Context()); err != nil {
		if errors.Is(err, syscall.EPERM) {
			t.Skipf("SKIPPED: needs root or user namespaces: %v", err)
		}
		t.Fatal(err)
	}
	got, err := os.ReadFile(dir + "/asked")
	if err != nil || !strings.HasPrefix(string(got), "--pid ") {
		t.Errorf("asked %q, %v", got, err)
	}
}
