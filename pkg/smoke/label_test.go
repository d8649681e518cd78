package smoke

import (
	"os"
	"os/exec"
	"testing"
	"time"
)

func TestCreator(t *testing.T) {
	now := time.Now()
	me := self("")
	me.Until = now.Add(-time.Hour)
	got, ok := parseCreator(me.String())
	if !ok || got.PID != os.Getpid() || got.Start == 0 || got.Start != me.Start || got.Boot != me.Boot || got.PIDNS != me.PIDNS || !got.Until.Equal(me.Until.Truncate(time.Second)) {
		t.Fatalf("%+v came back as %+v, %v", me, got, ok)
	}
	if me.over("", now) {
		t.Error("we live, whatever the deadline says")
	}
	other := me
	other.Start++
	if !other.over("", now) {
		t.Error("another process has got our number")
	}
	for _, change := range []func(*Creator){
		func(c *Creator) { c.Boot = "11111111-1111-1111-1111-111111111111" },
		func(c *Creator) { c.PIDNS = "1" },
	} {
		far := me
		change(&far)
		if !far.over("", now) {
			t.Errorf("%+v is beyond its deadline", far)
		}
		far.Until = now.Add(time.Minute)
		if far.over("", now) {
			t.Errorf("%+v may still run, its number means nothing here", far)
		}
	}
}

func TestCreatorThatEnded(t *testing.T) {
	cmd := exec.CommandContext(t.Context(), "sleep", "100")
	if err := cmd.Start(); err != nil {
		t.Skip(err)
	}
	c := self("")
	c.PID = cmd.Process.Pid
	c.Start, _ = startOf("", c.PID)
	if c.over("", time.Now()) {
		t.Error("it runs")
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	for range 100 { // a zombie is over too
		if c.over("", time.Now()) {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	if !c.over("", time.Now()) {
		t.Error("it was killed")
	}
	_ = cmd.Wait()
	if !c.over("", time.Now()) {
		t.Error("it was killed and reaped")
	}
}

func TestForeignLabels(t *testing.T) {
	for _, label := range []string{"", "1", "true", "pid=x start=y", "pid=0 boot=b until=1", "pid=7 start=1 until=5", "pid=7 boot=b"} {
		if c, ok := parseCreator(label); ok {
			t.Errorf("%q was taken for ours: %+v", label, c)
		}
	}
}
