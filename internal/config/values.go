package config

import (
	"errors"
	"math"
	"net/url"
	"regexp"
	"strconv"
	"strings"
)

// Redacted stands in print and in logs where a secret is set.
const Redacted = "REDACTED"

// Secret is a text that must not be shown. Every way of printing it gives
// Redacted; the text itself is had from Reveal.
type Secret string

// Reveal is the secret itself.
func (s Secret) Reveal() string { return string(s) }

// String is Redacted, or nothing when there is no secret.
func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return Redacted
}

// GoString keeps %#v from showing the secret.
func (s Secret) GoString() string { return strconv.Quote(s.String()) }

// MarshalText keeps encoders from showing the secret.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// URL is an address that may carry a password. Every way of printing it leaves
// the password out; the address itself is had from Reveal.
type URL string

var driver = regexp.MustCompile(`^([a-z][a-z0-9.-]*)\+[a-z0-9_.-]+://`)

// UnmarshalText reads a URL and drops a driver in its scheme, as in
// postgresql+asyncpg://, which other programs of the ecosystem need.
func (u *URL) UnmarshalText(text []byte) error {
	*u = URL(driver.ReplaceAllString(strings.TrimSpace(string(text)), "$1://"))
	return nil
}

// Reveal is the URL with its password.
func (u URL) Reveal() string { return string(u) }

// String is the URL with Redacted in place of passwords, or Redacted as a
// whole when it cannot be understood.
func (u URL) String() string {
	if u == "" {
		return ""
	}
	parsed, err := url.Parse(string(u))
	if err != nil || parsed.Opaque != "" || parsed.Scheme == "" {
		return Redacted
	}
	// An @ that ends no user information is one of a password that was not
	// escaped, and has been taken for a part of something else.
	if n := strings.Count(string(u), "@"); n > 1 || n == 1 && parsed.User == nil {
		return Redacted
	}
	// No URL of ours has a fragment: it is what follows a # of a password that was
	// not escaped.
	if parsed.Fragment != "" {
		return Redacted
	}
	if _, set := parsed.User.Password(); set {
		parsed.User = url.UserPassword(parsed.User.Username(), Redacted)
	}
	query, err := url.ParseQuery(parsed.RawQuery)
	if err != nil {
		return Redacted
	}
	hidden := false
	for name, values := range query {
		if strings.Contains(strings.ToLower(name+strings.Join(values, "")), "password") {
			query.Set(name, Redacted)
			hidden = true
		}
	}
	if hidden {
		parsed.RawQuery = query.Encode()
	}
	return parsed.String()
}

// GoString keeps %#v from showing the password.
func (u URL) GoString() string { return strconv.Quote(u.String()) }

// MarshalText keeps encoders from showing the password.
func (u URL) MarshalText() ([]byte, error) { return []byte(u.String()), nil }

// Size is a number of bytes, written as 512, 64KiB or 1MiB.
type Size int64

var units = []struct {
	suffix string
	bytes  Size
}{{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}, {"B", 1}}

// UnmarshalText reads a size with one of the units B, KiB, MiB, GiB, or none
// for bytes.
func (s *Size) UnmarshalText(text []byte) error {
	digits, unit := strings.TrimSpace(string(text)), Size(1)
	for _, u := range units {
		if rest, ok := strings.CutSuffix(digits, u.suffix); ok {
			digits, unit = strings.TrimSpace(rest), u.bytes
			break
		}
	}
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || n < 0 || n > math.MaxInt64/int64(unit) {
		return errors.New("must be a size such as 512, 64KiB or 1MiB")
	}
	*s = Size(n) * unit
	return nil
}

// String is the size in the largest unit that divides it.
func (s Size) String() string {
	for _, u := range units {
		if s >= u.bytes && s%u.bytes == 0 {
			return strconv.FormatInt(int64(s/u.bytes), 10) + u.suffix
		}
	}
	return "0B"
}

// MarshalText is String for encoders.
func (s Size) MarshalText() ([]byte, error) { return []byte(s.String()), nil }
