package access

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"strings"
)

const (
	tokenPrefix = "tcda_" // tells scanners for secrets, and people, what it is
	tokenBytes  = 32      // of randomness
)

// tokenLength is that of every token, in characters.
var tokenLength = len(tokenPrefix) + base64.RawURLEncoding.EncodedLen(tokenBytes)

// Digest is what is kept of a token: its sha-256. No salt and no slow hash are
// needed, as they are for passwords: those can be guessed from a dictionary,
// but nobody tries 2^256 tokens. Tokens of another form are refused for that
// reason: the hash of a word would not be safe in the file.
type Digest [sha256.Size]byte

// NewToken makes a token of 256 random bits. It is known to whoever it is
// given to, and must not be logged; the access file keeps its digest.
func NewToken() (token string, digest Digest) {
	var random [tokenBytes]byte
	_, _ = rand.Read(random[:]) // it never fails: the process ends where there is no randomness
	token = tokenPrefix + base64.RawURLEncoding.EncodeToString(random[:])
	return token, sha256.Sum256([]byte(token))
}

// isToken tells whether s has the form of a token.
func isToken(s string) bool {
	encoded, ours := strings.CutPrefix(s, tokenPrefix)
	if !ours || len(s) != tokenLength {
		return false
	}
	_, err := base64.RawURLEncoding.Strict().DecodeString(encoded)
	return err == nil
}
