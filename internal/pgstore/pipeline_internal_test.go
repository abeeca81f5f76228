package pgstore

import (
	"errors"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
)

func TestPipelineSendsTogetherWhatNobodyWaitsFor(t *testing.T) {
	t.Parallel()
	w := newPipelined(t)
	w.write("write one", 1)
	w.write("write two", 2)
	batch := &pgx.Batch{}
	batch.Queue("SELECT count(*) FROM played")
	batch.Queue("SELECT max(n) FROM played")
	later := w.SendBatch(t.Context(), batch)
	w.write("write three", 3)
	if w.trips.n != 0 {
		t.Fatalf("%d round trips before anybody waits", w.trips.n)
	}
	for _, name := range []string{"count", "max"} {
		var n int
		if err := later.QueryRow().Scan(&n); err != nil || n != 2 {
			t.Errorf("%s is %d, %v; want 2: of what stands before it in line", name, n, err)
		}
	}
	if w.trips.n != 1 {
		t.Errorf("%d round trips, want 1", w.trips.n)
	}
	w.copies("copy", []any{int32(4), "copied"})
	w.copies("copy more", []any{int32(5), "copied"}, []any{int32(6), strings.Repeat("x", copyChunk)}, []any{int32(7), "last"})
	if got := w.words(); got != "" {
		t.Errorf("%q is seen before the commit", got)
	}
	if err := w.commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := strings.ReplaceAll(w.words(), strings.Repeat("x", copyChunk), "x"); got != "written written written copied copied x last" {
		t.Errorf("committed is %q", got)
	}
}

// Whatever fails, its error names what it did, nothing is written, and the
// connection can be used again.
func TestPipelineErrorsAreOfTheStatementThatFailed(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		play  func(*pipelined) error
		op    string
		class Class
	}{
		"a write, told to who reads": {
			func(w *pipelined) error {
				w.write("write", 1)
				w.write("write again", 1)
				w.doing("another")
				return w.QueryRow(w.Context(), "SELECT 1").Scan(new(int))
			}, "write again", Bug,
		},
		"a write, told to who waits": {
			func(w *pipelined) error {
				w.write("write", 1)
				w.write("write again", 1)
				_, err := waiting{w.pipeline}.Exec(w.Context(), "DELETE FROM played")
				return err
			}, "write again", Bug,
		},
		"a write, told at the commit": {
			func(w *pipelined) error {
				w.write("write", 1)
				w.write("write again", 1)
				w.copies("copy", []any{int32(2), "b"})
				return w.commit(w.Context())
			}, "write again", Bug,
		},
		"a write, before a value of COPY that cannot be sent": {
			func(w *pipelined) error {
				w.write("write", 1)
				w.write("write again", 1)
				w.copies("copy", []any{int32(2), strings.Repeat("x", 3*copyChunk)})
				w.copies("copy again", []any{int32(3), strings.Repeat("x", 3*copyChunk)}, []any{"four", "c"})
				return w.commit(w.Context())
			}, "write again", Bug,
		},
		"a COPY": {
			func(w *pipelined) error {
				w.copies("copy", []any{int32(1), "a"})
				w.copies("copy again", []any{int32(1), "a"}, []any{int32(2), strings.Repeat("x", 3*copyChunk)})
				w.copies("copy on", []any{int32(3), strings.Repeat("x", 3*copyChunk)})
				return w.commit(w.Context())
			}, "copy again", Bug,
		},
		"a value of COPY, refused by the server": {
			func(w *pipelined) error {
				w.copies("copy", []any{int32(1), "a\x00"})
				return w.commit(w.Context())
			}, "copy", Data,
		},
		"a value of COPY that cannot be sent": {
			func(w *pipelined) error {
				w.copies("copy", []any{int32(1), "a"})
				w.copies("copy again", []any{int32(2), "b"}, []any{"three", "c"})
				w.copies("copy on", []any{int32(4), "d"})
				return w.commit(w.Context())
			}, "copy again", Data,
		},
		"what cannot be prepared": {
			func(w *pipelined) error {
				w.write("write", 1)
				w.doing("write elsewhere")
				if _, err := (queued{w.pipeline}).Exec(w.Context(), "INSERT INTO nowhere VALUES (1)"); err != nil {
					return err
				}
				return w.commit(w.Context())
			}, "write elsewhere", Bug,
		},
		"a trial": {
			func(w *pipelined) error {
				w.copies("copy", []any{int32(1), "a"}, []any{int32(1), "a"})
				return w.finish(w.Context())
			}, "copy", Bug,
		},
	} {
		for when, prepare := range beginnings {
			t.Run(name+" "+when, func(t *testing.T) {
				t.Parallel()
				w := newPipelined(t)
				prepare(w)
				var e *Error
				if err := test.play(w); !errors.As(err, &e) || e.Op != test.op || e.Class != test.class || errors.Is(err, ErrInDoubt) {
					t.Fatalf("error %v, want one of %q of class %v", err, test.op, test.class)
				}
				w.rollback(t.Context())
				if got := w.words(); got != "" {
					t.Errorf("written is %q", got)
				}
				if err := w.conn.Ping(t.Context()); err != nil {
					t.Errorf("the connection: %v", err)
				}
			})
		}
	}
}

func TestPipelineRefusesResultsOutOfOrder(t *testing.T) {
	t.Parallel()
	w := newPipelined(t)
	one, two := &pgx.Batch{}, &pgx.Batch{}
	one.Queue("SELECT 1")
	two.Queue("SELECT 2")
	first, second := w.SendBatch(t.Context(), one), w.SendBatch(t.Context(), two)
	var n int
	if err := second.QueryRow().Scan(&n); err != nil || n != 2 {
		t.Fatalf("the second is %d, %v", n, err)
	}
	if err := first.QueryRow().Scan(&n); !errors.Is(err, errPassed) {
		t.Errorf("the first after the second: %d, %v", n, err)
	}
}
