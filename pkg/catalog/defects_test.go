package catalog

import "testing"

func TestDefectOf(t *testing.T) {
	for _, c := range []struct {
		id, version string
		want        bool
	}{
		{StopWithoutEnd, "20.10.0", true}, {StopWithoutEnd, "20.10.9", true}, {StopWithoutEnd, "20.10.10", false},
		{StopWithoutEnd, "20.10.24+dfsg1", false}, {StopWithoutEnd, "19.3.15", false}, {StopWithoutEnd, "", false},
		{KillsWhenLeft, "23.0.0", true}, {KillsWhenLeft, "23.0.7", true}, {KillsWhenLeft, "23.0.8", false},
		{KillsWhenLeft, "24.0.2", true}, {KillsWhenLeft, "24.0.3", false}, {KillsWhenLeft, "20.10.24", false}, {KillsWhenLeft, "25.0.0", false},
		{GhostForMinus1, "29.6.9", false}, {GhostForMinus1, "29.7.0-rc.1", true}, {GhostForMinus1, "30.0.0", true},
		{RemovalOutlives, "28.1.1", true}, {RemovalOutlives, "28.2.0", false}, {RemovalOutlives, "dev", false},
		{"no-such", "20.10.0", false},
	} {
		if got := DefectOf(c.id, c.version) != nil; got != c.want {
			t.Errorf("%s of %q: %v, want %v", c.id, c.version, got, c.want)
		}
	}
	for _, d := range Defects {
		if d.Says == "" || d.Source == "" || d.WayOut == "" || len(d.Versions) == 0 {
			t.Errorf("%s is not complete", d.ID)
		}
	}
}
