package verify

import (
	"strconv"
	"time"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/event"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/fact"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgstore"
)

// checkEvent holds what an event's columns say against each other: its key
// follows from source, id and subject, its order key from sequence, time and
// key, and its digest from the data.
func (v *verification) checkEvent(subject string, e *pgstore.StoredEvent) {
	c := comparison{report: v.report, subject: subject + " event " + strconv.Quote(e.ID)}
	key := fact.NewKey(e.Source, e.ID, e.Subject)
	c.compare("event_key", e.KeyColumn, key)
	c.compare("order_key", e.OrderColumn, fact.Order{Sequence: e.Order().Sequence, Time: e.Time, Key: key})
	c.compare("event_time", e.TimeColumn, e.Time.Truncate(time.Microsecond))
	if e.DigestVersion != fact.DigestVersion {
		return // made by another version of the program, over another form
	}
	digest, whole, err := event.RestoreDigest(&e.Header)
	switch {
	case err != nil:
		c.differ("data", jsonText(e.Data), err.Error())
	case whole:
		c.compare("digest", e.Digest, digest)
	}
}
