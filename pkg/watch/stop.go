package watch

import (
	"time"

	"github.com/whystuck/whystuck/pkg/diagnose"
)

// The engine's waits after SIGKILL (moby daemon/kill.go and stop.go): ten
// seconds for the exit event, two after a kill(2) of its own, two more in stop.
const (
	afterKill = 10 * time.Second
	stopEnds  = 14 * time.Second
	killEnds  = 12 * time.Second
	// giveUp is how much later than that the engine has surely given up.
	giveUp = time.Second
	// slack is how much later than its time the engine's SIGKILL may be seen.
	slack = 400 * time.Millisecond
	// foreverIs how long a stop without a timeout may take before it is told: the
	// engine will never send SIGKILL.
	foreverIs = 60 * time.Second
)

// stopping is one container's stop under way, from the first signal to the end.
type stopping struct {
	command string
	signal  int
	at      time.Time // the engine's clock
	began   Moment
	timeout time.Duration // negative: for ever
	source  string        // of timeout

	killAt   time.Time // of SIGKILL, the engine's clock
	killed   *Moment   // nil: no SIGKILL yet
	oom      bool
	told     string // latest stage told
	hopeless bool   // the diagnosis says that it will not end, SIGKILL seen or not
	untold   *Report

	looked    int    // looks asked for before the timeout
	ahead     string // the stage for which a look was asked for
	diagnosis *diagnose.Container
	diagnosed time.Duration // after began
	note      string
}

// step is a moment at which something is to be done about a stop.
type step struct {
	at   time.Duration // Moment.Mono
	what string        // a stage, or stepLook
}

const stepLook = "look"

// earlyLook and lastLook are when a stop that is still under way is looked at
// before its timeout: SIGKILL takes away what there was to see. Most stops have
// ended by the first.
const (
	earlyLook = time.Second
	lastLook  = 400 * time.Millisecond // before the timeout
	lookAhead = 2500 * time.Millisecond
)

// next is what comes next; false: nothing but its end.
func (s *stopping) next() (step, bool) {
	stage, ok := s.stage()
	if !ok {
		return step{}, false
	}
	if at, ok := s.lookBefore(stage); ok {
		return step{at, stepLook}, true
	}
	return stage, true
}

// did notes that a step was taken.
func (s *stopping) did(what string) {
	if what != stepLook {
		s.told = what
		return
	}
	s.looked++
	if stage, ok := s.stage(); ok {
		s.ahead = stage.what
	}
}

// underWay: as far as is known, somebody waits for the end. A signal may have been
// meant to be handled, and so may the stop signal once the timeout has passed
// without a SIGKILL: it was docker kill, or a timeout that nobody can know.
func (s *stopping) underWay() bool {
	return s.command != CommandSignal && (s.told != StageAssumed || s.killed != nil || s.hopeless)
}

// stage is the next stage to tell.
func (s *stopping) stage() (step, bool) {
	switch {
	case s.command == CommandSignal || s.told == StageNever:
		return step{}, false
	case s.killed == nil:
		return s.stageBeforeKill()
	}
	base, end := s.killed.Mono, stopEnds
	if s.command == CommandKill {
		end = killEnds
	}
	switch s.told {
	case "", StageAssumed:
		if s.command == CommandStop {
			return step{base, StageTimeout}, true
		}
		return step{base + afterKill, StageTimeout10}, true
	case StageTimeout:
		return step{base + afterKill, StageTimeout10}, true
	}
	return step{base + end + giveUp, StageNever}, true
}

// stageBeforeKill is the next stage while only the stop signal has been sent.
func (s *stopping) stageBeforeKill() (step, bool) {
	from := s.began.Mono + s.limit()
	switch {
	case s.timeout < 0 && s.hopeless:
		return step{from, StageNever}, true
	case s.told == "":
		return step{from + slack, StageAssumed}, true
	case !s.hopeless: // a longer timeout, or docker kill with the stop signal: it may take its time
		return step{}, false
	case s.told == StageAssumed:
		return step{from + afterKill, StageTimeout10}, true
	}
	return step{from + stopEnds + giveUp, StageNever}, true
}

// limit is when a stop without SIGKILL is told of.
func (s *stopping) limit() time.Duration {
	if s.timeout < 0 {
		return foreverIs
	}
	return s.timeout
}

// lookBefore is when a look has to begin, so that it has come to its end when a
// stage is told. Before the timeout there are two, since SIGKILL takes away what
// there is to see, and comes earlier where a shorter timeout was asked for.
func (s *stopping) lookBefore(stage step) (time.Duration, bool) {
	switch {
	case stage.what == StageTimeout10, stage.what == StageNever && s.told != "":
		return stage.at - lookAhead, s.ahead != stage.what
	case s.killed != nil || s.told != "":
		return 0, false
	}
	from, limit := s.began.Mono, s.limit()
	early, last := min(earlyLook, limit/2), limit-lastLook
	switch {
	case s.looked == 0:
		return from + early, true
	case s.looked == 1 && last > early+lastLook:
		return from + last, true
	}
	return 0, false
}

// outcome is the word for how it ended, with the exit code if that is known.
func (s *stopping) outcome(code *int) string {
	switch {
	case s.told == StageNever:
		return OutcomeStuck
	case s.command == CommandKill:
		return OutcomeDies
	case code != nil && *code == 137, code == nil && s.killed != nil:
		return OutcomeKilled
	case code == nil:
		return OutcomeUnseen
	}
	return OutcomeStops // also where it exited by itself in the moment of SIGKILL
}
