package probe

import "testing"

func TestEstablished(t *testing.T) {
	const head = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
	cases := map[string]int{
		"":   0,
		head: 0,
		head + "   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1 1\n":                                         0,
		head + "   0: 0100007F:1F90 0100007F:9C40 01 00000000:00000000 00:00000000 00000000     0        0 1 1\n   1: 0100007F:1F90 0100007F:9C41 06 0\n": 1,
		head + "garbage\n 1: 2 3 01": 1,
	}
	for table, want := range cases {
		if got := established([]byte(table)); got != want {
			t.Errorf("%q: got %d, want %d", table, got, want)
		}
	}
}
