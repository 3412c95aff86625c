// SPDX-License-Identifier: Apache-2.0

package text

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"
)

// FlatType is the type of the cells of a column.
type FlatType byte

// The types. A column has the first one that holds all its cells as they are; null is in any of
// them. FlatFloat holds a number whose decimal digits come back from a 64-bit float, so 0.1 but
// neither 12345678901234567890 nor 1E400. FlatJSON is the JSON text of cells that have several
// types, of arrays, and of numbers that no other type holds.
const (
	FlatText    FlatType = iota // of strings, without their quotes
	FlatBool                    // of true and false
	FlatInteger                 // of 64-bit integers
	FlatFloat
	FlatJSON
)

// leafKinds are the kinds of cells that a column has.
type leafKinds byte

const (
	kindText  leafKinds = 1 << iota
	kindBool            // true or false
	kindInt             // a number that is a 64-bit integer
	kindFloat           // any other number that a float holds
	kindBig             // an integer that no float holds as it is
	kindOther
)

// flatType returns the type that holds all kinds.
func (k leafKinds) flatType() FlatType {
	switch {
	case k&^kindText == 0:
		return FlatText
	case k == kindBool:
		return FlatBool
	case k&^(kindInt|kindBig) == 0:
		return FlatInteger
	case k&^(kindInt|kindFloat) == 0:
		return FlatFloat
	}
	return FlatJSON
}

// Fits reports whether the type of the column holds a cell. One that it does not hold was stored
// after Add saw the others.
func (c *FlatColumn) Fits(leaf json.RawMessage) bool {
	return (c.seen | kindsOfLeaf(leaf, c.seen)).flatType() == c.Type
}

// kindsOfLeaf returns the kinds of a cell: none for null. A column that has kindOther needs no
// other.
func kindsOfLeaf(leaf json.RawMessage, seen leafKinds) leafKinds {
	if seen&kindOther != 0 {
		return seen
	}
	switch kindOf(leaf) {
	case "null":
		return 0
	case "string":
		if hasLoneSurrogate(leaf) {
			return kindOther
		}
		return kindText
	case "bool":
		return kindBool
	case "number":
		return kindsOfNumber(leaf)
	}
	return kindOther
}

// maxExactDigits is the number of significant digits that a float always gives back.
const maxExactDigits = 15

// kindsOfNumber returns the kinds of a number. -0 is no integer.
func kindsOfNumber(number []byte) leafKinds {
	digits := bytes.TrimPrefix(number, []byte("-"))
	isShort := len(digits) <= maxExactDigits
	if bytes.ContainsAny(digits, ".eE") || len(digits) < len(number) && digits[0] == '0' {
		if isShort && !bytes.ContainsAny(digits, "eE") || floatHolds(string(number)) {
			return kindFloat
		}
		return kindOther
	}
	if isShort {
		return kindInt
	}
	_, err := strconv.ParseInt(string(number), 10, 64)
	switch isFloat := floatHolds(string(number)); {
	case err == nil && isFloat:
		return kindInt
	case err == nil:
		return kindBig
	case isFloat:
		return kindFloat
	}
	return kindOther
}

// floatHolds reports whether the shortest decimal number that means the same float as a number is
// that number.
func floatHolds(number string) bool {
	float, err := strconv.ParseFloat(number, 64)
	if err != nil {
		return false
	}
	got, _ := parseDecimal(number)
	held, _ := parseDecimal(strconv.FormatFloat(float, 'e', -1, 64))
	got.digits, held.digits = strings.TrimRight(got.digits, "0"), strings.TrimRight(held.digits, "0")
	return got == held
}
