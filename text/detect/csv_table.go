// SPDX-License-Identifier: Apache-2.0

package detect

import (
	"bytes"
	"io"
	"regexp"
	"strings"

	"github.com/daybook-db/daybook/text"
	"github.com/daybook-db/daybook/text/internal/rows"
	"github.com/daybook-db/daybook/text/timeform"
)

// table is the sample, split by one delimiter.
type table struct {
	rows  []tableRow
	width int // the number of cells that rows have most often
	fit   int // rows that have this number
	bad   int // malformed rows

	firstBad int // the line of the first of them
	badError error
}

type tableRow struct {
	line  int // that it begins in
	after int // the number of the line after it
	cells []string
}

// delimiters are those that are looked for. Where two explain a file as well, it is the first.
var delimiters = []rune{',', ';', '\t', '|'}

// findDelimiter finds what separates the cells, and comment lines.
func (d *csvDetection) findDelimiter() {
	if d.opts.Comment == 0 && beginsWithComment(d.sample.Text) {
		d.opts.Comment = '#'
	}
	if match := excelSeparator.FindSubmatch(d.sample.Text); match != nil && d.opts.SkipLines == 0 {
		d.opts.SkipLines = 1
		if d.opts.Delimiter == 0 {
			d.opts.Delimiter = rune(match[1][0])
		}
	}
	if d.opts.Delimiter != 0 {
		d.table = d.split(d.opts.Delimiter)
	} else {
		d.tryDelimiters()
	}
	d.sayDelimiter()
	if d.opts.Comment != d.hints.Reader.CSV.Comment {
		d.finding.say("lines that begin with %c skipped", d.opts.Comment)
	}
}

func (d *csvDetection) sayDelimiter() {
	switch {
	case d.opts.Delimiter == '\t':
		d.finding.say("a tab between columns")
	case d.opts.Delimiter == ' ' && !d.opts.KeepBlanks:
		d.finding.say("blanks between columns")
	default:
		d.finding.say("%q between columns", d.opts.Delimiter)
	}
}

// excelSeparator matches the line that tells Excel what separates the cells.
var excelSeparator = regexp.MustCompile(`^sep=([,;\t|])[\r\n]`)

func (d *csvDetection) tryDelimiters() {
	best := -1.0
	for _, delimiter := range delimiters {
		table := d.split(delimiter)
		if score := table.score(); score > best {
			best, d.table, d.opts.Delimiter = score, table, delimiter
		}
	}
	if d.table.width < 2 && !d.opts.KeepBlanks {
		d.tryBlanks()
	}
}

// beginsWithComment reports whether the first line that is not empty is a comment.
func beginsWithComment(sample []byte) bool {
	return bytes.HasPrefix(bytes.TrimLeft(sample, " \t\r\n"), []byte("#"))
}

// split splits the sample. The last row may be malformed because the sample ends in it.
func (d *csvDetection) split(delimiter rune) *table {
	r := rows.NewReader(bytes.NewReader(d.sample.Text), rows.Options{
		Delimiter: byte(delimiter), Comment: byte(d.opts.Comment), KeepBlanks: d.opts.KeepBlanks,
		MaxLen: text.MaxLineLen,
	})
	_ = r.SkipLines(d.opts.SkipLines)
	t := &table{}
	widths := map[int]int{}
	for {
		cells, err := r.Read()
		if err == io.EOF {
			return t
		}
		if err != nil {
			if t.bad++; t.bad == 1 {
				t.firstBad, t.badError = r.Line(), err
			}
			continue
		}
		t.rows = append(t.rows, tableRow{r.Line(), r.NextLine(), toStrings(cells)})
		widths[len(cells)]++
		if n := widths[len(cells)]; n > t.fit || n == t.fit && len(cells) > t.width {
			t.width, t.fit = len(cells), n
		}
	}
}

func toStrings(cells [][]byte) []string {
	texts := make([]string, len(cells))
	for i, cell := range cells {
		texts[i] = string(cell)
	}
	return texts
}

// maxScored is how many rows score looks into.
const maxScored = 200

// score says how well a delimiter explains the file: rows have equally many cells, and the cells
// after the header are numbers and times. It is 0 if there is but one column.
func (t *table) score() float64 {
	if t.width < 2 {
		return 0
	}
	cells, known := 1, 0 // a header alone has none
	for i, row := range t.rows[:min(len(t.rows), maxScored)] {
		if len(row.cells) != t.width || i == 0 && isLabels(row.cells) {
			continue
		}
		for _, cell := range row.cells {
			cells++
			if !isLabel(cell) && !strings.ContainsAny(cell, ";\t|") {
				known++
			}
		}
	}
	return 2*float64(t.fit)/float64(len(t.rows)+t.bad) + float64(known)/float64(cells)
}

// cellKind is what a cell is.
type cellKind byte

const (
	missing cellKind = iota
	number
	boolean
	textual
)

func (d *csvDetection) kindOf(cell string) cellKind {
	switch {
	case rows.IsMissing([]byte(cell)):
		return missing
	case d.opts.DecimalComma && rows.IsCommaNumber([]byte(cell)),
		!d.opts.DecimalComma && rows.IsNumber([]byte(cell)):
		return number
	case cell == "true" || cell == "false":
		return boolean
	}
	return textual
}

// isLabel reports whether a cell is a text that can name a column: it is no number, no time and no
// truth.
func isLabel(cell string) bool {
	switch {
	case rows.IsMissing([]byte(cell)) || anyNumber.MatchString(cell) || cell == "true" || cell == "false":
		return false
	case likelihoodOfName(cell) > 0:
		return true
	}
	return timeform.Looks([]string{cell}) == timeform.NotTimes || !strings.ContainsAny(cell, "0123456789")
}

var (
	anyNumber      = regexp.MustCompile(`^[-+]?[0-9.,]*[0-9][0-9.,]*([eE][-+]?[0-9]+)?$`)
	pointThousands = regexp.MustCompile(`^-?[0-9]{1,3}(,[0-9]{3})+\.[0-9]+$`) // 1,234.5
)
