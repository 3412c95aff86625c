// SPDX-License-Identifier: Apache-2.0

package daybook

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"math/bits"
)

// ValueValidator validates one value after another with the result of ValidateValue. It takes less
// time than ValidateValue if a value differs from an earlier one only in its digits, as the values
// of a device mostly do.
//
// Its zero value is ready for use. It keeps a reference to a value until a later call replaces it,
// so the caller must not change the value before then. Only one goroutine at a time may use it.
type ValueValidator struct {
	valid json.RawMessage // the last valid value, if it has no backslash: each quote in it opens or closes a string
}

// Validate returns what ValidateValue returns for value.
func (v *ValueValidator) Validate(value json.RawMessage) error {
	if v.valid != nil && len(value) <= MaxValueLen &&
		(sameShapeAndLength(value, v.valid) || sameShape(value, v.valid)) {
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

// sameShapeAndLength reports whether sameShape is true, for texts of equal length. It compares
// eight bytes at a time. It also returns false in some cases in which sameShape is true: if a digit
// became a zero that may be a leading one.
func sameShapeAndLength(value, valid []byte) bool {
	const word = 8
	if len(value) != len(valid) || len(value) < word {
		return false
	}
	previous := uint64(0) // the byte before the word
	for at := 0; ; {
		x, y := binary.LittleEndian.Uint64(value[at:]), binary.LittleEndian.Uint64(valid[at:])
		if x != y {
			differ, before := notZero(x^y), x<<8|previous // before: for each byte of x, the byte before it
			if differ&(notDigit(x)|notDigit(y)) != 0 {
				return false
			}
			becameZero := differ & ^notZero(x^each*'0') & high
			if becameZero&notDigit(before)&notZero(before^each*'.') != 0 {
				return false
			}
		}
		if at+word == len(value) {
			return true
		}
		at = min(at+word, len(value)-word) // the last word may overlap the word before it
		previous = uint64(value[at-1])
	}
}

const (
	each = 0x0101010101010101 // times a byte: eight times that byte
	high = 0x80 * each        // the highest bit of each byte
)

// notZero sets the highest bit of each byte of x that is not zero, and no other bit.
func notZero(x uint64) uint64 { return (x&^high + 0x7f*each | x) & high }

// notDigit sets the highest bit of each byte of x that is not a digit, and no other bit.
func notDigit(x uint64) uint64 {
	x ^= '0' * each
	return (x&^high + (0x80-10)*each | x) & high
}

// sameShape reports whether value must be a JSON text because valid is one. The texts then differ
// only in runs of digits, and no run that may be the integral part of a number starts with a
// superfluous zero.
func sameShape(value, valid []byte) bool {
	i, j := 0, 0
	quotes, counted := 0, 0 // quotes is the number of quotes in value[:counted]
	for {
		same := samePrefix(value[i:], valid[j:])
		if i, j = i+same, j+same; i == len(value) && j == len(valid) {
			return true
		}
		if !startsWithDigit(value[i:]) && !startsWithDigit(valid[j:]) {
			return false
		}
		for i > 0 && j > 0 && isDigit(value[i-1]) && isDigit(valid[j-1]) { // back to where the run began
			i, j = i-1, j-1
		}
		start, end := i, digitsEnd(value, i)
		i, j = end, digitsEnd(valid, j)
		if start == end || j == 0 || !isDigit(valid[j-1]) {
			return false
		}
		if value[start] == '0' && end-start > 1 && (start == 0 || value[start-1] != '.') { // neither 0 nor a fraction
			quotes += bytes.Count(value[counted:start], quote)
			if counted = start; quotes%2 == 0 { // outside of a string
				return false
			}
		}
	}
}

func startsWithDigit(text []byte) bool { return len(text) > 0 && isDigit(text[0]) }

var quote = []byte{'"'}

// samePrefix returns the length of the longest common prefix.
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
