// SPDX-License-Identifier: Apache-2.0

package codec

import (
	"math"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// TestNumberText compares the text of numbers with what strconv writes.
func TestNumberText(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		style := numberStyle{
			minDigits:   uint8(rapid.IntRange(1, maxNumberDigits).Draw(t, "minDigits")),
			maxDecimals: uint8(rapid.IntRange(0, maxNumberDigits).Draw(t, "maxDecimals")),
		}
		style.minDecimals = uint8(rapid.IntRange(0, int(style.maxDecimals)).Draw(t, "minDecimals"))
		mantissa := rapid.Int64().Draw(t, "mantissa") >> rapid.IntRange(0, 63).Draw(t, "shift")

		checkNumber(t, style, mantissa)
	})
}

// TestTotalLengthOfNumbers compares the length of many numbers with that of each.
func TestTotalLengthOfNumbers(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		style := numberStyle{
			minDigits:   uint8(rapid.IntRange(1, 4).Draw(t, "minDigits")),
			maxDecimals: uint8(rapid.IntRange(0, maxNumberDigits).Draw(t, "maxDecimals")),
		}
		style.minDecimals = uint8(rapid.IntRange(0, int(style.maxDecimals)).Draw(t, "minDecimals"))
		lowest := rapid.Int64().Draw(t, "lowest") >> rapid.IntRange(0, 63).Draw(t, "shift")
		offsets := rapid.SliceOf(rapid.SampledFrom([]int64{0, 1, 5, 10, 90, 100, 1000})).Draw(t, "offsets")
		var mantissas []uint64
		want := uint64(0)
		for _, offset := range offsets {
			mantissas = append(mantissas, uint64(lowest+offset))
			want += uint64(len(referenceText(style, lowest+offset)))
		}
		if got := style.totalLen(mantissas); got != want {
			t.Fatalf("%+v: got %d bytes for %d numbers from %d on; want %d", style, got, len(mantissas), lowest, want)
		}
	})
}

// TestNumberTextOfEdges does the same for every style, and the numbers beside the powers of ten.
func TestNumberTextOfEdges(t *testing.T) {
	mantissas := []int64{0, math.MaxInt64, math.MinInt64}
	for _, power := range powersOfTen {
		for _, v := range []int64{power - 1, power, power + 1, 5 * (power / 10)} {
			mantissas = append(mantissas, v, -v)
		}
	}
	for _, minDigits := range []uint8{1, 2, 3, 4, 5, maxNumberDigits} {
		for maxDecimals := range uint8(maxNumberDigits + 1) {
			for _, minDecimals := range []uint8{0, maxDecimals / 2, maxDecimals} {
				for _, mantissa := range mantissas {
					checkNumber(t, numberStyle{minDigits, maxDecimals, minDecimals}, mantissa)
				}
			}
		}
	}
}

func checkNumber(t rapid.TB, style numberStyle, mantissa int64) {
	t.Helper()
	want := referenceText(style, mantissa)
	var text [maxNumberLen]byte
	got := string(text[:style.write(text[:], mantissa)])
	if got != want || style.length(mantissa) != len(want) {
		t.Fatalf("%+v: %d is written %q, of length %d; want %q", style, mantissa, got, style.length(mantissa), want)
	}
	var parsed number
	length := parsed.parse([]byte(want), unlimited)
	if length == len(want) && parsed.forms == 0 && parsed != style.number(mantissa) {
		t.Fatalf("%+v: %d is the number %+v; its text %q has %+v",
			style, mantissa, style.number(mantissa), want, parsed)
	}
}

// referenceText returns the text of mantissa / 10^maxDecimals.
func referenceText(style numberStyle, mantissa int64) string {
	digits, sign := strconv.FormatInt(mantissa, 10), ""
	if mantissa < 0 {
		digits, sign = digits[1:], "-"
	}
	if missing := int(style.minDigits) + int(style.maxDecimals) - len(digits); missing > 0 {
		digits = strings.Repeat("0", missing) + digits
	}
	point := len(digits) - int(style.maxDecimals)
	decimals := digits[point:]
	for len(decimals) > int(style.minDecimals) && strings.HasSuffix(decimals, "0") {
		decimals = decimals[:len(decimals)-1]
	}
	if decimals == "" {
		return sign + digits[:point]
	}
	return sign + digits[:point] + "." + decimals
}
