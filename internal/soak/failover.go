package soak

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgserver"
)

// failOver lets an asynchronous standby take over that has missed the last
// commits. They were acknowledged, and they are gone: it counts only if there
// were some.
func (w *world) failOver(ctx context.Context, _ *rand.Rand) (bool, error) {
	begun := time.Now()
	if begun.Before(w.nextFailover) {
		return false, nil
	}
	standby, err := w.newStandby(ctx)
	if err != nil {
		return false, err
	}
	copying := time.Since(begun)
	// What it will miss is gone for ever, unless somebody says it again. Kafka's
	// records are read again. Callers say nothing until it is promoted, and the service
	// itself nothing that is published; what they said before reaches it. Else commands
	// would have been published that nobody knows of afterwards.
	w.calling.Lock()
	defer w.calling.Unlock()
	mute, err := w.mute(ctx)
	if err == nil {
		defer func() { _ = mute.Close(context.WithoutCancel(ctx)) }()
		err = w.reached(ctx, standby)
	}
	if err != nil {
		return false, err
	}
	// From here on the standby misses everything.
	if err := standby.Stop(); err != nil {
		return false, err
	}
	followed, err := w.mustRead(ctx)
	if err != nil {
		return false, err
	}
	before := followed
	w.await(ctx, missingLimit, func(p position) bool {
		before = p
		return p.sum() >= followed.sum()+missed
	})
	if _, err := mute.Exec(ctx, "SELECT"); err != nil {
		return false, fmt.Errorf("the service was not kept quiet: %w", err)
	}
	old := w.primary()
	if err := old.Kill(); err != nil {
		return false, err
	}
	w.postgresProxy.Cut()
	if err := w.promote(ctx, standby); err != nil {
		return false, err
	}
	w.setPrimary(standby)
	after, err := w.mustRead(ctx)
	if err != nil {
		return false, err
	}
	w.postgresProxy.LeadTo(standby.Addr())
	lost := max(0, before.sum()-after.sum())
	w.lostTail.Add(lost)
	if lost > 0 {
		// A large database is copied for long, and the other faults wait for it.
		w.nextFailover = time.Now().Add(10 * copying)
	}
	return lost > 0, os.RemoveAll(old.DataDir())
}

// What the standby is to miss.
const (
	missed       = 200         // records
	missingLimit = time.Minute // for that; fewer are enough then
)

// reached waits until a standby has all that the primary has by now.
func (w *world) reached(ctx context.Context, standby *pgserver.Server) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	var at string
	err := askOnce(ctx, w.databaseURL(false), "SELECT pg_current_wal_flush_lsn()::text", &at)
	for err == nil {
		there := false
		if err = askOnce(ctx, standby.URL("postgres"), "SELECT coalesce(pg_last_wal_replay_lsn() >= $1::pg_lsn, false)", &there, at); there {
			return nil
		}
		wait(ctx, 50*time.Millisecond)
	}
	return fmt.Errorf("wait for the standby to follow: %w", err)
}

// askOnce asks a database directly for one value.
func askOnce(ctx context.Context, url, query string, value any, args ...any) error {
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	return conn.QueryRow(ctx, query, args...).Scan(value)
}

// newStandby makes a standby of the present primary, which follows it.
func (w *world) newStandby(ctx context.Context) (*pgserver.Server, error) {
	dir := w.nextCluster()
	if err := os.Mkdir(dir, 0o700); err != nil {
		return nil, err
	}
	cluster := filepath.Join(dir, "cluster")
	backup := w.primary().Installation().Command(ctx, "pg_basebackup", "--pgdata", cluster, "--write-recovery-conf", "--checkpoint=fast", "--wal-method=stream",
		"--no-sync", "--dbname", w.primary().URL("postgres"))
	var said bytes.Buffer
	backup.Stdout, backup.Stderr = &said, &said
	if err := backup.Run(); err != nil {
		return nil, fmt.Errorf("pg_basebackup: %w: %s", err, said.Bytes())
	}
	password, err := os.ReadFile(filepath.Join(w.primary().DataDir(), "password"))
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "password"), password, 0o600)
	}
	if err == nil {
		err = giveTo(filepath.Join(w.primary().DataDir(), "cluster"), dir)
	}
	if err != nil {
		return nil, fmt.Errorf("make a standby: %w", err)
	}
	return pgserver.Start(ctx, pgserver.Options{DataDir: dir, Durable: true, Settings: postgresSettings, Progress: w.options.Progress})
}

// giveTo gives a folder to the owner of another: PostgreSQL does not run as root.
func giveTo(model, dir string) error {
	info, err := os.Stat(model)
	if err != nil {
		return err
	}
	owner, ok := info.Sys().(*syscall.Stat_t)
	if !ok || int(owner.Uid) == os.Geteuid() {
		return nil
	}
	return filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		return errors.Join(err, os.Lchown(path, int(owner.Uid), int(owner.Gid)))
	})
}

// promote makes a standby, which is stopped, a primary.
func (w *world) promote(ctx context.Context, standby *pgserver.Server) error {
	if err := standby.Restart(ctx); err != nil {
		return err
	}
	conn, err := pgx.Connect(ctx, standby.URL("postgres"))
	if err != nil {
		return fmt.Errorf("promote the standby: %w", err)
	}
	defer func() { _ = conn.Close(ctx) }()
	var promoted bool
	if err := conn.QueryRow(ctx, "SELECT pg_promote(true, 60)").Scan(&promoted); err != nil || !promoted {
		return fmt.Errorf("promote the standby: %t, %w", promoted, err)
	}
	return nil
}
