package event

import (
	"bytes"
	"errors"
	"io"
	"strconv"
	"strings"
	"sync"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/fact"
)

// jsonReader reads one JSON value into a generated message, in one pass that
// also checks what a lenient reader lets through: names given twice (in either
// spelling), lone surrogates, NUL, depth, numbers, sizes.
type jsonReader struct {
	limits    *Limits
	text      []byte
	buffer    bytes.Buffer // over text
	tokens    *jsontext.Decoder
	left      int // tokens that are still allowed
	maxTokens int
	root      string // what path begins at: "data", or empty for an envelope
	path      path
	unknown   []member
}

// member is one member of a JSON object whose value is canonical JSON.
type member struct {
	name  string
	value []byte
}

// jsonReaders are reused, because their bookkeeping of names is most of what
// reading a small event allocates.
var jsonReaders = sync.Pool{New: func() any {
	return &jsonReader{tokens: jsontext.NewDecoder(bytes.NewReader(nil)), path: make(path, 0, 16)}
}}

// newJSONReader must be followed by free. What was read stays valid.
func newJSONReader(text []byte, root string, maxTokens int, limits *Limits) *jsonReader {
	r := jsonReaders.Get().(*jsonReader)
	r.limits, r.text, r.root = limits, text, root
	r.left, r.maxTokens = maxTokens, maxTokens
	r.buffer = *bytes.NewBuffer(text) // of this type the decoder reads the bytes in place
	r.tokens.Reset(&r.buffer)
	r.path, r.unknown = r.path[:0], nil
	return r
}

func (r *jsonReader) free() {
	r.text, r.buffer, r.unknown = nil, bytes.Buffer{}, nil
	jsonReaders.Put(r)
}

// beginDocument looks at the bytes before the first token is read.
func (r *jsonReader) beginDocument() *fact.Rejection {
	if rejection := checkText(r.text, r.root); rejection != nil {
		return rejection
	}
	switch kind := r.tokens.PeekKind(); kind {
	case '{':
		return nil
	case jsontext.KindInvalid:
		_, err := r.tokens.ReadToken()
		return r.syntax(err)
	default:
		return fact.Reject(fact.ReasonNotObject, r.root, string(r.text[:min(len(r.text), 512)]), "a JSON object")
	}
}

func (r *jsonReader) endDocument() *fact.Rejection {
	if _, err := r.tokens.ReadToken(); !errors.Is(err, io.EOF) {
		return fact.Reject(fact.ReasonJSON, r.root, string(r.text[r.tokens.InputOffset():]), "one JSON document and nothing behind it")
	}
	return nil
}

func (r *jsonReader) name() (string, *fact.Rejection) {
	raw, rejection := r.scalar()
	if rejection != nil {
		return "", rejection
	}
	return r.unquote(raw, r.limits.String)
}

// scalar reads a name, a string, a number or a literal, as it is written.
func (r *jsonReader) scalar() (jsontext.Value, *fact.Rejection) {
	if rejection := r.count(); rejection != nil {
		return nil, rejection
	}
	raw, err := r.tokens.ReadValue()
	if err != nil {
		return nil, r.syntax(err)
	}
	return raw, nil
}

func (r *jsonReader) open() *fact.Rejection {
	if rejection := r.count(); rejection != nil {
		return rejection
	}
	if _, err := r.tokens.ReadToken(); err != nil {
		return r.syntax(err)
	}
	if r.tokens.StackDepth() > r.limits.Depth {
		return r.reject(fact.ReasonDepth, "", "at most "+strconv.Itoa(r.limits.Depth)+" levels of nesting")
	}
	return nil
}

func (r *jsonReader) close() *fact.Rejection {
	if rejection := r.count(); rejection != nil {
		return rejection
	}
	if _, err := r.tokens.ReadToken(); err != nil {
		return r.syntax(err)
	}
	return nil
}

func (r *jsonReader) count() *fact.Rejection {
	if r.left--; r.left < 0 {
		return r.reject(fact.ReasonTokenLimit, "", "at most "+strconv.Itoa(r.maxTokens)+" JSON tokens")
	}
	return nil
}

// unquote gives the text of a JSON string of at most size bytes.
func (r *jsonReader) unquote(raw jsontext.Value, size int) (string, *fact.Rejection) {
	text := string(raw[1 : len(raw)-1])
	if strings.IndexByte(text, '\\') >= 0 {
		unquoted, err := jsontext.AppendUnquote(make([]byte, 0, len(raw)), raw)
		if err != nil {
			return "", r.syntax(err)
		}
		text = string(unquoted)
	}
	if rejection := checkString(text, size); rejection != nil {
		return "", r.reject(rejection.reason, text, rejection.rule)
	}
	return text, nil
}

// checkString holds a text that is valid UTF-8 to the rules of every text.
func checkString(text string, size int) *flaw {
	if len(text) > size {
		return &flaw{fact.ReasonTooLarge, "a text of at most " + strconv.Itoa(size) + " bytes"}
	}
	if strings.IndexByte(text, 0) >= 0 {
		return &flaw{fact.ReasonNUL, "text without the character NUL"}
	}
	return nil
}

// mismatch rejects the next value, which is not of the wanted form.
func (r *jsonReader) mismatch(want string) *fact.Rejection {
	at := r.tokens.InputOffset()
	if _, err := r.tokens.ReadToken(); err != nil {
		return r.syntax(err)
	}
	value := strings.TrimLeft(string(r.text[at:r.tokens.InputOffset()]), " \t\r\n:,")
	return r.reject(fact.ReasonSchema, value, want)
}

func (r *jsonReader) reject(reason fact.Reason, value, rule string) *fact.Rejection {
	return fact.Reject(reason, within(r.root, r.path.String()), value, rule)
}

// within joins the name of the whole and a path in it.
func within(root, path string) string {
	switch {
	case root == "" || path == "":
		return root + path
	case path[0] == '[':
		return root + path
	default:
		return root + "." + path
	}
}
