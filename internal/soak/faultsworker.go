package soak

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/soak/checker"
)

func (w *world) workerFaults() lane {
	return lane{gap: 5 * time.Second, stalls: true, faults: []fault{
		{"worker.kill", 4, w.killWorker},
		{"worker.kill-busy", 2, w.killBusyWorkers},
		{"worker.stop", 2, w.stopWorker},
		{"worker.zombie", 2, w.freezeWorker},
		{"group.rebalance", 2, w.joinAndLeave},
		{"group.rewound", 1, w.withoutWorkers(w.commitOffsets(func(_, _ int64) int64 { return 0 }))},
		{"group.advanced", 1, w.withoutWorkers(w.commitOffsets(func(_, end int64) int64 { return end }))},
		{"group.deleted", 1, w.withoutWorkers(w.deleteGroup)},
	}}
}

func (w *world) anyWorker(random *rand.Rand) *worker { return w.workers[random.IntN(len(w.workers))] }

// killWorker is a crash.
func (w *world) killWorker(ctx context.Context, random *rand.Rand) (bool, error) {
	x := w.anyWorker(random)
	if err := x.kill(); err != nil {
		return false, err
	}
	wait(ctx, between(random, 0, time.Second))
	return true, x.start()
}

// killBusyWorkers is a crash of everybody, with transactions in hand that cannot
// be committed: whatever was done about their records before, must not count. It
// counts if they were at work until then, with more to do, and waited for
// PostgreSQL when they died.
func (w *world) killBusyWorkers(ctx context.Context, _ *rand.Rand) (bool, error) {
	atWork := w.atWork(ctx, 5*time.Second)
	w.postgresProxy.Hold(true)
	defer w.postgresProxy.Hold(false)
	wait(ctx, 1500*time.Millisecond) // long enough to do something about them
	ends, known := w.ends(ctx)
	busy := atWork && known && w.postgresProxy.Held() > 0
	for _, x := range w.workers {
		if err := x.kill(); err != nil {
			return false, err
		}
	}
	w.postgresProxy.Cut()
	w.postgresProxy.Hold(false)
	if p, ok := w.await(ctx, 10*time.Second, readable); !ok || p.left(ends) == 0 {
		busy = false
	}
	for _, x := range w.workers {
		if err := x.start(); err != nil {
			return false, err
		}
	}
	return busy, nil
}

// atWork waits for the position to move on, which tells that workers are: for so long
// at most, and before for so long until it can be read.
func (w *world) atWork(ctx context.Context, limit time.Duration) bool {
	before, ok := w.await(ctx, limit, readable)
	if ok {
		_, ok = w.await(ctx, limit, func(p position) bool { return p.sum() > before.sum() })
	}
	return ok
}

// ends are those of Kafka's log; false where Kafka is struck as well.
func (w *world) ends(ctx context.Context) (map[checker.Partition]int64, bool) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	ends, err := w.kafkaLog().Ends(ctx)
	return ends, err == nil
}

// stopWorker is a restart, as of a new version.
func (w *world) stopWorker(_ context.Context, random *rand.Rand) (bool, error) {
	x := w.anyWorker(random)
	if err := x.stop(); err != nil {
		return false, err
	}
	return true, x.start()
}

// busiest is the worker with the most partitions; any, where that is not known.
func (w *world) busiest(ctx context.Context, random *rand.Rand) *worker {
	chosen := w.anyWorker(random)
	p, err := readPosition(ctx, w.databaseURL(false))
	if err != nil {
		return chosen // the database is struck as well
	}
	for _, x := range w.workers {
		if p.owned[x.name] > p.owned[chosen.name] {
			chosen = x
		}
	}
	return chosen
}

// freezeWorker makes a zombie: it falls asleep with transactions in hand, until
// the group has given its partitions to others, and then goes on where it was. It
// counts if another has overtaken it before it woke.
func (w *world) freezeWorker(ctx context.Context, random *rand.Rand) (bool, error) {
	x := w.busiest(ctx, random)
	w.postgresProxy.Hold(true)
	wait(ctx, time.Second) // long enough to have something in hand
	inHand := w.postgresProxy.Held() > 0
	err := x.process.Pause()
	w.postgresProxy.Hold(false)
	if err != nil {
		return false, err
	}
	before, known := w.await(ctx, session/2, readable)
	wait(ctx, session+between(random, 500*time.Millisecond, 2*time.Second))
	overtaken := false
	if inHand && known {
		_, overtaken = w.await(ctx, 2*session, func(p position) bool { return p.overtaken(x.name, before) })
	}
	return overtaken, x.process.Resume()
}

// joinAndLeave makes the group rebalance twice. It counts if who joined was given
// a partition and has claimed it.
func (w *world) joinAndLeave(ctx context.Context, random *rand.Rand) (bool, error) {
	third := &worker{world: w, name: "c"}
	before, known := w.await(ctx, session, readable)
	if err := third.start(); err != nil {
		return false, err
	}
	owned := false
	if known {
		_, owned = w.await(ctx, 3*session, func(p position) bool { return p.claimed(third.name, before) })
	}
	wait(ctx, between(random, 0, 3*time.Second))
	return owned, third.stop()
}

// withoutWorkers does something to the group while nobody is in it, which is
// when Kafka lets outsiders do it. Some workers have died, some were stopped.
func (w *world) withoutWorkers(do func(context.Context, *kadm.Client) error) func(context.Context, *rand.Rand) (bool, error) {
	return func(ctx context.Context, random *rand.Rand) (bool, error) {
		for _, x := range w.workers {
			end := x.stop
			if random.IntN(2) == 0 {
				end = x.kill
			}
			if err := end(); err != nil {
				return false, err
			}
		}
		err := w.asOutsider(ctx, do)
		for _, x := range w.workers {
			err = errors.Join(err, x.start())
		}
		return err == nil, err
	}
}

// asOutsider tries until Kafka lets it: dead members are still in the group for
// their session, and Kafka itself may be away.
func (w *world) asOutsider(ctx context.Context, do func(context.Context, *kadm.Client) error) error {
	for {
		err := func() error {
			client, err := kgo.NewClient(kgo.SeedBrokers(w.kafka.Direct()), kgo.RetryTimeout(time.Second))
			if err != nil {
				return err
			}
			defer client.Close()
			return do(ctx, kadm.NewClient(client))
		}()
		if err == nil {
			return nil
		}
		if !wait(ctx, 200*time.Millisecond) {
			return fmt.Errorf("act as an outsider: %w", err)
		}
	}
}

// commitOffsets commits other offsets to the group: they must mean nothing.
func (w *world) commitOffsets(choose func(start, end int64) int64) func(context.Context, *kadm.Client) error {
	return func(ctx context.Context, admin *kadm.Client) error {
		starts, err := admin.ListStartOffsets(ctx, topics.Executions, topics.Scenarios)
		if err != nil {
			return err
		}
		ends, err := admin.ListEndOffsets(ctx, topics.Executions, topics.Scenarios)
		if err != nil {
			return err
		}
		offsets := kadm.Offsets{}
		ends.Each(func(end kadm.ListedOffset) {
			start, _ := starts.Lookup(end.Topic, end.Partition)
			offsets.AddOffset(end.Topic, end.Partition, choose(start.Offset, end.Offset), -1)
		})
		committed, err := admin.CommitOffsets(ctx, group, offsets)
		if err != nil {
			return err
		}
		return committed.Error()
	}
}

// deleteGroup makes Kafka forget the group, its offsets and its generations. Who
// asks again, since the answer was lost, may find it gone.
func (w *world) deleteGroup(ctx context.Context, admin *kadm.Client) error {
	if _, err := admin.DeleteGroup(ctx, group); !errors.Is(err, kerr.GroupIDNotFound) {
		return err
	}
	return nil
}
