// SPDX-License-Identifier: Apache-2.0

package daybook

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math/bits"
	"strings"
	"unicode/utf8"
)

// Limits of what every backend accepts.
const (
	MaxRecordNameLen = 1024     // bytes of UTF-8
	MaxValueLen      = 16 << 20 // bytes of JSON
	MaxValueDepth    = 10_000   // arrays and objects nested in one another
)

// ValidateRecordName returns an error that matches ErrInvalidName unless name can name a record.
func ValidateRecordName(name string) error {
	switch {
	case name == "":
		return fmt.Errorf("%w: it is empty", ErrInvalidName)
	case len(name) > MaxRecordNameLen:
		return fmt.Errorf("%w: %q... has %d bytes; at most %d", ErrInvalidName, cut(name), len(name), MaxRecordNameLen)
	case isASCII(name): // as most are
		return nil
	case strings.IndexByte(name, 0) >= 0:
		return fmt.Errorf("%w: %q holds a NUL", ErrInvalidName, cut(name))
	case !utf8.ValidString(name):
		return fmt.Errorf("%w: %q is not valid UTF-8", ErrInvalidName, cut(name))
	}
	return nil
}

// isASCII reports whether a name is ASCII without NUL. It looks at eight bytes at a time, the last of which it may have seen;
// of shorter names it says no.
func isASCII(name string) bool {
	const word, ones, highs = 8, 0x0101010101010101, 0x8080808080808080
	if len(name) < word {
		return false
	}
	for at := 0; ; at = min(at+word, len(name)-word) {
		w := name[at : at+word]
		x := uint64(w[0]) | uint64(w[1])<<8 | uint64(w[2])<<16 | uint64(w[3])<<24 |
			uint64(w[4])<<32 | uint64(w[5])<<40 | uint64(w[6])<<48 | uint64(w[7])<<56
		if (x|(x-ones))&highs != 0 { // a byte with its highest bit set, or one that was 0
			return false
		}
		if at == len(name)-word {
			return true
		}
	}
}

// ValidateValue returns an error that matches ErrInvalidValue or ErrValueTooLarge unless value is a
// JSON text that a record can hold. It takes constant stack space, however deep the value is nested.
func ValidateValue(value json.RawMessage) error {
	if len(value) > MaxValueLen {
		return fmt.Errorf("%w: it has %d bytes; at most %d", ErrValueTooLarge, len(value), MaxValueLen)
	}
	if fault := checkJSON(value); fault != nil {
		return fmt.Errorf("%w: %s at offset %d of %d bytes", ErrInvalidValue, fault.reason, fault.offset, len(value))
	}
	return nil
}

// ValueValidator does what ValidateValue does, for one value after another, and takes less long where a value is like
// one before it but for the digits in it, as a device's mostly are. Its zero value is ready. It keeps the values
// that it is given until the next ones, and is for one goroutine at a time.
type ValueValidator struct {
	valid json.RawMessage // without a backslash, so that quotes come in pairs
}

// Validate is ValidateValue.
func (v *ValueValidator) Validate(value json.RawMessage) error {
	if v.valid != nil && len(value) <= MaxValueLen && (alikeAtOnce(value, v.valid) || alike(value, v.valid)) {
		return nil
	}
	if err := ValidateValue(value); err != nil {
		return err
	}
	if v.valid = value; bytes.IndexByte(value, '\\') >= 0 {
		v.valid = nil
	}
	return nil
}

// alikeAtOnce is alike for texts of the same length, eight bytes at a time. It does not recognise all that alike does:
// where a digit became the zero in front of something, it leaves the decision to that.
func alikeAtOnce(value, valid []byte) bool {
	const word = 8
	if len(value) != len(valid) || len(value) < word {
		return false
	}
	before := uint64(0) // the byte before the word
	for at := 0; ; {
		x, y := binary.LittleEndian.Uint64(value[at:]), binary.LittleEndian.Uint64(valid[at:])
		if x != y {
			differ, behind := notZero(x^y), x<<8|before
			if differ&(notDigit(x)|notDigit(y)) != 0 {
				return false
			}
			if isZero := ^notZero(x^each*'0') & high; differ&isZero&notDigit(behind)&notZero(behind^each*'.') != 0 {
				return false
			}
		}
		if at+word == len(value) {
			return true
		}
		at = min(at+word, len(value)-word) // the last word may overlap the one before
		before = uint64(value[at-1])
	}
}

const (
	each = 0x0101010101010101 // times a byte: that byte eight times
	high = 0x80 * each
)

// notZero sets the high bit of each byte of x that is not zero, and no other.
func notZero(x uint64) uint64 { return (x&^high + 0x7f*each | x) & high }

// notDigit sets the high bit of each byte of x that is not a digit, and no other.
func notDigit(x uint64) uint64 {
	x ^= '0' * each
	return (x&^high + (0x80-10)*each | x) & high
}

// alike reports whether value is a JSON text because valid is: they differ in nothing but runs of digits, and a run
// that may stand for a number's integral part has no zero in front.
func alike(value, valid []byte) bool {
	i, j := 0, 0
	quotes, counted := 0, 0 // in the value, up to where they have been counted
	for {
		same := samePrefix(value[i:], valid[j:])
		if i, j = i+same, j+same; i == len(value) && j == len(valid) {
			return true
		}
		if !startsWithDigit(value[i:]) && !startsWithDigit(valid[j:]) {
			return false
		}
		for i > 0 && j > 0 && isDigit(value[i-1]) && isDigit(valid[j-1]) { // the run began before they differed
			i, j = i-1, j-1
		}
		start, end := i, digitsEnd(value, i)
		i, j = end, digitsEnd(valid, j)
		if start == end || j == 0 || !isDigit(valid[j-1]) {
			return false
		}
		if value[start] == '0' && end-start > 1 && (start == 0 || value[start-1] != '.') { // neither 0 nor a fraction
			quotes += bytes.Count(value[counted:start], quote)
			if counted = start; quotes%2 == 0 {
				return false
			}
		}
	}
}

func startsWithDigit(text []byte) bool { return len(text) > 0 && isDigit(text[0]) }

var quote = []byte{'"'}

// samePrefix is how many bytes are the same at the start.
func samePrefix(a, b []byte) (n int) {
	for n+8 <= len(a) && n+8 <= len(b) {
		if differ := binary.LittleEndian.Uint64(a[n:]) ^ binary.LittleEndian.Uint64(b[n:]); differ != 0 {
			return n + bits.TrailingZeros64(differ)/8
		}
		n += 8
	}
	for n < len(a) && n < len(b) && a[n] == b[n] {
		n++
	}
	return n
}

// digitsEnd is where the digits end that go on at i.
func digitsEnd(text []byte, i int) int {
	for i < len(text) && isDigit(text[i]) {
		i++
	}
	return i
}

// cut shortens a string for an error message.
func cut(s string) string {
	const most = 64
	if len(s) <= most {
		return s
	}
	return s[:most]
}
