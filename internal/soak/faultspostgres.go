package soak

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/soak/faultproxy"
)

func (w *world) postgresFaults() lane {
	return lane{gap: 2 * time.Second, stalls: true, faults: []fault{
		{"postgres.terminate", 6, w.terminateBackends},
		{"postgres.restart", 2, w.restartPostgres},
		{"postgres.crash", 2, w.crashPostgres},
		{"postgres.freeze", 2, w.freezePostgres},
		{"postgres.cut", 6, w.cut(func() *faultproxy.Proxy { return w.postgresProxy })},
		{"postgres.slow", 4, w.slow(func() *faultproxy.Proxy { return w.postgresProxy }, 30*time.Millisecond)},
		{"postgres.commit", 6, w.cutCommits},
		{"postgres.failover", 1, w.failOver},
	}}
}

// cut ends all connections through a proxy.
func (w *world) cut(of func() *faultproxy.Proxy) func(context.Context, *rand.Rand) (bool, error) {
	return func(context.Context, *rand.Rand) (bool, error) { return of().Cut() > 0, nil }
}

// slow delays everything through a proxy for a while.
func (w *world) slow(of func() *faultproxy.Proxy, most time.Duration) func(context.Context, *rand.Rand) (bool, error) {
	return func(ctx context.Context, random *rand.Rand) (bool, error) {
		of().Slow(between(random, most/10, most))
		wait(ctx, between(random, 300*time.Millisecond, 1500*time.Millisecond))
		of().Slow(0)
		return true, nil
	}
}

// terminateBackends is what an administrator does to sessions.
func (w *world) terminateBackends(ctx context.Context, _ *rand.Rand) (bool, error) {
	conn, err := pgx.Connect(ctx, w.databaseURL(false))
	if err != nil {
		return false, err
	}
	defer func() { _ = conn.Close(ctx) }()
	ended := 0
	err = conn.QueryRow(ctx, `SELECT count(*) FROM (SELECT pg_terminate_backend(pid) AS ended FROM pg_stat_activity
		WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend') AS all_of_them WHERE ended`).Scan(&ended)
	return ended > 0, err
}

// restartPostgres is an administrator's restart: transactions are rolled back.
func (w *world) restartPostgres(ctx context.Context, _ *rand.Rand) (bool, error) {
	return true, w.primary().Restart(ctx)
}

// crashPostgres kills the server and all its processes; it recovers.
func (w *world) crashPostgres(ctx context.Context, random *rand.Rand) (bool, error) {
	if err := w.primary().Kill(); err != nil {
		return false, err
	}
	wait(ctx, between(random, 0, time.Second))
	return true, w.primary().Restart(ctx)
}

// freezePostgres lets connections stand and nobody answer.
func (w *world) freezePostgres(ctx context.Context, random *rand.Rand) (bool, error) {
	if err := w.primary().Pause(); err != nil {
		return false, err
	}
	wait(ctx, between(random, 500*time.Millisecond, 3*time.Second))
	return true, w.primary().Resume()
}

// cutCommits cuts connections in the middle of a COMMIT: nobody knows what
// became of it.
func (w *world) cutCommits(ctx context.Context, random *rand.Rand) (bool, error) {
	w.postgresProxy.CutCommits(1+random.IntN(3), random.IntN(2) == 0)
	for range 30 {
		if w.postgresProxy.Commits() > 0 {
			break
		}
		wait(ctx, 100*time.Millisecond)
	}
	cut := w.postgresProxy.Commits()
	w.postgresProxy.CutCommits(0, false)
	return cut > 0, nil
}
