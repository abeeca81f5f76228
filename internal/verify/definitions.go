package verify

import (
	"context"
	"fmt"
	"slices"
	"strconv"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/event"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgstore"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/scenario"
)

// definitions verifies all templates, scenarios and schedules.
func (v *verification) definitions(ctx context.Context) error {
	for after := (pgstore.Aggregate{}); ; {
		page, err := v.store.AggregatesAfter(ctx, after, pageSize)
		if err != nil {
			return err
		}
		for _, a := range page {
			if err := v.definition(ctx, a); err != nil {
				return err
			}
			after = a
		}
		if len(page) < pageSize {
			return nil
		}
	}
}

// definition verifies one of them.
func (v *verification) definition(ctx context.Context, a pgstore.Aggregate) error {
	c := comparison{report: v.report, subject: a.Kind + " " + a.ID}
	stored, err := v.store.StoredDefinition(ctx, a)
	switch {
	case unreadable(err):
		c.differ("row", err.Error(), "a readable row")
		return nil
	case err != nil:
		return err
	}
	v.report.Definitions++
	v.report.DefinitionEvents += int64(len(stored.Events))

	var refolded scenario.Catalog
	for i := range stored.Events {
		e := &stored.Events[i]
		v.checkEvent(c.subject, e)
		payload, err := event.RestoreScenario(e.Type, e.Data)
		if err != nil {
			c.differ("event "+strconv.Quote(e.ID), err.Error(), "a readable event")
			return nil
		}
		refolded.Apply(&scenario.Event{Header: e.Header, Payload: payload})
	}
	versions := versionsOf(&stored.Catalog)
	v.checkNumbers(c, versions, stored.Versions)
	// Numbers are given by the store and never recomputed; a text is held to its
	// hash, and the event only names that.
	for hash, version := range versionsOf(&refolded) {
		if held := versions[hash]; held != nil {
			version.Number, version.Text = held.Number, held.Text
		}
	}
	c.compare("", stored.Catalog, refolded)
	return nil
}

// versionsOf are the versions of the one template or scenario in a catalog.
func versionsOf(c *scenario.Catalog) map[scenario.ContentHash]*scenario.Version {
	for _, t := range c.Templates {
		return t.Versions
	}
	for _, s := range c.Scenarios {
		return s.Versions
	}
	return nil
}

// checkNumbers holds the numbers of versions to 1..n, and their texts to their
// hashes.
func (v *verification) checkNumbers(c comparison, versions map[scenario.ContentHash]*scenario.Version, newest int32) {
	numbers := make([]int32, 0, len(versions))
	for hash, version := range versions {
		numbers = append(numbers, version.Number)
		if text := scenario.HashContent(version.Text); text != hash {
			c.differ(fmt.Sprintf("text of version %d", version.Number), "sha-256 "+text.String(), "sha-256 "+hash.String())
		}
	}
	slices.Sort(numbers)
	for i, number := range numbers {
		if number != int32(i)+1 {
			c.differ("numbers of versions", fmt.Sprint(numbers), fmt.Sprintf("1 to %d, each once", len(numbers)))
			break
		}
	}
	c.compare("versions", newest, int32(len(numbers)))
}
