package inside

import (
	"debug/buildinfo"
	"fmt"
	"strconv"
	"strings"

	"github.com/whystuck/whystuck/pkg/evidence"
)

// runtime.sig of Go 1.13 to 1.27 on 64-bit Linux (runtime/sigqueue.go): a note
// of 8 bytes, the masks mask, wanted, ignored, recv of three 32-bit words each,
// state, delivering, inuse. Signal n is bit n, not n-1.
const (
	goSigSize               = 72
	goWanted, goIgnored     = 20, 32
	goMask, goRecv          = 8, 44
	goState, goInUse        = 56, 64
	goFirstMinor            = 13
	goLastMinor             = 27
	maxVersion, maxMainPath = 64, 512
)

// readGo reads the version from the build information, which strip(1) keeps,
// and the signals asked for, which need a symbol table.
func readGo(img *image, m peeker) (*evidence.GoInside, error) {
	if _, ok := img.named(".go.buildinfo"); !ok {
		if _, ok := img.named(".gopclntab"); !ok {
			return nil, fmt.Errorf("not a Go program: %w", errOther)
		}
		return nil, fileError{fmt.Errorf("no build information, Go before 1.13: %w", errUnknown)}
	}
	info, err := buildinfo.Read(img.r)
	if err != nil {
		return nil, fileError{fmt.Errorf("reading Go build information: %w", err)}
	}
	g := &evidence.GoInside{Version: cut(info.GoVersion, maxVersion), Path: cut(info.Path, maxMainPath)}
	if minor := goMinor(info.GoVersion); minor < goFirstMinor || minor > goLastMinor {
		return g, fileError{fmt.Errorf("version %.40q of Go: %w", info.GoVersion, errUnknown)}
	}
	sig, err := img.hidden("runtime.sig", goSigSize, false)
	if err != nil {
		return g, fileError{err}
	}
	data, err := m.peek(sig.addr, goSigSize)
	if err != nil {
		return g, err
	}
	wanted, ignored, err := parseGoSig(data)
	if err != nil {
		return g, err
	}
	g.Wanted, g.Ignored = &wanted, &ignored
	return g, nil
}

// parseGoSig takes the two masks from runtime.sig and refuses what no program
// of the known layout can have there.
func parseGoSig(data []byte) (wanted, ignored evidence.SigSet, err error) {
	if len(data) != goSigSize || le32(data[goState:]) > 2 || data[goInUse] > 1 {
		return 0, 0, fmt.Errorf("runtime.sig: %w", errUnknown)
	}
	masks := map[int]evidence.SigSet{}
	for _, at := range []int{goMask, goWanted, goIgnored, goRecv} {
		low, high := le64(data[at:]), le32(data[at+8:])
		if high > 1 { // 65 does not exist; Notify for all sets bit 0 too
			return 0, 0, fmt.Errorf("runtime.sig: %w", errUnknown)
		}
		masks[at] = evidence.SigSet(low>>1 | uint64(high)<<63)
	}
	if masks[goWanted] != 0 && data[goInUse] == 0 || masks[goWanted]&masks[goIgnored] != 0 {
		return 0, 0, fmt.Errorf("runtime.sig: %w", errUnknown)
	}
	return masks[goWanted], masks[goIgnored], nil
}

// goMinor is 22 for "go1.22.1 X:boringcrypto", -1 for what is no release.
func goMinor(version string) int {
	rest, ok := strings.CutPrefix(version, "go1.")
	if !ok {
		return -1
	}
	end := strings.IndexFunc(rest, func(r rune) bool { return r < '0' || r > '9' })
	if end < 0 {
		end = len(rest)
	}
	n, err := strconv.Atoi(rest[:end])
	if err != nil {
		return -1
	}
	return n
}

// cut bounds a string of the program and makes it valid.
func cut(s string, n int) string {
	return strings.ToValidUTF8(s[:min(len(s), n)], "\uFFFD")
}
