// SPDX-License-Identifier: Apache-2.0

package daybook

import (
	"encoding/json"
	"fmt"
	"strings"
	"unicode/utf8"
)

// Limits of every backend.
const (
	MaxRecordNameLen = 1024     // maximum length of a record name, in bytes of UTF-8
	MaxValueLen      = 16 << 20 // maximum length of a value, in bytes of JSON
	MaxValueDepth    = 10_000   // maximum number of arrays and objects that are nested in one another
)

// ValidateRecordName returns nil if name is a legal record name. Otherwise its error matches
// ErrInvalidName.
func ValidateRecordName(name string) error {
	switch {
	case name == "":
		return fmt.Errorf("%w: it is empty; want 1 to %d bytes", ErrInvalidName, MaxRecordNameLen)
	case len(name) > MaxRecordNameLen:
		return fmt.Errorf("%w: got %q..., which has %d bytes; want at most %d",
			ErrInvalidName, shorten(name), len(name), MaxRecordNameLen)
	case isPlainASCII(name): // the usual case
		return nil
	case strings.IndexByte(name, 0) >= 0:
		return fmt.Errorf("%w: got %q with a NUL; want none", ErrInvalidName, shorten(name))
	case !utf8.ValidString(name):
		return fmt.Errorf("%w: got %q; want valid UTF-8", ErrInvalidName, shorten(name))
	}
	return nil
}

// isPlainASCII reports whether a name of 8 bytes or more is ASCII without NUL. It reads eight bytes
// at a time; the last eight may overlap the ones before. It returns false for shorter names.
func isPlainASCII(name string) bool {
	const word, ones, highs = 8, 0x0101010101010101, 0x8080808080808080
	if len(name) < word {
		return false
	}
	for at := 0; ; at = min(at+word, len(name)-word) {
		w := name[at : at+word]
		x := uint64(w[0]) | uint64(w[1])<<8 | uint64(w[2])<<16 | uint64(w[3])<<24 |
			uint64(w[4])<<32 | uint64(w[5])<<40 | uint64(w[6])<<48 | uint64(w[7])<<56
		if (x|(x-ones))&highs != 0 { // the highest bit of a byte is set, or a byte was 0
			return false
		}
		if at == len(name)-word {
			return true
		}
	}
}

// ValidateValue returns nil if value is a JSON text that a record can hold. Otherwise its error
// is a *ValueError or matches ErrValueTooLarge. It uses constant stack space, however deeply value
// is nested.
func ValidateValue(value json.RawMessage) error {
	if len(value) > MaxValueLen {
		return fmt.Errorf("%w: got %d bytes; want at most %d", ErrValueTooLarge, len(value), MaxValueLen)
	}
	if fault := checkJSON(value); fault != nil {
		return &ValueError{Offset: fault.offset, Len: len(value), Reason: fault.reason}
	}
	return nil
}

// shorten cuts a text to at most 64 bytes, for an error message.
func shorten(s string) string {
	const maxLen = 64
	if len(s) <= maxLen {
		return s
	}
	return s[:maxLen]
}
