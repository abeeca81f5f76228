package api

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
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
}

// cursorOf is where the page begins that a request asks for: the zero cursor
// for the first one. A token of another list, or of the same with another
// filter, is refused.
func cursorOf[C any](r paged) (cursor C, err error) {
	if r.GetPageToken() == "" {
		return cursor, nil
	}
	wrong := invalid("page_token", "a next_page_token of the same list, with the same filter")
	raw, err := base64.RawURLEncoding.DecodeString(r.GetPageToken())
	if err != nil {
		return cursor, wrong
	}
	var t pageToken[C]
	if json.Unmarshal(raw, &t) != nil || string(t.Filter) != string(filterOf(r)) {
		return cursor, wrong
	}
	return t.Cursor, nil
}

// tokenOf is the token of the page that begins at cursor.
func tokenOf[C any](r paged, cursor C) string {
	raw, err := json.Marshal(pageToken[C]{Filter: filterOf(r), Cursor: cursor})
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
