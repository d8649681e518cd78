package evidence

import (
	"encoding/json"
	"fmt"
	"strconv"
)

// SigSet is a set of signals as the kernel prints it: bit n-1 stands for signal
// n. Its JSON form is the 16 hex digits of /proc/PID/status.
type SigSet uint64

// SetOf returns the set of the given signal numbers (1 to 64).
func SetOf(signals ...int) SigSet {
	var s SigSet
	for _, n := range signals {
		s = s.With(n)
	}
	return s
}

// Has reports whether signal n is in the set; false outside 1..64.
func (s SigSet) Has(n int) bool { return n >= 1 && n <= 64 && s&(1<<(n-1)) != 0 }

// With returns the set with signal n in it.
func (s SigSet) With(n int) SigSet {
	if n < 1 || n > 64 {
		return s
	}
	return s | 1<<(n-1)
}

// Signals lists the members in rising order.
func (s SigSet) Signals() []int {
	var out []int
	for n := 1; n <= 64; n++ {
		if s.Has(n) {
			out = append(out, n)
		}
	}
	return out
}

// String is the kernel's form: 16 hex digits.
func (s SigSet) String() string { return fmt.Sprintf("%016x", uint64(s)) }

// ParseSigSet reads the kernel's form. Kernels with more than 64 signals (MIPS
// prints 32 digits) are refused rather than cut.
func ParseSigSet(text string) (SigSet, error) {
	if len(text) == 0 || len(text) > 16 {
		return 0, fmt.Errorf("signal set %q: want 1 to 16 hex digits", text)
	}
	v, err := strconv.ParseUint(text, 16, 64)
	if err != nil {
		return 0, fmt.Errorf("signal set %q: %w", text, err)
	}
	return SigSet(v), nil
}

// MarshalJSON writes the kernel's form as a string.
func (s SigSet) MarshalJSON() ([]byte, error) { return json.Marshal(s.String()) }

// UnmarshalJSON reads what MarshalJSON writes.
func (s *SigSet) UnmarshalJSON(b []byte) error {
	var text string
	if err := json.Unmarshal(b, &text); err != nil {
		return fmt.Errorf("signal set: %w", err)
	}
	v, err := ParseSigSet(text)
	if err != nil {
		return err
	}
	*s = v
	return nil
}
