package api

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/execution"
)

const (
	defaultPage = 50
	largestPage = 500
)

// paged is a request for a page.
type paged interface {
	proto.Message
	GetPageSize() int32
	GetPageToken() string
}

// pageSize is how many entries a page has at most.
func pageSize(r paged) int {
	if n := int(r.GetPageSize()); n > 0 {
		return min(n, largestPage)
	}
	return defaultPage
}

// pageToken is what a token holds: where the page begins, and the filter that
// it holds for.
type pageToken[C any] struct {
	Filter []byte `json:"f"`
	Cursor C      `json:"c"`
	Run    int32  `json:"r,omitempty"` // that the list is of, where the request names the latest
}

// cursorOf is where the page begins that a request asks for: the zero cursor
// for the first one. A token of another list, or of the same with another
// filter, is refused.
func cursorOf[C any](r paged) (cursor C, err error) {
	if r.GetPageToken() == "" {
		return cursor, nil
	}
	t, err := readToken[C](r)
	return t.Cursor, err
}

func readToken[C any](r paged) (t pageToken[C], err error) {
	raw, err := base64.RawURLEncoding.DecodeString(r.GetPageToken())
	if err != nil || bytes.Contains(raw, []byte(`\u0000`)) || json.Unmarshal(raw, &t) != nil || !bytes.Equal(t.Filter, filterOf(r)) {
		return t, invalid("page_token", "a next_page_token of the same list, with the same filter")
	}
	return t, nil
}

// runOfToken is the run that a list is of whose first page was that of the latest
// one: the next page is of the same run, also when another has begun. It is 0 for
// the first page.
func runOfToken(r paged) (int32, error) {
	if r.GetPageToken() == "" {
		return 0, nil
	}
	t, err := readToken[json.RawMessage](r)
	return t.Run, err
}

// tokenOf is the token of the page that begins at cursor.
func tokenOf[C any](r paged, cursor C) string { return tokenOfRun(r, cursor, 0) }

func tokenOfRun[C any](r paged, cursor C, run int32) string {
	raw, err := json.Marshal(pageToken[C]{Filter: filterOf(r), Cursor: cursor, Run: run})
	if err != nil {
		panic("a cursor has a JSON form: " + err.Error())
	}
	return base64.RawURLEncoding.EncodeToString(raw)
}

// nextToken is the token of the next page: empty when this one was not full.
func nextToken[R, C any](r paged, page []R, cursor func(*R) C) string {
	if len(page) < pageSize(r) {
		return ""
	}
	return tokenOf(r, cursor(&page[len(page)-1]))
}

// filterOf tells requests apart that differ in more than the page.
func filterOf(r paged) []byte {
	m := proto.Clone(r).ProtoReflect()
	for _, name := range []protoreflect.Name{"page_size", "page_token"} {
		m.Clear(m.Descriptor().Fields().ByName(name))
	}
	b, _ := proto.MarshalOptions{Deterministic: true}.Marshal(m.Interface()) // it came over the wire
	sum := sha256.Sum256(append([]byte(m.Descriptor().FullName()), b...))
	return sum[:8]
}

// heaviest is how many bytes of entries a page has at most, unless its first one
// alone has more: with it an answer stays within the 4 MiB that a gRPC client
// takes unless it is told otherwise.
const heaviest = 3 << 20

// listing is how a list goes through what is stored.
type listing[R, C any, M proto.Message] struct {
	// read gives the entries behind a place in their order, so many; the zero
	// place is before the first.
	read func(ctx context.Context, after C, most int) ([]R, error)
	// place is where an entry stands.
	place func(*R) C
	// message is an entry as callers see it.
	message func(*R) M
	// bite bounds how many entries are read at once: few where they may be big.
	bite int
	// matches tells whether an entry belongs to the list; nil: all do.
	matches func(*R) bool
	// look bounds how many entries are looked at for a page, where not all match.
	look int
	// run is the run that the list is of; nil: it is of none.
	run *execution.Run
}

// next is the token of the page behind a place.
func (l *listing[R, C, M]) next(r paged, at C) string {
	if l.run == nil {
		return tokenOf(r, at)
	}
	return tokenOfRun(r, at, int32(l.run.Number))
}

// page is the page that a request asks for, and the token of the next one. It is
// short, and not the last, where its entries are heavy or too few of those that
// were looked at match.
func (l *listing[R, C, M]) page(ctx context.Context, r paged) (entries []M, next string, err error) {
	at, err := cursorOf[C](r)
	if err != nil {
		return nil, "", err
	}
	size, weight, looked := pageSize(r), 0, 0
	for {
		bite := min(l.bite, l.look-looked)
		if l.matches == nil {
			bite = min(l.bite, size-len(entries))
		}
		found, err := l.read(ctx, at, bite)
		if err != nil {
			return nil, "", err
		}
		for i := range found {
			if l.matches == nil || l.matches(&found[i]) {
				m := l.message(&found[i])
				weight += proto.Size(m)
				if len(entries) == size || len(entries) > 0 && weight > heaviest {
					return entries, l.next(r, at), nil
				}
				entries = append(entries, m)
			}
			at = l.place(&found[i])
		}
		looked += len(found)
		switch {
		case len(found) < bite:
			return entries, "", nil
		case len(entries) == size, l.matches != nil && looked >= l.look:
			return entries, l.next(r, at), nil
		}
	}
}
