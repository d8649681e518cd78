package cli

import (
	"fmt"

	"github.com/moby/sys/signal"
)

// parseSignal reads a signal as dockerd does, with the same code: names with or
// without SIG in any case, numbers, RTMIN+n. Like `docker kill` it refuses
// numbers that have no name (32 and 33 belong to libc's threads).
func parseSignal(flag, text string) (int, error) {
	sig, err := signal.ParseSignal(text)
	if err != nil || !signal.ValidSignalForPlatform(sig) {
		return 0, fmt.Errorf("--%s %.40q is no signal: want a name (TERM, SIGHUP, RTMIN+3) or a number from 1 to 64", flag, text)
	}
	return int(sig), nil
}
