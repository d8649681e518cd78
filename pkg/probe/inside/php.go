package inside

import (
	"fmt"

	"github.com/whystuck/whystuck/pkg/evidence"
)

// zend_signal_globals_t of PHP 7.1 to 8.4 without thread safety, 64 bits
// (Zend/zend_signal.h): four ints depth, blocked, running, active, two flags,
// then handlers[65] of {int flags, void *handler}.
const (
	zendSize     = 3136
	zendHandlers = 24
	zendEntry    = 16
	zendHandler  = 8
	zendSignals  = 64
)

// readPHP reads the handlers that PHP code has installed. The engine puts its
// own handler in front of all (zend_signal_handler_defer), so TERM is caught
// with and without one; a signal without an entry is raised again with its
// default action, which the init of a PID namespace drops. A thread-safe build
// keeps the table per thread and exports no such variable; php-fpm and the web
// server's module have other rules and do not export what the CLI does.
func readPHP(img *image, m peeker, p *evidence.Process) (*evidence.PHPInside, error) {
	syms, err := img.exported("zend_signal_globals", "sapi_cli_single_write")
	if err != nil {
		return nil, fileError{err}
	}
	globals, ok := syms["zend_signal_globals"]
	if _, cli := syms["sapi_cli_single_write"]; !ok || !cli || globals.size != zendSize {
		return nil, fileError{fmt.Errorf("not a PHP command line with zend_signal: %w", errUnknown)}
	}
	return phpFrom(globals.addr, m, p)
}

func phpFrom(globals uint64, m peeker, p *evidence.Process) (*evidence.PHPInside, error) {
	if p.Signals == nil {
		return nil, fmt.Errorf("PHP without signal masks: %w", errUnknown)
	}
	g, err := m.peek(globals, zendHandlers+zendEntry*zendSignals)
	if err != nil {
		return nil, err
	}
	blocked, running, active := le32(g[4:]), le32(g[8:]), le32(g[12:])
	if blocked > 1 || running > 1 || active > 1 || g[16] > 1 || g[17] > 1 {
		return nil, fmt.Errorf("zend_signal_globals: %w", errUnknown)
	}
	if active == 0 {
		return nil, fmt.Errorf("PHP between two requests: %w", errUnknown)
	}
	out := &evidence.PHPInside{UserHandlers: []int{}}
	for n := 1; n <= zendSignals; n++ {
		switch h := le64(g[zendHandlers+zendEntry*(n-1)+zendHandler:]); {
		case h <= 1: // SIG_DFL, SIG_IGN
		case h < 4096 || h >= 1<<47:
			return nil, fmt.Errorf("handler %#x of signal %d: %w", h, n, errUnknown)
		case n == evidence.SIGPROF: // the engine's timer for max_execution_time, always there
		case p.Signals.Caught.Has(n):
			out.UserHandlers = append(out.UserHandlers, n)
		}
	}
	return out, nil
}
