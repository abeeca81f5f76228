package access

import (
	"encoding/hex"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/yamlfile"
	"go.yaml.in/yaml/v4"
)

// Limits of the access file. All tokens are compared for each call.
const (
	maxEntries = 1000
	maxName    = 255 // characters of a certificate's name
)

// Entry lets one token or one certificate in.
type Entry struct {
	Name        string // of the caller; several entries may bear it, so that tokens can be changed without a gap
	Role        Role
	Digest      Digest    // of the token; zero where it is a certificate
	Certificate string    // a SAN (URI or DNS name) or the common name; empty where it is a token
	Expires     time.Time // zero: never
	Line        int       // in the file, from 1
}

// Expired tells whether the entry lets nobody in any more.
func (e Entry) Expired(now time.Time) bool { return !e.Expires.IsZero() && !now.Before(e.Expires) }

// ReadFile reads the entries of an access file. The error names the file, and is
// yamlfile.Problems where it could be read and not used.
func ReadFile(path string) ([]Entry, error) { return yamlfile.Load(path, Parse) }

// Parse reads entries from YAML: a list of mappings. The error is
// yamlfile.Problems, and shows neither a digest nor what was given for one: it may
// be the token itself, by mistake.
func Parse(content []byte) ([]Entry, error) {
	p := parser{digests: make(map[Digest]int), certificates: make(map[string]int), roles: make(map[string]Entry)}
	p.read(content)
	if err := p.Err(); err != nil {
		return nil, err
	}
	return p.entries, nil
}

type parser struct {
	yamlfile.Parser

	entries      []Entry
	digests      map[Digest]int // the line that has it
	certificates map[string]int
	roles        map[string]Entry // the first of a name
}

func (p *parser) read(content []byte) {
	const list = "must be a list of entries such as {name: ci, role: reader, sha256: ..}; tcda access token makes one"
	root := p.Document(content)
	if root == nil && p.Refused() > 0 {
		return
	}
	if root == nil || root.Kind != yaml.SequenceNode || len(root.Content) == 0 {
		p.Refuse(0, "", list)
		return
	}
	nodes := root.Content
	if len(nodes) > maxEntries {
		p.Refuse(0, "", fmt.Sprintf("must have at most %d entries", maxEntries))
		return
	}
	for _, node := range nodes {
		p.entry(node)
	}
}

// keys are those of an entry, each with what reads it.
var keys = map[string]func(*Entry, string) error{
	"name": func(e *Entry, text string) error {
		e.Name = text
		return CheckName(text)
	},
	"role": func(e *Entry, text string) error {
		e.Role = Role(text)
		if !slices.Contains(Roles(), e.Role) {
			return errors.New("must be reader, coordinator or operator")
		}
		return nil
	},
	"sha256": func(e *Entry, text string) error {
		if n, err := hex.Decode(e.Digest[:], []byte(cut(text, 2*len(e.Digest)))); err != nil || n != len(e.Digest) || len(text) != 2*n {
			return errors.New("must be the 64 hexadecimal digits of a token's sha-256, and never the token itself")
		}
		return nil
	},
	"certificate": func(e *Entry, text string) error {
		e.Certificate = text
		if text == "" || len(text) > maxName || strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }) {
			return fmt.Errorf("must be a name in a client certificate (SAN as URI or DNS, or common name), at most %d characters", maxName)
		}
		return nil
	},
	"expires": func(e *Entry, text string) error {
		at, err := time.Parse(time.RFC3339, text)
		if err != nil || at.IsZero() {
			return errors.New("must be a time such as 2027-01-01T00:00:00Z")
		}
		e.Expires = at.UTC()
		return nil
	},
}

var nameForm = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._:-]{0,99}$`)

// CheckName says what is wrong with a caller's name.
func CheckName(name string) error {
	if !nameForm.MatchString(name) || name == Anonymous {
		return errors.New("must be letters, digits, ., _, : and -, at most 100 characters, and not " + Anonymous)
	}
	return nil
}

// entry reads one; of an entry with problems nothing else is asked.
func (p *parser) entry(node *yaml.Node) {
	if node.Kind != yaml.MappingNode {
		p.Refuse(node.Line, "", "must be an entry such as {name: ci, role: reader, sha256: ..}")
		return
	}
	e, before, given := Entry{Line: node.Line}, p.Refused(), make(map[string]bool)
	for i := 0; i+1 < len(node.Content); i += 2 {
		key, value := node.Content[i], node.Content[i+1]
		read, known := keys[key.Value]
		switch {
		case key.Kind != yaml.ScalarNode || !known:
			p.Refuse(key.Line, "", "must have no keys but name, role, sha256, certificate and expires")
		case given[key.Value]:
			p.Refuse(key.Line, key.Value, "must be given once")
		case value.Kind != yaml.ScalarNode:
			p.Refuse(value.Line, key.Value, "must be a plain value")
		default:
			if err := read(&e, value.Value); err != nil {
				p.Refuse(value.Line, key.Value, err.Error())
			}
		}
		given[key.Value] = true
	}
	for _, key := range []string{"name", "role"} {
		if !given[key] {
			p.Refuse(e.Line, key, "must be given")
		}
	}
	if given["sha256"] == given["certificate"] {
		p.Refuse(e.Line, "", "must have either sha256 or certificate")
	}
	if p.Refused() == before {
		p.add(e)
	}
}

// add takes an entry if it goes with those before it.
func (p *parser) add(e Entry) {
	if first, known := p.roles[e.Name]; !known {
		p.roles[e.Name] = e
	} else if first.Role != e.Role {
		p.Refuse(e.Line, "role", fmt.Sprintf("must be %s, as on line %d for the same name", first.Role, first.Line))
	}
	if e.Certificate == "" {
		if line, twice := p.digests[e.Digest]; twice {
			p.Refuse(e.Line, "sha256", fmt.Sprintf("must be another than on line %d", line))
		}
		p.digests[e.Digest] = e.Line
	} else {
		if line, twice := p.certificates[e.Certificate]; twice {
			p.Refuse(e.Line, "certificate", fmt.Sprintf("must be another than on line %d", line))
		}
		p.certificates[e.Certificate] = e.Line
	}
	p.entries = append(p.entries, e)
}

func cut(s string, length int) string { return s[:min(len(s), length)] }
