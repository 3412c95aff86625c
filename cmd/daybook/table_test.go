// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"encoding/json"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jedib0t/go-pretty/v6/table"
	prettytext "github.com/jedib0t/go-pretty/v6/text"
)

// prettyTable returns the table that go-pretty makes of blocks of rows. Each block is at least as
// wide as the first one with the titles.
func prettyTable(columns []column, rows [][]string) string {
	style := table.StyleDefault
	style.Box.PaddingLeft, style.Box.PaddingRight = "", "  "
	style.Format = table.FormatOptions{}
	style.Options = table.OptionsNoBordersAndSeparators
	configs := make([]table.ColumnConfig, len(columns))
	titles := make(table.Row, len(columns))
	for i, c := range columns {
		titles[i] = c.title
		configs[i] = table.ColumnConfig{Number: i + 1, WidthMin: prettytext.StringWidth(c.title)}
		if c.isRight {
			configs[i].Align, configs[i].AlignHeader = prettytext.AlignRight, prettytext.AlignRight
		}
		for _, row := range rows[:min(len(rows), maxBlockRows)] {
			configs[i].WidthMin = max(configs[i].WidthMin, prettytext.StringWidth(row[i]))
		}
	}
	var printed strings.Builder
	for block := range slices.Chunk(rows, maxBlockRows) {
		out := table.NewWriter()
		out.SetStyle(style)
		out.SuppressTrailingSpaces()
		out.SetColumnConfigs(configs)
		if printed.Len() == 0 {
			out.AppendHeader(titles)
		}
		for _, row := range block {
			cells := make(table.Row, len(row))
			for i, text := range row {
				cells[i] = text
			}
			out.AppendRow(cells)
		}
		printed.WriteString(out.Render() + "\n")
	}
	return printed.String()
}

// textParts are texts of different widths: some take no column, some two, and some join those
// beside them. The first simpleParts are simple.
var textParts = []string{
	"a", "Z", "7", " ", "  ", "\"", "{", "~", "°", "é", "ß", "µ", "Ω", "Я", "ё",
	"\u0301", "\u0483", "\u200d", "\u00ad",
	"生", "ﾊ", "한", "👩", "👩\u200d🔬", "🇦🇹", "─", "█", "…",
	"\t", "\n", "\x1b[31m", "\xff", "\\", "©", "®\ufe0f",
}

const simpleParts = 15

// randomText returns a text of at most n parts. Most texts have only simple parts.
func randomText(random *rand.Rand, n int) string {
	kinds := len(textParts)
	if random.IntN(3) > 0 {
		kinds = simpleParts
	}
	var text strings.Builder
	for range random.IntN(n + 1) {
		text.WriteString(textParts[random.IntN(kinds)])
	}
	return text.String()
}

func newRandom(t *testing.T) *rand.Rand {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	return rand.New(rand.NewPCG(seed, 0))
}

// TestTableIsThatOfGoPretty wants the layout of a library that many programs use for tables.
func TestTableIsThatOfGoPretty(t *testing.T) {
	random := newRandom(t)
	columns := []column{{title: "NAME"}, rightColumn("VALUES"), {title: "Größe"}, rightColumn("")}
	for range 15 {
		rows := make([][]string, random.IntN(2*maxBlockRows+100))
		for i := range rows {
			for range columns {
				rows[i] = append(rows[i], printable(randomText(random, 1+random.IntN(12))))
			}
		}
		var out bytes.Buffer
		got := newBlockTable(&out, columns...)
		for _, row := range rows {
			if err := got.append(row...); err != nil {
				t.Fatal(err)
			}
		}
		if err := got.flush(); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(prettyTable(columns, rows), out.String()); diff != "" {
			t.Fatalf("table of %d rows (-go-pretty +got):\n%s", len(rows), diff)
		}
	}
}

func TestWidthsAreThoseOfGoPretty(t *testing.T) {
	random := newRandom(t)
	texts := []string{""}
	for r := range rune(0x3000) {
		texts = append(texts, string(r), "a"+string(r)+"é")
	}
	for range 5000 {
		texts = append(texts, randomText(random, 60))
	}
	for _, text := range texts {
		if got, want := textWidth(text), prettytext.StringWidth(text); got != want {
			t.Errorf("width of %q: %d; want %d", text, got, want)
		}
		if got, want := runesWidth(text), prettytext.StringWidthWithoutEscSequences(text); got != want {
			t.Errorf("width of the runes of %q: %d; want %d", text, got, want)
		}
		width := 1 + random.IntN(30)
		want := text
		if prettytext.StringWidth(text) > width {
			want = prettytext.Snip(text, width, string(ellipsis))
		}
		if got := snip(text, width); got != want && printable(text) == text {
			t.Errorf("%q in %d columns: %q; want %q", text, width, got, want)
		}
	}
}

// TestOneLine wants what json.Compact makes of a value.
func TestOneLine(t *testing.T) {
	random := newRandom(t)
	for range 5000 {
		text, err := json.Marshal(map[string]any{randomText(random, 9): []any{randomText(random, 9), 1.5, nil}})
		if err != nil {
			t.Fatal(err)
		}
		var indented, want bytes.Buffer
		if err := json.Indent(&indented, text, "\t", " \r"); err != nil {
			t.Fatal(err)
		}
		if err := json.Compact(&want, indented.Bytes()); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want.String(), string(oneLine(indented.Bytes()))); diff != "" {
			t.Fatalf("%q (-json.Compact +got):\n%s", indented.String(), diff)
		}
	}
}
