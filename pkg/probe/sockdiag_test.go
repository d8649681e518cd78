package probe

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/whystuck/whystuck/pkg/evidence"
)

// Real unix sockets, stream and datagram, whose receiver does not read.
func TestUnixPaths(t *testing.T) {
	for _, network := range []string{"unix", "unixgram"} {
		t.Run(network, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "log.sock")
			if network == "unix" {
				listenAt(t, network, path, false)
			} else {
				l, err := net.ListenPacket(network, path)
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { _ = l.Close() })
			}
			c, err := net.Dial(network, path)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = c.Close() })
			target := logTarget(network + "://" + path)
			prober := New(Config{})
			prober.LogPaths(context.Background(), os.Getpid(), []*evidence.Target{target})
			if target.Log != nil {
				t.Fatalf("nothing waits: %+v", target.Log)
			}
			_ = c.SetWriteDeadline(time.Now().Add(time.Second))
			for err == nil {
				_, err = c.Write(make([]byte, 2048))
			}
			prober.LogPaths(context.Background(), os.Getpid(), []*evidence.Target{target})
			got := target.Log
			if got == nil || !got.Unix || got.Connections != 1 || got.Deaf != 1 || got.Unsent == 0 || got.ReaderPID != os.Getpid() {
				t.Errorf("%+v", got)
			}
		})
	}
}

func TestAttribute(t *testing.T) {
	b := []byte{5, 0, 1, 0, 9, 0, 0, 0, 8, 0, 2, 0, 1, 2, 3, 4}
	if got := attribute(b, 2); len(got) != 4 || got[3] != 4 {
		t.Error(got)
	}
	for _, bad := range [][]byte{nil, {1}, {0, 0, 2, 0}, {99, 0, 2, 0}, b[:5]} {
		if got := attribute(bad, 2); got != nil {
			t.Errorf("%v gives %v", bad, got)
		}
	}
}
