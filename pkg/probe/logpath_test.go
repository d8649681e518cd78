package probe

import (
	"context"
	"io"
	"net"
	"os"
	"testing"
	"time"

	"github.com/whystuck/whystuck/pkg/evidence"
)

func TestLogEndpoint(t *testing.T) {
	cases := []struct {
		driver, address, ip string
		port                int
	}{
		{"syslog", "tcp://10.0.0.1:601", "10.0.0.1", 601},
		{"syslog", "tcp+tls://logs.example.com", "<nil>", 514},
		{"syslog", "udp://10.0.0.1:514", "<nil>", 0},
		{"syslog", "unix:///dev/log", "<nil>", 0},
		{"gelf", "", "<nil>", 0},
		{"fluentd", "", "<nil>", 24224},
		{"fluentd", "10.0.0.1", "10.0.0.1", 24224},
		{"fluentd", "[::1]:24225", "::1", 24225},
		{"gelf", "tcp://[fd00::1]:12201", "fd00::1", 12201},
		{"splunk", "https://splunk.example.com/path", "<nil>", 443},
		{"splunk", "http://10.0.0.1:8088", "10.0.0.1", 8088},
		{"gelf", "tcp://10.0.0.1:x", "<nil>", 0},
	}
	for _, c := range cases {
		if got := logEndpoint(c.driver, c.address); got.port != c.port || got.ip.String() != c.ip {
			t.Errorf("%s %q: %v %d, want %s %d", c.driver, c.address, got.ip, got.port, c.ip, c.port)
		}
	}
}

func TestParseTCP(t *testing.T) {
	const shut = "   3: 0100007F:ABD0 0100007F:701D 01 002AC7AE:00000000 04:0000016F 00000000     0        0 43984 2 0\n"
	row, ok := parseTCP([]byte(shut))
	if want := (tcpRow{"0100007F:ABD0", "0100007F:701D", 2803630, true, "43984"}); !ok || row != want {
		t.Errorf("%+v %t, want %+v", row, ok, want)
	}
	if ip, port := parseHexAddress(row.remote); ip.String() != "127.0.0.1" || port != 28701 {
		t.Errorf("%v %d", ip, port)
	}
	if ip, port := parseHexAddress("B80D01200000000067452301EFCDAB89:0016"); ip.String() != "2001:db8::123:4567:89ab:cdef" || port != 22 {
		t.Errorf("%v %d", ip, port)
	}
	if got := logEndpoint("syslog", "unixgram:///run/log.sock").path; got != "/run/log.sock" {
		t.Error(got)
	}
	if got := logEndpoint("syslog", "").path; got == "" {
		t.Error("syslog without an address goes to the local one")
	}
	// A peer that has made its receive buffer smaller; the same before it has lasted,
	// one that is gone, and one that is far away and busy (Linux 6.18).
	for line, shut := range map[string]bool{
		"1: 0100007F:A 0100007F:B 01 003A4400:00000000 01:000000ED 00000000 0 0 7 2 0 326 0 0 1 -1": true,
		"1: 0100007F:A 0100007F:B 01 003A4400:00000000 01:0000002D 00000000 0 0 7 2 0 81 0 0 1 -1":  false,
		"1: 0100007F:A 0100007F:B 01 003AA4B4:00000000 01:00000202 00000005 0 0 7 2 0 652 0 0 1 -1": false,
		"1: 0100007F:A 0100007F:B 01 000618F0:00000000 01:0000000E 00000000 0 0 7 2 0 40 0 0 18 -1": false,
		"1: 0100007F:A 0100007F:B 01 003A4400:00000000 01:000000ED 00000000 0 0 7":                  false,
	} {
		if row, ok := parseTCP([]byte(line)); !ok || row.deaf() != shut {
			t.Errorf("%s: %+v", line, row)
		}
	}
	for _, line := range []string{"", "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode",
		"   0: 0100007F:9A36 0100007F:701D 06 00000000:00000000 03:00000201 00000000 0 0 0", "1: a b 01 x:0 0 0 0 0 1"} {
		if row, ok := parseTCP([]byte(line)); ok {
			t.Errorf("%q gives %+v", line, row)
		}
	}
	if _, port := parseHexAddress("zz"); port != 0 {
		t.Error("an address out of nothing")
	}
}

// A real connection whose other end does not read, and one that is read.
func TestLogPaths(t *testing.T) {
	deaf, read := listenAt(t, "tcp", "127.0.0.1:0", false), listenAt(t, "tcp", "127.0.0.1:0", true)
	targets := []*evidence.Target{logTarget("tcp://" + deaf), logTarget("tcp://" + read), logTarget("udp://" + deaf), logTarget("tcp://127.0.0.1:1")}
	for _, address := range []string{deaf, read} {
		c, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Close() })
		_ = c.SetWriteDeadline(time.Now().Add(2 * time.Second))
		_, _ = c.Write(make([]byte, 16<<20))
	}
	New(Config{}).LogPaths(context.Background(), os.Getpid(), targets)
	path := targets[0].Log
	if path == nil || path.Connections != 1 || path.Deaf != 1 || path.Unsent == 0 || path.Peer != deaf || path.ReaderPID != os.Getpid() {
		t.Errorf("the one that does not read: %+v", path)
	}
	if targets[1].Log != nil || targets[2].Log != nil {
		t.Errorf("accused: %+v %+v", targets[1].Log, targets[2].Log)
	}
	if path := targets[3].Log; path == nil || path.Connections != 0 || path.Deaf != 0 {
		t.Errorf("nobody is connected there: %+v", path)
	}
}

// A table that cannot be read says nothing, not that nobody is connected.
func TestLogPathsUnread(t *testing.T) {
	target := logTarget("tcp://127.0.0.1:1")
	New(Config{Proc: t.TempDir()}).LogPaths(context.Background(), 4711, []*evidence.Target{target})
	if target.Log != nil {
		t.Errorf("%+v", target.Log)
	}
}

func logTarget(address string) *evidence.Target {
	return &evidence.Target{Container: &evidence.Container{LogDriver: "syslog", LogAddress: address}}
}

// listenAt takes connections, and reads from them or not.
func listenAt(t *testing.T, network, address string, reads bool) string {
	l, err := net.Listen(network, address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			if reads {
				go func() { _, _ = io.Copy(io.Discard, c) }()
			} else {
				t.Cleanup(func() { _ = c.Close() })
			}
		}
	}()
	return l.Addr().String()
}
