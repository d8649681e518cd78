package probe

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

// A file in one piece comes whole, however much longer it is than the buffer.
func TestRecord(t *testing.T) {
	r := New(Config{}).newReader()
	defer r.close()
	for _, size := range []int{0, 1, firstRead - 1, firstRead, firstRead + 1, 3*firstRead + 7, maxRead} {
		path, want := filepath.Join(t.TempDir(), "status"), bytes.Repeat([]byte("x"), size)
		if err := os.WriteFile(path, want, 0o600); err != nil {
			t.Fatal(err)
		}
		for name, read := range map[string]func(string, int) ([]byte, error){"read": r.read, "record": r.record} {
			if got, err := read(path, maxRead); err != nil || !bytes.Equal(got, want) {
				t.Errorf("%s of %d bytes: %d, %v", name, size, len(got), err)
			}
			if got, err := read(path, 10); err != nil || len(got) != min(size, 10) {
				t.Errorf("%s of %d bytes, at most 10: %d, %v", name, size, len(got), err)
			}
		}
	}
}
