package ingest_test

import "testing"

func TestRedisDies(t *testing.T) {
	t.Parallel()
	w := newFaultWorld(t)
	w.withstand(&fault{
		inject:  func() { must(t, w.redis.Kill()) },
		noticed: func() bool { return w.metric("tcda_redis_up") == 0 },
		works:   true,
		heal:    func() { must(t, w.redis.Restart(t.Context())) },
	})
}
