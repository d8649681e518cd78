package main

import (
	"context"
	"strings"
	"testing"
	"time"
)

func TestMedian(t *testing.T) {
	tests := []struct {
		in   []time.Duration
		want time.Duration
	}{
		{nil, 0}, {[]time.Duration{7}, 7}, {[]time.Duration{9, 1, 5}, 5}, {[]time.Duration{9, 1, 5, 7}, 6},
	}
	for _, tt := range tests {
		if got := median(tt.in); got != tt.want {
			t.Errorf("median of %v is %v, want %v", tt.in, got, tt.want)
		}
	}
}

func TestMeasure(t *testing.T) {
	sleep := command{"sleep", []string{"sleep", "0.05"}, []int{0}}
	results, err := measure(context.Background(), []command{sleep}, nil, 3)
	if err != nil {
		t.Fatal(err)
	}
	if r := results["sleep"]; r.least < 50*time.Millisecond || r.median < r.least || r.median > 2*time.Second || r.rss < 100<<10 {
		t.Errorf("measured %+v", r)
	}
	// A command that fails is no measurement.
	if _, err := measure(context.Background(), []command{{"false", []string{"false"}, []int{0}}}, nil, 1); err == nil {
		t.Error("a failing command was measured")
	}
	if _, err := measure(context.Background(), []command{{"none", []string{"/does/not/exist"}, []int{0}}}, nil, 1); err == nil {
		t.Error("a missing command was measured")
	}
}

func TestTargets(t *testing.T) {
	at := func(d time.Duration) result { return result{median: d, least: d, rss: 20 << 20} }
	all := map[string]result{}
	for _, c := range commands("") {
		all[c.name] = at(10 * time.Millisecond)
	}
	all["ps -eLo ..."] = at(15 * time.Millisecond)
	text := table(options{runs: 1}, all, all)
	for line := range strings.Lines(text) {
		if strings.Contains(line, "/ ps") != strings.Contains(line, "MISSED") {
			t.Errorf("10 ms against 15 ms of ps misses 0.5, and nothing else does:\n%s", text)
			break
		}
	}
}
