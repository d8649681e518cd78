package look

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/whystuck/whystuck/pkg/evidence"
)

// Whose files a thread of dockerd hangs on.
func TestHangsOnLog(t *testing.T) {
	mine, other := strings.Repeat("a", 64), strings.Repeat("b", 64)
	task := func(state, path string) evidence.Task {
		return evidence.Task{TID: 7, State: state, About: &evidence.About{Path: path}}
	}
	for name, c := range map[string]struct {
		task evidence.Task
		want *evidence.LogPath
	}{
		"its log":         {task("D", "/data/containers/"+mine+"/"+mine+"-json.log"), &evidence.LogPath{DaemonTID: 7}},
		"another's":       {task("D", "/data/containers/"+other+"/config.v2.json"), &evidence.LogPath{DaemonTID: 7, Beside: true}},
		"an image":        {task("D", "/data/overlay2/"+other+"/link"), nil},
		"sleeps":          {task("S", "/data/containers/"+mine+"/x"), nil},
		"nothing of file": {evidence.Task{TID: 7, State: "D"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			parts := []evidence.Part{{Role: evidence.RoleContainerd}, {Role: evidence.RoleDaemon, Process: &evidence.Process{Tasks: []evidence.Task{c.task}}}}
			if diff := cmp.Diff(c.want, hangsOnLog(parts, mine)); diff != "" {
				t.Error(diff)
			}
		})
	}
}
