// SPDX-License-Identifier: Apache-2.0

package codec

import (
	"encoding/binary"
	"strconv"
	"strings"
	"testing"
)

// parseTextColumn parses a column of texts, whose budget is what values of a length allow. It
// returns false if the column is not valid.
func parseTextColumn(encoded []byte, count, valueBytes int) (*textColumn, *memberBody, bool) {
	var column textColumn
	body := memberBody{version: chunkVersion}
	in := fieldReader{data: encoded}
	ok := column.parse(&in, count, &scalarBudget{scalars: valueBytes, texts: valueBytes}, &body)
	body.texts.seal()
	return &column, &body, ok && in.remaining() == 0
}

// TestPatternWithoutDigits has a pattern of one byte that is not an alphabet, and a longer text.
// The text would consist of what was in memory before.
func TestPatternWithoutDigits(t *testing.T) {
	for _, test := range []struct {
		pattern string
		length  int
		want    bool
		reason  string // why the row is here
	}{
		{"x", 5, false, "the pattern does not say what the other four bytes are"},
		{"x", 0, false, "the text lacks a byte that all texts have"},
		{"x", 1, true, "the pattern says each byte"},
		{"\x01", 5, true, "each byte is a digit"},
		{"xy", 2, true, "the pattern says each byte"},
		{"xy", 1, false, "the text lacks a byte that all texts have"},
		{"", 0, false, "a pattern has at least one byte"},
		{strings.Repeat("x", maxDigits), maxDigits, true, "the longest pattern"},
		{strings.Repeat("x", maxDigits+1), maxDigits + 1, false, "beyond the limit"},
	} {
		lengths := []uint64{uint64(test.length), uint64(test.length)}
		encoded := appendIntColumn([]byte{byte(placeDigits)}, lengths)
		encoded = binary.AppendUvarint(encoded, uint64(2*test.length))
		encoded = append(binary.AppendUvarint(encoded, uint64(len(test.pattern))), test.pattern...)
		packed := 0
		if len(test.pattern) > 0 && digitBits[test.pattern[0]] > 0 {
			packed = test.length
		}
		encoded = append(append(encoded, byte(packed)), make([]byte, packed)...)
		column, body, ok := parseTextColumn(encoded, len(lengths), 1000)
		if ok = ok && column.read(coder, &body.bodyColumns, 0, len(lengths)); ok != test.want {
			t.Errorf("pattern %q, texts of %d bytes: valid %v; want %v (%s)",
				test.pattern, test.length, ok, test.want, test.reason)
		}
	}
}

// TestTextsAndLengths has texts whose lengths contradict the total. No text may be cut off, and no
// byte may remain.
func TestTextsAndLengths(t *testing.T) {
	for _, kind := range []placeKind{placeTexts, placeDigits} {
		for total := range uint64(8) {
			const length, count = 2, 2
			encoded := appendIntColumn([]byte{byte(kind)}, []uint64{length, length})
			encoded = binary.AppendUvarint(encoded, total)
			if kind == placeDigits {
				encoded = append(encoded, 1, lowerHex, length*count*4/8, 0x21, 0x43)
			} else {
				encoded = append(encoded, "1234567"[:total]...)
			}
			for wanted := 1; wanted <= count; wanted++ {
				column, body, ok := parseTextColumn(encoded, count, 100)
				ok = ok && column.read(coder, &body.bodyColumns, 0, wanted)
				if mayPass := wanted < count && total >= length; ok != (total == length*count) && !(ok && mayPass) {
					t.Errorf("kind %x, %d bytes of texts: %d of %d are valid: %v", kind, total, wanted, count, ok)
				}
			}
		}
	}
}

// TestFormsAtBudget has forms with several places, whose numbers are counted together.
func TestFormsAtBudget(t *testing.T) {
	var texts [][]byte
	for i := range 15 {
		text := "x" + strconv.Itoa(i)
		if i%3 == 0 {
			text = strconv.Itoa(i) + "-" + strconv.Itoa(2*i)
		}
		texts = append(texts, []byte(text))
	}
	const numbers = 10 + 2*5
	var e textEncoder
	encoded := e.appendSplit(nil, texts)
	for budget := range 2 * numbers {
		if _, _, ok := parseTextColumn(encoded, len(texts), budget); ok != (budget >= numbers) {
			t.Errorf("%d numbers in values of %d bytes: valid: %v", numbers, budget, ok)
		}
	}
}

// TestNumberOfForms has no form, the maximum of forms, and one more.
func TestNumberOfForms(t *testing.T) {
	for _, forms := range []int{0, 1, maxForms, maxForms + 1} {
		encoded := binary.AppendUvarint([]byte{byte(placeForms)}, uint64(forms))
		which := make([]uint64, forms)
		for i := range which {
			encoded, which[i] = append(encoded, 0, 0), uint64(i) // no place, and an empty piece
		}
		if forms > 1 {
			encoded = appendIntColumn(encoded, which)
		}
		if _, _, ok := parseTextColumn(encoded, max(1, forms), 1000); ok != (0 < forms && forms <= maxForms) {
			t.Errorf("%d forms: valid: %v", forms, ok)
		}
	}
}

// TestFormsBeyondBudget has a form with many places in many texts. Their product overflows 32 bits.
func TestFormsBeyondBudget(t *testing.T) {
	const places, count = 1 << 16, 1 << 16
	encoded := binary.AppendUvarint([]byte{byte(placeForms), 1}, places)
	encoded = append(encoded, make([]byte, places+1)...) // empty pieces
	for range places {
		encoded = append(encoded, 1, 0, 0, 0, 0) // style, and integers of no bits
	}
	if _, _, ok := parseTextColumn(encoded, count, count); ok {
		t.Errorf("%d places in %d texts of %d bytes are valid", places, count, count)
	}
	var ok bool
	allocated := testing.AllocsPerRun(1, func() { _, _, ok = parseTextColumn(encoded, count, places-1) })
	if ok || allocated > 20 {
		t.Errorf("%d places in %d bytes: valid %v, %v allocations; want none for the places",
			places, places-1, ok, allocated)
	}
}
