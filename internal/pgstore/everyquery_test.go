package pgstore_test

import (
	"errors"
	"reflect"
	"slices"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgstore/internal/dbsqlc"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/testenv"
)

// sqlc cannot see that a parameter or a column has a type that the driver will
// not encode or scan: only a call does.
func TestEveryGeneratedQueryIsCalled(t *testing.T) {
	t.Parallel()
	called := map[string]bool{}
	for _, c := range slices.Concat(seeding(), reading(new(int)), apiCalls(new(int)), reportCalls(new(int)), retentionCalls(new(int))) {
		called[c.method] = true
	}
	for m := range reflect.TypeFor[*dbsqlc.Queries]().Methods() {
		if m.Name != "WithTx" && !called[m.Name] {
			t.Errorf("generated method %s is never called by the tests of this file", m.Name)
		}
	}
}

func TestEveryGeneratedQueryOnAnEmptyDatabase(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	pool := testenv.Postgres(t).Pool(t)
	for _, c := range slices.Concat(seeding(), reading(new(int)), apiCalls(new(int)), reportCalls(new(int)), retentionCalls(new(int))) {
		tx, err := pool.Begin(ctx)
		if err != nil {
			t.Fatal(err)
		}
		q := dbsqlc.New(tx)
		if c.method == "SaveDetails" || c.method == "InsertDetails" { // those with a foreign key
			if err := allOf(q.SaveRun(ctx, []dbsqlc.SaveRunParams{fullRun(), bareRun()}).Exec); err != nil {
				t.Fatal(err)
			}
		}
		if err := c.run(ctx, q); err != nil && !errors.Is(err, pgx.ErrNoRows) {
			t.Errorf("%s: %v", c.method, err)
		}
		if err := tx.Rollback(ctx); err != nil {
			t.Fatal(err)
		}
	}
}

func TestEveryGeneratedQueryOnASeededDatabase(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	pool := testenv.Postgres(t).Pool(t)
	var found int
	calls := slices.Concat(seeding(), reading(&found), apiCalls(&found), reportCalls(&found), retentionCalls(&found))
	once := map[string]bool{
		"InsertRuns": true, "InsertDetails": true, "InsertEvents": true, "InsertPhases": true, "InsertSteps": true, "InsertFaults": true,
		"InsertValidations": true, "InsertSnapshots": true, "InsertLogs": true, "InsertDefinitionEvent": true, "InsertAnnotations": true,
	}
	for _, round := range []string{"first", "second"} {
		for _, c := range calls {
			if round == "second" && once[c.method] {
				continue
			}
			found = 0
			if err := c.run(ctx, dbsqlc.New(pool)); err != nil {
				t.Errorf("%s, %s call: %v", c.method, round, err)
			}
			if c.finds && found == 0 {
				t.Errorf("%s, %s call: finds nothing", c.method, round)
			}
		}
	}
}
