package event

import (
	"fmt"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/fact"
)

// RestoreDigest computes the digest of an event anew from what is stored of
// it: type, subject, time, sequence and data. It is the one that the event was
// accepted with unless one of them was altered. whole is false for types whose
// data is stored without what has rows of its own: they have no digest here.
func RestoreDigest(h *fact.Header) (sum fact.Digest, whole bool, err error) {
	k, ok := kinds[h.Type]
	if !ok {
		return fact.Digest{}, false, fmt.Errorf("%q is no type of the contract", h.Type)
	}
	if len(k.omit) > 0 {
		return fact.Digest{}, false, nil
	}
	m, _, err := restoreMessage(k, h.Data)
	if err != nil {
		return fact.Digest{}, false, err
	}
	return k.digest(h.Subject, h.Time, h.Sequence, m), true, nil
}
