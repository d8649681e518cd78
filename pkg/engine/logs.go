package engine

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"strings"
)

// A container's log comes in frames of one stream each, with a head of 8 bytes:
// stream, 0, 0, 0, length (big endian). With a terminal it comes as it is.

// maxFrame bounds what is believed of a frame's head: dockerd writes 16 KiB at
// most. A head that claims more is no head.
const maxFrame = 1 << 20

// frames takes the heads out of a log.
type frames struct {
	from io.Reader
	left int // of this frame
}

// logText is the text of a log.
func logText(r io.Reader, tty bool) io.Reader {
	if tty {
		return r
	}
	return &frames{from: r}
}

var errFrame = errors.New("not the form of a container's log")

// Read implements io.Reader.
func (f *frames) Read(p []byte) (int, error) {
	for f.left == 0 {
		var head [8]byte
		if _, err := io.ReadFull(f.from, head[:]); err != nil {
			if errors.Is(err, io.ErrUnexpectedEOF) {
				err = io.EOF
			}
			return 0, err
		}
		n := binary.BigEndian.Uint32(head[4:])
		if head[0] > 3 || n > maxFrame {
			return 0, errFrame
		}
		f.left = int(n)
	}
	n, err := f.from.Read(p[:min(len(p), f.left)])
	f.left -= n
	return n, err
}

// maxLine is how much of a line is looked at in one piece.
const maxLine = 64 << 10

// eachLine calls f for each line until it says false; the error is what ended
// the reading, io.EOF at the end.
func eachLine(r io.Reader, f func([]byte) bool) error {
	b := bufio.NewReaderSize(r, maxLine)
	for {
		line, err := b.ReadSlice('\n')
		if len(line) > 0 && !f(bytes.TrimRight(line, "\r\n")) {
			return nil
		}
		if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
			return err
		}
	}
}

// lastLines keeps the last lines of a text, cut to so many bytes in all. A text
// without an end is given up after a bound of its own.
func lastLines(r io.Reader, lines, room int) ([]string, error) {
	var last []string
	err := eachLine(io.LimitReader(r, 4<<20), func(line []byte) bool {
		last = append(last, strings.ToValidUTF8(string(line[:min(len(line), room)]), "\ufffd"))
		if len(last) > lines {
			last = last[1:]
		}
		return true
	})
	for total, i := 0, len(last)-1; i >= 0; i-- {
		if total += len(last[i]); total > room {
			last = last[i+1:]
			break
		}
	}
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return last, err
}
