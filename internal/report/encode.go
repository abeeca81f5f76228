package report

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// What is wrong with bytes that are to be a frozen report.
var (
	ErrNotReport     = errors.New("not a report")
	ErrUnknownSchema = errors.New("a report of an unknown schema")
	ErrDigest        = errors.New("the content is not that of the digest")
)

const digestMember = "sha256"

// Encode is the report as it is frozen: JSON in the order of the fields, two spaces
// of indent and a line end, with its digest, which is set in the report, too. The
// same report gives the same bytes. An error says that some free JSON in it, which
// no builder has made, is none.
func (r *Report) Encode() ([]byte, error) { return seal(r, &r.SHA256) }

// Encode is the comparison as Report.Encode has it.
func (c *Comparison) Encode() ([]byte, error) { return seal(c, &c.SHA256) }

// seal encodes a document and sets its digest: sha-256 over the canonical JSON (RFC
// 8785) of the document without the member sha256. So whoever has a JSON library can
// check it, whatever the blanks and the order of members.
func seal(document any, digest *string) ([]byte, error) {
	fillLists(document)
	*digest = "" // and so left out
	content, err := indented(document)
	if err != nil {
		return nil, fmt.Errorf("encode report: %w", err)
	}
	if *digest, err = digestOf(content); err != nil {
		return nil, fmt.Errorf("encode report: %w", err)
	}
	frozen, err := indented(document)
	if err != nil {
		return nil, fmt.Errorf("encode report: %w", err)
	}
	return frozen, nil
}

func indented(document any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false) // renderers escape; a digest is over values anyway
	e.SetIndent("", "  ")
	err := e.Encode(document)
	return b.Bytes(), err
}

// digestOf is the digest over JSON without the member sha256, in hex.
func digestOf(content []byte) (string, error) {
	canonical := jsontext.Value(bytes.Clone(content))
	if err := canonical.Canonicalize(); err != nil {
		return "", err
	}
	sum := sha256.Sum256(canonical)
	return hex.EncodeToString(sum[:]), nil
}

// Decode reads what Encode wrote, and verifies it. The error says whether it is no
// report (ErrNotReport), one of an unknown schema (ErrUnknownSchema), or one whose
// content does not have the digest that it carries (ErrDigest). Members that this
// version does not know, which a later builder may have written, count for the digest
// and are otherwise passed over.
func Decode(frozen []byte) (*Report, error) {
	r := &Report{}
	if err := unseal(frozen, Schema, r); err != nil {
		return nil, err
	}
	return r, nil
}

// DecodeComparison reads what Comparison.Encode wrote, as Decode does.
func DecodeComparison(frozen []byte) (*Comparison, error) {
	c := &Comparison{}
	if err := unseal(frozen, ComparisonSchema, c); err != nil {
		return nil, err
	}
	return c, nil
}

func unseal(frozen []byte, schema string, document any) error {
	if !jsontext.Value(frozen).IsValid() { // UTF-8, one value, no name twice
		return fmt.Errorf("%w: no JSON without duplicate names", ErrNotReport)
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(frozen, &members); err != nil {
		return fmt.Errorf("%w: %w", ErrNotReport, err)
	}
	var named, digest string
	if json.Unmarshal(members["schema"], &named) != nil || named == "" {
		return fmt.Errorf("%w: it names no schema", ErrNotReport)
	}
	if named != schema {
		return fmt.Errorf("%w: %q, want %q", ErrUnknownSchema, cut(named, mostQuoted), schema)
	}
	if json.Unmarshal(members[digestMember], &digest) != nil || digest == "" {
		return fmt.Errorf("%w: it has none", ErrDigest)
	}
	delete(members, digestMember)
	content, err := json.Marshal(members)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrNotReport, err)
	}
	if is, err := digestOf(content); err != nil || is != digest {
		return fmt.Errorf("%w: it says %.64q, and it is %s", ErrDigest, digest, is)
	}
	if err := json.Unmarshal(frozen, document); err != nil {
		return fmt.Errorf("%w: %w", ErrNotReport, err)
	}
	fillLists(document)
	return nil
}

// fillLists makes every list of a document one that is not nil, so that readers find
// [] where there is nothing; those that the JSON leaves out when empty stay as they
// are, as does free JSON.
func fillLists(document any) { fill(reflect.ValueOf(document)) }

var freeType = reflect.TypeFor[json.RawMessage]()

func fill(v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			fill(v.Elem())
		}
	case reflect.Map:
		if v.IsNil() && v.CanSet() {
			v.Set(reflect.MakeMap(v.Type()))
		}
	case reflect.Slice:
		if v.IsNil() && v.CanSet() {
			v.Set(reflect.MakeSlice(v.Type(), 0, 0))
		}
		for i := range v.Len() {
			fill(v.Index(i))
		}
	case reflect.Struct:
		for i := range v.NumField() {
			field := v.Type().Field(i)
			if !field.IsExported() || field.Type == freeType || omitsEmpty(field) && v.Field(i).IsZero() {
				continue
			}
			fill(v.Field(i))
		}
	default: // holds no list
	}
}

func omitsEmpty(f reflect.StructField) bool {
	return strings.HasSuffix(f.Tag.Get("json"), ",omitempty")
}
