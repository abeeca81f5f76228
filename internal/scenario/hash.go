package scenario

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
)

// ContentHash identifies the content of a version: sha-256 of the definition's
// text, byte for byte.
type ContentHash [sha256.Size]byte

// HashContent computes the hash of a definition's text.
func HashContent(text string) ContentHash { return sha256.Sum256([]byte(text)) }

// ParseContentHash reads 64 hex digits.
func ParseContentHash(s string) (ContentHash, error) {
	var h ContentHash
	b, err := hex.DecodeString(s)
	if err != nil || len(b) != len(h) {
		return ContentHash{}, fmt.Errorf("content hash: want %d hex digits", 2*len(h))
	}
	copy(h[:], b)
	return h, nil
}

// String is the hash in lower-case hex.
func (h ContentHash) String() string { return hex.EncodeToString(h[:]) }

// IsZero tells whether there is no content.
func (h ContentHash) IsZero() bool { return h == ContentHash{} }
