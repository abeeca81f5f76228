package main

import "testing"

func TestTheHeapsLimitLeavesTheCollectorRoom(t *testing.T) {
	t.Parallel()
	for _, live := range []int64{0, 10 << 20, 60 << 20, 70 << 20, 200 << 20, 4 << 30} {
		limit := heapLimit(live)
		if limit < heapFor {
			t.Errorf("limit %d for %d live bytes, want at least %d", limit, live, heapFor)
		}
		if room := limit - live; room < live {
			t.Errorf("limit %d for %d live bytes: a collection for each %d bytes", limit, live, room)
		}
	}
}
