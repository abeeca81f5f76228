package pgstore_test

import (
	"context"
	"math"
	"time"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgstore/internal/dbsqlc"
)

// apiOnlyCalls calls the methods that only the API needs.
func apiOnlyCalls(found *int) []call {
	rows := func(method string, run func(context.Context, *dbsqlc.Queries) error) call {
		return call{method, run, true}
	}
	writes := func(method string, run func(context.Context, *dbsqlc.Queries) error) call {
		return call{method, run, false}
	}
	affected := func(_ int64, err error) error { return err }
	return []call{
		{"BeginRequest", func(ctx context.Context, q *dbsqlc.Queries) error {
			_, err := q.BeginRequest(ctx, dbsqlc.BeginRequestParams{RequestID: "r", Procedure: "p", Parameters: key, Caller: "me", ReceivedAt: now})
			return err
		}, false},
		{"AnswerRequest", func(ctx context.Context, q *dbsqlc.Queries) error { return q.AnswerRequest(ctx, []byte{1}, "r") }, false},
		{"FindRequest", func(ctx context.Context, q *dbsqlc.Queries) error {
			r, err := q.FindRequest(ctx, "r")
			return oneOf(found, r, err)
		}, true},
		{"ForgetAnswers", func(ctx context.Context, q *dbsqlc.Queries) error {
			_, err := q.ForgetAnswers(ctx, now.Add(-time.Hour), 10)
			return err
		}, false},
		{"LockRequests", func(ctx context.Context, q *dbsqlc.Queries) error { return q.LockRequests(ctx) }, false},
		{"SetKillSwitch", func(ctx context.Context, q *dbsqlc.Queries) error {
			return q.SetKillSwitch(ctx, dbsqlc.SetKillSwitchParams{Engaged: true, Reason: "r", ChangedBy: "me", ChangedAt: now})
		}, false},
		{"KillSwitch", func(ctx context.Context, q *dbsqlc.Queries) error {
			r, err := q.KillSwitch(ctx)
			return oneOf(found, r, err)
		}, true},
		{"ScenarioByID", func(ctx context.Context, q *dbsqlc.Queries) error {
			r, err := q.ScenarioByID(ctx, "s")
			return oneOf(found, r, err)
		}, true},
		{"ScenarioVersion", func(ctx context.Context, q *dbsqlc.Queries) error {
			r, err := q.ScenarioVersion(ctx, "s", "1")
			return oneOf(found, r, err)
		}, true},
		{"ScenarioVersionsPage", func(ctx context.Context, q *dbsqlc.Queries) error {
			r, err := q.ScenarioVersionsPage(ctx, "s", math.MaxInt32, 10)
			return rowsOf(found, r, err)
		}, true},
		{"ScenariosPage", func(ctx context.Context, q *dbsqlc.Queries) error {
			r, err := q.ScenariosPage(ctx, "", 10)
			return rowsOf(found, r, err)
		}, true},
		{"ScenarioStatuses", func(ctx context.Context, q *dbsqlc.Queries) error {
			r, err := q.ScenarioStatuses(ctx, []string{"s"})
			return rowsOf(found, r, err)
		}, true},
		{"DependenciesAbout", func(ctx context.Context, q *dbsqlc.Queries) error {
			r, err := q.DependenciesAbout(ctx, "s")
			return rowsOf(found, r, err)
		}, true},
		{"TemplateByID", func(ctx context.Context, q *dbsqlc.Queries) error {
			r, err := q.TemplateByID(ctx, "t")
			return oneOf(found, r, err)
		}, true},
		{"TemplateVersion", func(ctx context.Context, q *dbsqlc.Queries) error {
			r, err := q.TemplateVersion(ctx, "t", "1")
			return oneOf(found, r, err)
		}, true},
		{"TemplatesPage", func(ctx context.Context, q *dbsqlc.Queries) error {
			r, err := q.TemplatesPage(ctx, "", 10)
			return rowsOf(found, r, err)
		}, true},
		{"LatestEndedRuns", func(ctx context.Context, q *dbsqlc.Queries) error {
			r, err := q.LatestEndedRuns(ctx, []string{""}, []string{"passed"})
			return rowsOf(found, r, err)
		}, true},
		{"LatestEndedRunsIn", func(ctx context.Context, q *dbsqlc.Queries) error {
			r, err := q.LatestEndedRunsIn(ctx, []string{""}, []string{"passed"}, []string{""})
			return rowsOf(found, r, err)
		}, true},
		{"ActiveRunsOf", func(ctx context.Context, q *dbsqlc.Queries) error {
			r, err := q.ActiveRunsOf(ctx, []string{""})
			return rowsOf(found, r, err)
		}, true},
		{"LiveSigns", func(ctx context.Context, q *dbsqlc.Queries) error {
			r, err := q.LiveSigns(ctx, "", 0, 10)
			return rowsOf(found, r, err)
		}, true},
		{"OrphaningRuns", func(ctx context.Context, q *dbsqlc.Queries) error {
			r, err := q.OrphaningRuns(ctx, "", 0, 10)
			return rowsOf(found, r, err)
		}, false},
		{"ActiveFaultsOfRun", func(ctx context.Context, q *dbsqlc.Queries) error {
			r, err := q.ActiveFaultsOfRun(ctx, "exec-1", 1, bucket)
			return rowsOf(found, r, err)
		}, false},
		rows("WatchedTriggers", func(ctx context.Context, q *dbsqlc.Queries) error {
			return batchOf(found, q.WatchedTriggers(ctx, []string{""}).Query)
		}),
		rows("SchedulesWaiting", func(ctx context.Context, q *dbsqlc.Queries) error {
			r, err := q.SchedulesWaiting(ctx, []string{"type"}, []string{"s"})
			return rowsOf(found, r, err)
		}),
		rows("LockDuePlans", func(ctx context.Context, q *dbsqlc.Queries) error {
			r, err := q.LockDuePlans(ctx, now, 10)
			return rowsOf(found, r, err)
		}),
		rows("LockPlans", func(ctx context.Context, q *dbsqlc.Queries) error {
			r, err := q.LockPlans(ctx, []string{"n"})
			return rowsOf(found, r, err)
		}),
		writes("SavePlans", func(ctx context.Context, q *dbsqlc.Queries) error {
			return q.SavePlans(ctx, dbsqlc.SavePlansParams{Now: now, Ids: []string{"n", "bare"}, Versions: []int64{1, 1}, NextDue: []time.Time{now, {}}})
		}),
		rows("LockDueOf", func(ctx context.Context, q *dbsqlc.Queries) error {
			r, err := q.LockDueOf(ctx, []string{"n"}, 10)
			return rowsOf(found, r, err)
		}),
		rows("LatestDueOf", func(ctx context.Context, q *dbsqlc.Queries) error {
			r, err := q.LatestDueOf(ctx, []string{"n"}, now, 10)
			return rowsOf(found, r, err)
		}),
		rows("LockDue", func(ctx context.Context, q *dbsqlc.Queries) error {
			r, err := q.LockDue(ctx, dbsqlc.LockDueParams{Now: now, Page: 10})
			return rowsOf(found, r, err)
		}),
		rows("ClaimOccurrences", func(ctx context.Context, q *dbsqlc.Queries) error {
			r, err := q.ClaimOccurrences(ctx, dbsqlc.ClaimOccurrencesParams{
				Claimer: "c", LeaseSeconds: -half, ScheduleIds: []string{"n"}, OccurrenceIds: []string{"claimed"}, StartBy: []time.Time{now},
			})
			return rowsOf(found, r, err)
		}),
		rows("LockExpired", func(ctx context.Context, q *dbsqlc.Queries) error {
			r, err := q.LockExpired(ctx, 10)
			return rowsOf(found, r, err)
		}),
		rows("OccurrenceByID", func(ctx context.Context, q *dbsqlc.Queries) error {
			r, err := q.OccurrenceByID(ctx, "n", "event")
			return oneOf(found, r, err)
		}),
		rows("RenewClaim", func(ctx context.Context, q *dbsqlc.Queries) error {
			o, err := q.OccurrenceByID(ctx, "n", "claimed")
			if err != nil {
				return err
			}
			r, err := q.RenewClaim(ctx, dbsqlc.RenewClaimParams{LeaseSeconds: -half, ScheduleID: "n", OccurrenceID: "claimed", Token: o.ClaimToken})
			return oneOf(found, r, err)
		}),
		writes("CompleteClaim", func(ctx context.Context, q *dbsqlc.Queries) error {
			o, err := q.OccurrenceByID(ctx, "n", "completed")
			if err != nil || o.Status != "due" { // completed by a former call
				return err
			}
			if _, err := q.ClaimOccurrences(ctx, dbsqlc.ClaimOccurrencesParams{LeaseSeconds: half, ScheduleIds: []string{"n"}, OccurrenceIds: []string{"completed"}, StartBy: []time.Time{{}}}); err != nil {
				return err
			}
			_, err = q.CompleteClaim(ctx, dbsqlc.CompleteClaimParams{
				Outcome: "started", Detail: "d", ExecutionID: "exec-1", Run: number(1), Now: now, ScheduleID: "n", OccurrenceID: "completed", Token: 1,
			})
			return err
		}),
		rows("RivalsOf", func(ctx context.Context, q *dbsqlc.Queries) error {
			r, err := q.RivalsOf(ctx, now, []string{"n"}, 10)
			return rowsOf(found, r, err)
		}),
		writes("EndRuns", func(ctx context.Context, q *dbsqlc.Queries) error {
			return q.EndRuns(ctx, []string{"n"}, []string{"completed"})
		}),
		writes("MoveStartBy", func(ctx context.Context, q *dbsqlc.Queries) error {
			return q.MoveStartBy(ctx, []string{"n", "n"}, []string{"event", "late"}, []time.Time{{}, now})
		}),
		writes("SettleLate", func(ctx context.Context, q *dbsqlc.Queries) error {
			return affected(q.SettleLate(ctx, now.Add(time.Second), 10))
		}),
		writes("SettleOccurrences", func(ctx context.Context, q *dbsqlc.Queries) error {
			return q.SettleOccurrences(ctx, dbsqlc.SettleOccurrencesParams{
				Now: now, ScheduleIds: []string{"n"}, OccurrenceIds: []string{"late"}, Statuses: []string{"skipped"}, Reasons: []string{"removed"}, Details: []string{"d"},
			})
		}),
		writes("ForgetOccurrences", func(ctx context.Context, q *dbsqlc.Queries) error {
			return affected(q.ForgetOccurrences(ctx, now.Add(-time.Hour), 10))
		}),
		writes("ServerTime", func(ctx context.Context, q *dbsqlc.Queries) error {
			_, err := q.ServerTime(ctx)
			return err
		}),
		rows("OccurrencesPage", func(ctx context.Context, q *dbsqlc.Queries) error {
			r, err := q.OccurrencesPage(ctx, dbsqlc.OccurrencesPageParams{ScheduleID: "n", Before: now.Add(time.Hour), Page: 10})
			return rowsOf(found, r, err)
		}),
		rows("RenewLock", func(ctx context.Context, q *dbsqlc.Queries) error {
			l, err := q.RenewLock(ctx, 60, "held", 1)
			return oneOf(found, l, err)
		}),
		rows("GuardLock", func(ctx context.Context, q *dbsqlc.Queries) error {
			l, err := q.GuardLock(ctx, "held")
			return oneOf(found, l, err)
		}),
		rows("LockByName", func(ctx context.Context, q *dbsqlc.Queries) error {
			l, err := q.LockByName(ctx, "held")
			return oneOf(found, l, err)
		}),
		rows("HeldLocks", func(ctx context.Context, q *dbsqlc.Queries) error {
			r, err := q.HeldLocks(ctx, "", 10)
			return rowsOf(found, r, err)
		}),
		rows("AllLocks", func(ctx context.Context, q *dbsqlc.Queries) error {
			r, err := q.AllLocks(ctx, "", 10)
			return rowsOf(found, r, err)
		}),
		rows("AuditPage", func(ctx context.Context, q *dbsqlc.Queries) error {
			r, err := q.AuditPage(ctx, math.MaxInt64, 10)
			return rowsOf(found, r, err)
		}),
		rows("AuditPageByActor", func(ctx context.Context, q *dbsqlc.Queries) error {
			r, err := q.AuditPageByActor(ctx, "me", math.MaxInt64, 10)
			return rowsOf(found, r, err)
		}),
		rows("AuditPageBySubject", func(ctx context.Context, q *dbsqlc.Queries) error {
			r, err := q.AuditPageBySubject(ctx, "broken", math.MaxInt64, 10)
			return rowsOf(found, r, err)
		}),
	}
}
