package main

import (
	"cmp"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/access"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/config"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/yamlfile"
)

type accessCmd struct {
	Token accessToken `cmd:"" help:"Make a token for a caller of the API, and the entry that lets it in."`
	Check accessCheck `cmd:"" help:"Say whether an access file can be used, all problems at once, and print whom it lets in."`
}

type accessToken struct {
	Name     string        `arg:"" help:"The caller, as the audit log will name it."`
	Role     string        `required:"" enum:"reader,coordinator,operator" help:"What it may do: reader (read), coordinator (read and write) or operator (everything)."`
	ValidFor time.Duration `placeholder:"DURATION" help:"How long it lets the caller in, such as 2160h; for ever if not given."`
	JSON     bool          `name:"json" help:"Print one JSON object, the token in it."`
}

// Help is what --help says beyond the settings.
func (*accessToken) Help() string {
	return `The entry goes to the standard output, so that >> appends it to the access
file; the token goes to the standard error, this once, and is kept nowhere. To
change a token without a gap, give a second one the same name and role, and
remove the first entry later. A running service takes the file up by itself.

Exit codes: 0 done, 1 failed, 2 wrong command line.`
}

// Validate is called by kong.
func (c *accessToken) Validate() error {
	if err := access.CheckName(c.Name); err != nil {
		return fmt.Errorf("name %q: %w", c.Name, err)
	}
	if c.ValidFor < 0 {
		return fmt.Errorf("--valid-for=%s: must not be negative", c.ValidFor)
	}
	return nil
}

// tokenLine is a new token with its entry.
type tokenLine struct {
	Token   string     `json:"token"`
	Name    string     `json:"name"`
	Role    string     `json:"role"`
	SHA256  string     `json:"sha256"`
	Expires *time.Time `json:"expires,omitempty"`
}

// Run makes the token; it connects to nothing.
func (c *accessToken) Run(term console) error {
	token, digest := access.NewToken()
	line := tokenLine{Token: token, Name: c.Name, Role: c.Role, SHA256: hex.EncodeToString(digest[:])}
	var expires string
	if c.ValidFor > 0 {
		at := time.Now().UTC().Add(c.ValidFor).Truncate(time.Second)
		line.Expires = &at
		expires = ", expires: " + moment(at)
	}
	if c.JSON {
		return writeJSON(term.out, line)
	}
	// The entry first: a token without one would be of no use to anybody.
	if _, err := fmt.Fprintf(term.out, "- {name: %s, role: %s, sha256: %s%s}\n", line.Name, line.Role, line.SHA256, expires); err != nil {
		return fmt.Errorf("print entry: %w", err)
	}
	if _, err := fmt.Fprintf(term.err, "the token of %s, shown this once: %s\n", line.Name, token); err != nil {
		return fmt.Errorf("print token: %w", err)
	}
	return nil
}

type accessCheck struct {
	File string `arg:"" optional:"" help:"The file; that of access-file if not given."`
	JSON bool   `name:"json" help:"Print one JSON object."`
}

// Help is what --help says beyond the settings.
func (*accessCheck) Help() string {
	return `Exit codes: 0 the file can be used, 1 it cannot be read, 2 it has problems, or
wrong command line.`
}

// entryLine is an entry as it is listed.
type entryLine struct {
	Name        string     `json:"name"`
	Role        string     `json:"role"`
	By          string     `json:"by"` // token or certificate
	Certificate string     `json:"certificate,omitempty"`
	Expires     *time.Time `json:"expires,omitempty"`
	Expired     bool       `json:"expired"`
	Line        int        `json:"line"`
}

// problemLine is a problem as it is listed.
type problemLine struct {
	Line int    `json:"line,omitempty"`
	Key  string `json:"key,omitempty"`
	Rule string `json:"rule"`
}

// Run reads the file as the service would.
func (c *accessCheck) Run(cfg *config.Config, term console) error {
	path := cmp.Or(c.File, cfg.Access.File)
	if path == "" {
		return &exitError{exitUsage, errors.New("name a file, or set access-file")}
	}
	entries, err := access.ReadFile(path)
	var problems yamlfile.Problems
	if err != nil && !errors.As(err, &problems) {
		return err
	}
	if c.JSON {
		return c.report(term, entries, problems)
	}
	if err != nil {
		return &exitError{exitUsage, err}
	}
	rows := make([][]string, len(entries))
	for i, e := range entries {
		line := lineOfEntry(e)
		until := moment(e.Expires)
		if line.Expired {
			until += " (expired)"
		}
		rows[i] = []string{line.Name, line.Role, strings.TrimSpace(line.By + " " + line.Certificate), until}
	}
	if err := table(term.out, []string{"NAME", "ROLE", "BY", "UNTIL"}, rows); err != nil {
		return err
	}
	fmt.Fprintln(term.out, "the access file can be used")
	return nil
}

func (*accessCheck) report(term console, entries []access.Entry, problems yamlfile.Problems) error {
	report := struct {
		Valid    bool          `json:"valid"`
		Entries  []entryLine   `json:"entries"`
		Problems []problemLine `json:"problems"`
	}{len(problems) == 0, []entryLine{}, []problemLine{}}
	for _, e := range entries {
		report.Entries = append(report.Entries, lineOfEntry(e))
	}
	for _, p := range problems {
		report.Problems = append(report.Problems, problemLine(p))
	}
	if err := writeJSON(term.out, report); err != nil {
		return err
	}
	if !report.Valid {
		return &exitError{exitUsage, errReported}
	}
	return nil
}

func lineOfEntry(e access.Entry) entryLine {
	line := entryLine{Name: e.Name, Role: string(e.Role), By: "token", Certificate: e.Certificate, Expired: e.Expired(time.Now()), Line: e.Line}
	if e.Certificate != "" {
		line.By = "certificate"
	}
	if !e.Expires.IsZero() {
		line.Expires = &e.Expires
	}
	return line
}
