package verify

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgstore"
)

// daysAtOnce is how many days of a scenario are computed and compared at once.
const daysAtOnce = 50

// rollups verifies the analysts' figures against the runs: those of each scenario
// and day from the raw rows, and the summaries from the former. What still waits
// for the roller cannot be, nor what was kept of runs that were pruned.
func (v *verification) rollups(ctx context.Context) error {
	scenarios, err := v.store.RollupScenarios(ctx)
	if err != nil {
		return err
	}
	today := time.Now().UTC().Truncate(24 * time.Hour)
	waiting, pruned := 0, 0
	for _, scenario := range scenarios {
		days, err := v.store.RollupDays(ctx, scenario)
		if err != nil {
			return err
		}
		dates := make([]time.Time, len(days))
		for i, d := range days {
			if dates[i] = d.Day; d.Pruned {
				pruned++
			}
		}
		dirty, err := v.rollupsOf(ctx, scenario, dates, today)
		if err != nil {
			return err
		}
		if dirty {
			waiting++
		}
	}
	if waiting > 0 {
		v.report.cannotVerify("rollups of %d scenarios: runs have changed since they were made", waiting)
	}
	if pruned > 0 {
		v.report.cannotVerify("what runs that were pruned contribute to the rollups of %d days of scenarios", pruned)
	}
	return nil
}

// rollupsOf verifies those of one scenario, unless it is dirty.
func (v *verification) rollupsOf(ctx context.Context, scenario string, days []time.Time, today time.Time) (dirty bool, err error) {
	for chunk := range slices.Chunk(days, daysAtOnce) {
		if dirty, err = v.compareRollups(ctx, scenario, chunk, today); err != nil || dirty {
			return dirty, err
		}
		v.report.Rollups += int64(len(chunk))
	}
	return v.compareRollups(ctx, scenario, nil, today)
}

func (v *verification) compareRollups(ctx context.Context, scenario string, days []time.Time, today time.Time) (dirty bool, err error) {
	found, dirty, err := v.store.RollupDifferences(ctx, scenario, days, today, MaxDifferences)
	if err != nil || dirty {
		return dirty, err
	}
	for i := range found {
		if err := v.rollupDiffers(scenario, &found[i]); err != nil {
			return false, err
		}
	}
	return false, nil
}

// rollupDiffers reports the fields in which a row of rollups is not what it
// should be.
func (v *verification) rollupDiffers(scenario string, d *pgstore.RollupDifference) error {
	var key, stored, computed map[string]json.RawMessage
	for _, part := range []struct {
		of   json.RawMessage
		into *map[string]json.RawMessage
	}{{d.Key, &key}, {d.Stored, &stored}, {d.Computed, &computed}} {
		if part.of == nil {
			continue
		}
		if err := json.Unmarshal(part.of, part.into); err != nil {
			return fmt.Errorf("read a row of %s: %w", d.Table, err)
		}
	}
	subject := fmt.Sprintf("%s of scenario %q", d.Table, scenario)
	for _, name := range []string{"day", "ordinal", "window_days", "environment", "group_id"} {
		if value := key[name]; value != nil {
			subject += fmt.Sprintf(" %s %s", name, short(string(value)))
		}
	}
	switch {
	case stored == nil:
		v.report.add(subject, "row", absent, "present")
		return nil
	case computed == nil:
		v.report.add(subject, "row", "present", absent)
		return nil
	}
	for _, name := range slices.Sorted(maps.Keys(stored)) {
		if !sameJSON(stored[name], computed[name]) {
			v.report.add(subject, name, jsonText(stored[name]), jsonText(computed[name]))
		}
	}
	return nil
}
