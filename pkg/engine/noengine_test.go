package engine

import (
	"errors"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// Without any engine: one line each that says what to do.
func TestNoEngine(t *testing.T) {
	dir := shortDir(t)
	dead := filepath.Join(dir, "dead")
	listener, err := net.Listen("unix", dead)
	if err != nil {
		t.Fatal(err)
	}
	listener.(*net.UnixListener).SetUnlinkOnClose(false)
	_ = listener.Close()
	silent, err := net.Listen("unix", filepath.Join(dir, "silent"))
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	rude, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer rude.Close()
	go func() {
		for {
			c, err := rude.Accept()
			if err != nil {
				return
			}
			_, _ = c.Write([]byte("220 mail.example.org ESMTP\r\n"))
			_ = c.Close()
		}
	}()
	for host, c := range map[string]struct{ trouble, says string }{
		"unix://" + dead:                          {"refused", "nothing answers at unix://" + dead + " (from -H): start the engine"},
		"unix://" + dir + "/none":                 {"gone", "no engine at unix://" + dir + "/none (from -H): start it, name another with -H or -c"},
		"unix://" + dir + "/silent":               {"timeout", "no answer from the engine at unix://" + dir + "/silent (from -H) within 200ms"},
		"tcp://127.0.0.1:1":                       {"refused", "nothing answers at tcp://127.0.0.1:1"},
		"tcp://" + rude.Addr().String():           {"refused", "does not answer as an engine does"},
		"tcp://no-such-host.invalid:2375":         {"", ""},
		"unix:///proc/self/status/not-a-dir/sock": {"gone", "no engine at"},
	} {
		e, err := Open(t.Context(), Options{Host: host, Getenv: func(string) string { return "" }, HomeDir: dir, CallTimeout: 100 * time.Millisecond})
		if err != nil {
			t.Fatal(err)
		}
		_, _, err = e.Resolve(t.Context(), Query{Names: []string{"web"}})
		var asError *Error
		if !errors.As(err, &asError) || asError.ExitCode != 4 || c.trouble != "" && (!strings.Contains(asError.Message, c.says) || e.Describe().Trouble != c.trouble) {
			t.Errorf("%s: %v, trouble %q", host, err, e.Describe().Trouble)
			continue
		}
		if strings.ContainsAny(asError.Message, "\n\t") {
			t.Errorf("more than a line: %q", asError.Message)
		}
		if _, err := e.Names(t.Context()); err == nil {
			t.Errorf("%s: completion got names", host)
		}
		if _, err := e.History(t.Context(), "x"); err == nil {
			t.Errorf("%s: there is a history", host)
		}
	}
}
