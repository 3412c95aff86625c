// SPDX-License-Identifier: Apache-2.0

package codec

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// TestMemberTexts has more texts at one path than a dictionary may have, of which none is like
// another.
func TestMemberTexts(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for _, test := range []struct {
		name string
		text func(i int) string
		kind placeKind
	}{
		{"words", func(int) string { return randomWords(random) }, placeZstd},
		{"noise", func(int) string { return randomText(random, 20) }, placeTexts},
		{"identifiers", func(i int) string { return identifier(uint64(i)) }, placeDigits},
		{"identifiers that repeat", func(i int) string { return identifier(uint64(i % 50)) }, placeForms},
	} {
		entries := memberEntries(1000, func(i int) string { return `{"text":"` + test.text(i) + `"}` })
		var texts [][]byte
		for _, e := range entries {
			texts = append(texts, e.Value[len(`{"text":"`):len(e.Value)-len(`"}`)])
		}
		var e textEncoder
		if column := e.appendColumn(coder, nil, texts); placeKind(column[0]) != test.kind {
			t.Errorf("%s: kind %x; want %x", test.name, column[0], test.kind)
		}
		key, chunk := memberChunk(entries)
		var b Buffer
		checkDecodes(t, &b, key, chunk, entries)
		wantRanges(t, key, chunk, entries)
	}
}

// TestMaxForms has as many texts as a dictionary may have, and one more.
func TestMaxForms(t *testing.T) {
	var texts [][]byte
	for i := range 4 * maxForms {
		texts = append(texts, []byte(strings.Repeat("x", i/4)))
	}
	var e textEncoder
	if column := e.appendDictionary(nil, texts); len(column) == 0 {
		t.Error("a dictionary does not have the maximum of texts")
	}
	texts = append(texts, []byte(strings.Repeat("x", maxForms)))
	if column := e.appendDictionary(nil, texts); len(column) > 0 {
		t.Error("a dictionary has more than the maximum of texts")
	}
}

func randomWords(random *rand.Rand) string {
	var s strings.Builder
	for range 3 + random.IntN(9) {
		s.WriteString(words[random.IntN(len(words))] + " ")
	}
	return s.String()
}

func randomText(random *rand.Rand, n int) string {
	text := make([]byte, n)
	for i := range text {
		text[i] = byte('#' + random.IntN(0x5c-'#'))
	}
	return string(text)
}

// TestTextDigits draws texts of any pattern, and reads any part of their column.
func TestTextDigits(t *testing.T) {
	found := map[string]int{}
	rapid.Check(t, func(t *rapid.T) {
		alphabet := rapid.SampledFrom([]string{"0123456789abcdef", "0123456789ABCDEF", "0123", alphabets[base64URL]})
		digits := rapid.Custom(func(t *rapid.T) string { return string(alphabet.Draw(t, "alphabet")) })
		others := rapid.SampledFrom([]string{"-", ":", "é"[:1]})
		pattern := rapid.SliceOfN(rapid.OneOf(digits, others), 1, 40).Draw(t, "pattern")
		if rapid.Bool().Draw(t, "one alphabet") {
			pattern = slices.Repeat(pattern[:1], len(pattern))
		}
		isOneLength := rapid.Bool().Draw(t, "one length")
		texts := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) []byte {
			length := len(pattern)
			if !isOneLength {
				length = rapid.IntRange(0, len(pattern)).Draw(t, "length")
			}
			text := make([]byte, length)
			for i := range text {
				text[i] = pattern[i][rapid.IntRange(0, len(pattern[i])-1).Draw(t, "digit")]
			}
			return text
		}), 1, 30).Draw(t, "texts")

		var e textEncoder
		bits, ok := e.digits.find(texts)
		if found[fmt.Sprint(ok)]++; !ok {
			return
		}
		total := len(bytes.Join(texts, nil))
		encoded := e.appendDigits(nil, texts, total, bits)
		var column textColumn
		in := fieldReader{data: encoded}
		body := memberBody{version: chunkVersion}
		if !column.parse(&in, len(texts), &scalarBudget{texts: total}, &body) || in.remaining() > 0 {
			t.Fatalf("%q: the column cannot be read", texts)
		}
		from := rapid.IntRange(0, len(texts)-1).Draw(t, "from")
		wanted := rapid.IntRange(1, len(texts)-from).Draw(t, "wanted")
		if !column.read(coder, &body.bodyColumns, from, wanted) {
			t.Fatalf("%q: the texts from %d on cannot be read", texts, from)
		}
		dst, at := make([]byte, total+memberSlack), 0
		for i := range wanted {
			at = column.write(dst, at, i, &body.texts)
		}
		if want := bytes.Join(texts[from:from+wanted], nil); !bytes.Equal(dst[:at], want) {
			t.Fatalf("got %q; want %q", dst[:at], want)
		}
	})
	if found["true"] == 0 || found["false"] == 0 {
		t.Errorf("texts of digits: %v; want both", found)
	}
}

// TestOrderlyDigits: digits that are mostly those of the text before may be shorter in another way.
func TestOrderlyDigits(t *testing.T) {
	for _, test := range []struct {
		name string
		text func(i uint64) string
		want bool
	}{
		{"random", identifier, false},
		{"growing", func(i uint64) string { return fmt.Sprintf("%016x", 1e15+i*12_345) }, true},
	} {
		var texts [][]byte
		for i := range uint64(500) {
			texts = append(texts, []byte(test.text(i)))
		}
		var e digitEncoder
		if _, ok := e.find(texts); !ok || e.isOrderly != test.want {
			t.Errorf("%s: digits: %v, orderly: %v; want %v", test.name, ok, e.isOrderly, test.want)
		}
	}
}
