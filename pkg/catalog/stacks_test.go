package catalog

import (
	_ "embed"
	"encoding/json"
	"strings"
	"testing"
)

// recordedStack is the stack of a task that hung on somebody's machine, from a
// public report: what cannot be provoked here.
type recordedStack struct {
	Name   string   `json:"name"`
	Source string   `json:"source"` // the report's address
	Kernel string   `json:"kernel"`
	Frames []string `json:"frames"` // innermost first, functions alone
	// What the catalog has to say.
	Topic    string   `json:"topic"`
	Killable Killable `json:"killable"`
	Exiting  bool     `json:"exiting,omitempty"`
}

//go:embed testdata/stacks.json
var stacksJSON []byte

func stacks(t *testing.T) []recordedStack {
	t.Helper()
	var list []recordedStack
	if err := json.Unmarshal(stacksJSON, &list); err != nil {
		t.Fatal(err)
	}
	return list
}

func TestRecordedStacks(t *testing.T) {
	topics := map[string]bool{}
	for _, s := range stacks(t) {
		t.Run(s.Name, func(t *testing.T) {
			if !strings.HasPrefix(s.Source, "https://") || s.Kernel == "" || len(s.Frames) < 3 {
				t.Errorf("no report: %+v", s)
			}
			w := LookupWait(s.Frames, "")
			if w == nil {
				t.Fatalf("not known: %s", strings.Join(s.Frames, " < "))
			}
			if w.Topic != s.Topic || w.Killable != s.Killable {
				t.Errorf("%s, killable %s (row %v); want %s, %s", w.Topic, w.Killable, w.Frames[:1], s.Topic, s.Killable)
			}
			if w.Cause == "" || w.WayOut == "" {
				t.Errorf("no cause or way out: %+v", w)
			}
			if Exiting(s.Frames) != s.Exiting {
				t.Errorf("in its exit: %v, want %v", !s.Exiting, s.Exiting)
			}
		})
		topics[s.Topic] = true
	}
	for _, topic := range []string{"nfs", "cifs", "9p", "ceph", "journal", "zfs", "block", "scsi", "nbd", "gpu", "aio", "memory", "lock", "md", "coredump"} {
		if !topics[topic] {
			t.Errorf("no recorded stack for %s", topic)
		}
	}
}

// TestRecordedRows: a topic that is in the hang bed is not called recorded, and what
// is called so has no scene there.
func TestRecordedRows(t *testing.T) {
	provoked := []string{"fuse", "frozen-fs", "vfork", "autofs", "freezer", "pidns", "ptrace", "stopped", "lookup"}
	for i := range waits {
		w := &waits[i]
		for _, topic := range provoked {
			if w.Topic == topic && w.Recorded {
				t.Errorf("%v: provoked in the hang bed, and marked as recorded", w.Frames)
			}
		}
		if w.Source == "" || w.Cause == "" || w.WayOut == "" || w.Topic == "" || w.Killable == "" {
			t.Errorf("%v: incomplete", w.Frames)
		}
	}
}

// TestLookupOrder: where two rows match, the more telling one wins, and a function
// that calls many others counts only where it sleeps itself.
func TestLookupOrder(t *testing.T) {
	cases := []struct {
		name, stack, topic string
		killable           Killable
	}{
		{"a vfork", "kernel_clone __do_sys_vfork", "vfork", KillableYes},
		{"a fork that waits for the threads' lock of its cgroup", "percpu_rwsem_wait __percpu_down_read cgroup_can_fork copy_process kernel_clone", "frozen-fs", KillableNo},
		{"a fork that waits for a lock", "rwsem_down_write_slowpath down_write dup_mmap copy_process kernel_clone", "lock", KillableNo},
		{"an old vfork", "schedule wait_for_completion_killable _do_fork sys_vfork", "vfork", KillableYes},
		{"reading a page of a FUSE file", "folio_wait_bit_killable filemap_get_pages filemap_read fuse_file_read_iter", "page", KillableYes},
		{"a FUSE request that is not queued yet", "fuse_get_req fuse_simple_request fuse_getxattr", "fuse", KillableYes},
		{"too many dirty pages of a FUSE file", "io_schedule_timeout balance_dirty_pages fuse_cache_write_iter", "memory", KillableYes},
		{"a lock below the writer's brake", "__mutex_lock fuse_set_nowrite balance_dirty_pages fuse_cache_write_iter", "fuse", KillableNo},
		{"the lock of a page of a FUSE file", "__folio_lock invalidate_inode_pages2_range fuse_open", "fuse", KillableNo},
		{"a FUSE request for a page", "request_wait_answer fuse_simple_request fuse_read_folio filemap_read_folio filemap_get_pages", "fuse", KillableUnknown},
		{"an SMB call that waits for the connection's lock", "__mutex_lock compound_send_recv cifs_send_recv", "cifs", KillableUnknown},
		{"a killable lock", "rwsem_down_write_slowpath down_write_killable vm_mmap_pgoff", "lock", KillableYes},
		{"a lock of whatever kind", "rwsem_down_write_slowpath vm_mmap_pgoff", "lock", KillableUnknown},
	}
	for _, c := range cases {
		w := LookupWait(strings.Fields(c.stack), "")
		if w == nil || w.Topic != c.topic || w.Killable != c.killable {
			t.Errorf("%s: %+v, want %s, %s", c.name, w, c.topic, c.killable)
		}
	}
}
