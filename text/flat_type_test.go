// SPDX-License-Identifier: Apache-2.0

package text

import (
	"math/big"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
)

// TestFlatType wants the type that holds all cells of a column as they are.
func TestFlatType(t *testing.T) {
	tests := []struct {
		name  string
		cells string // with blanks between them
		want  FlatType
	}{
		{"null alone", `null`, FlatText},
		{"strings", `"a" null "é"`, FlatText},
		{"truths", `true false null`, FlatBool},
		{"integers, to the ends of 64 bits", `1 -9223372036854775808 9223372036854775807 0`, FlatInteger},
		{"an integer after 64 bits", `9223372036854775808`, FlatJSON},
		{"20 digits that no float holds", `12345678901234567890`, FlatJSON},
		{"20 digits that a float holds", `12345678901234567000`, FlatFloat},
		{"decimals and integers", `1 2.50 -0.1 1e3 1.7976931348623157e308 5e-324`, FlatFloat},
		{"17 digits that a float gives back", `0.10000000000000002`, FlatFloat},
		{"17 digits that become others", `0.30000000000000003`, FlatJSON},
		{"more digits than a float has", `3.14159265358979323846`, FlatJSON},
		{"zeros at the end", `21.500000000000000000000`, FlatFloat},
		{"a number that a float makes infinite", `1E400`, FlatJSON},
		{"a number that a float makes zero", `1E-400`, FlatJSON},
		{"an exponent that no int holds", `1E99999999999999999999 1`, FlatJSON},
		{"zero with a large exponent", `0E400`, FlatFloat},
		{"minus zero", `-0 0 1`, FlatFloat},
		{"minus zero beside an integer that no float holds", `-0 9007199254740993`, FlatJSON},
		{"a decimal beside an integer that no float holds", `0.5 9007199254740993`, FlatJSON},
		{"a decimal beside one that a float holds", `0.5 9007199254740992`, FlatFloat},
		{"several types", `1 "1"`, FlatJSON},
		{"a truth and a number", `true 1`, FlatJSON},
		{"an array", `[1]`, FlatJSON},
		{"half a character", `"\ud800"`, FlatJSON},
	}
	for _, test := range tests {
		columns := NewFlatColumns()
		for cell := range strings.FieldsSeq(test.cells) {
			if err := columns.Add(value("r", `{"m": `+cell+` }`, 1)); err != nil {
				t.Fatal(err)
			}
		}
		if got := columns.Cells().Columns[2].Type; got != test.want {
			t.Errorf("%s: %s: type %d; want %d", test.name, test.cells, got, test.want)
		}
	}
}

// TestFloatHolds compares with rational numbers: a float holds a number if the decimal digits that
// it prints are that number.
func TestFloatHolds(t *testing.T) {
	seed := rand.Uint64()
	random := rand.New(rand.NewPCG(seed, 0))
	const characters = "0123456789"
	for range 20_000 {
		digits := strconv.Itoa(1 + random.IntN(9))
		for range random.IntN(20) {
			digits += string(characters[random.IntN(len(characters))])
		}
		at := 1 + random.IntN(len(digits))
		number := digits[:at]
		if at < len(digits) {
			number += "." + digits[at:]
		}
		if random.IntN(3) == 0 {
			number += "e" + strconv.Itoa(random.IntN(700)-350)
		}
		exact, _ := new(big.Rat).SetString(number)
		float, err := strconv.ParseFloat(number, 64)
		printed, _ := new(big.Rat).SetString(strconv.FormatFloat(float, 'g', -1, 64))
		want := err == nil && exact.Cmp(printed) == 0
		if got := floatHolds(number); got != want {
			t.Fatalf("seed %d: %s: got %v; want %v", seed, number, got, want)
		}
		if kinds := kindsOfNumber([]byte(number)); kinds&(kindFloat) != 0 && !want {
			t.Fatalf("seed %d: %s is taken for a float, which does not hold it", seed, number)
		}
	}
}
