package smoke

import "testing"

// TestOurs: a production container that carries an image's labels is not ours.
func TestOurs(t *testing.T) {
	for name, want := range map[string]bool{
		newName():                      true,
		"whystuck-static-00112233aabb": true,
		"web":                          false,
		"":                             false,
		"my-whystuck-image-1":          false,
	} {
		if got := ours(name); got != want {
			t.Errorf("%q: %v, want %v", name, got, want)
		}
	}
}
