// SPDX-License-Identifier: Apache-2.0

package rows

import (
	"bytes"
	"io"
)

// row is what is known of the row that starts at Reader.start. Its places count from there, so that
// they stay true when the buffer moves.
type row struct {
	state  state
	at     int // of the next byte
	cells  []cell
	cell   cell
	quotes bool // there is a cell in quotes, which may hold line ends
	fault  error
}

type cell struct {
	begin, end int
	quoted     bool
	doubled    bool // there is a doubled quote in it
}

// state is what the bytes before row.at are.
type state byte

const (
	beforeCell state = iota // and blanks
	inCell
	inQuotes
	afterQuote // in quotes: the cell ends, or the quote is doubled
	afterCell  // in quotes, and blanks
	bad        // a misplaced quote: the rest of the line is skipped
)

// scanRow finds the cells of the row, and reads until it is complete.
func (r *Reader) scanRow() error {
	r.row = row{cells: r.row.cells[:0]}
	for !r.scan(r.buf[r.start:r.end]) {
		err := r.fill()
		if err == io.EOF {
			return r.endOfFile()
		}
		if err != nil {
			return err
		}
	}
	return r.row.fault
}

// endOfFile ends a row without a line end.
func (r *Reader) endOfFile() error {
	switch s := &r.row; s.state {
	case inQuotes:
		r.fail(ErrNotClosed)
	case bad:
	default:
		s.endCell(s.at)
	}
	return r.row.fault
}

func (r *Reader) fail(err error) {
	r.row.fault = &Error{Line: r.line, Column: len(r.row.cells) + 1, Err: err}
}

// scan goes on with the row up to the end of data, and reports whether the row is complete. Then
// row.at is the place of its line end.
func (r *Reader) scan(data []byte) (complete bool) {
	s := &r.row
	for s.at < len(data) {
		b := data[s.at]
		switch s.state {
		case beforeCell:
			r.beginCell(b)
			continue
		case inCell:
			for !r.stops[b] {
				if s.at++; s.at == len(data) {
					return false
				}
				b = data[s.at]
			}
			switch {
			case b != '"':
			case r.opts.Delimiter == '\t': // which needs no quotes: few texts have a tab
				s.at++
				continue
			default:
				r.fail(ErrBareQuote)
				s.state = bad
				continue
			}
		case inQuotes:
			next := bytes.IndexByte(data[s.at:], '"')
			if next < 0 {
				s.at = len(data)
				return false
			}
			s.at += next + 1
			s.state = afterQuote
			continue
		case afterQuote, afterCell:
			if !r.afterQuotes(b) {
				continue
			}
		case bad:
			if b != '\r' && b != '\n' {
				s.at++
				continue
			}
			return true
		}
		// b ends the cell.
		if s.endCell(s.at); len(s.cells) > MaxCells {
			s.cells = s.cells[:0]
			r.fail(errTooManyCells)
			s.state = bad
			continue
		}
		if !r.separates(b) {
			return true
		}
		s.at++
		s.state = beforeCell
		s.cell = cell{begin: s.at}
	}
	return false
}

// beginCell goes on with the first byte of a cell, or with a blank before it.
func (r *Reader) beginCell(b byte) {
	s := &r.row
	switch {
	case b == '"':
		s.at++
		s.cell.begin, s.cell.quoted = s.at, true
		s.state, s.quotes = inQuotes, true
	case r.isDroppedBlank(b):
		s.at++
		s.cell.begin = s.at
	default:
		s.state = inCell
	}
}

// afterQuotes goes on with a byte after a quote that may end a cell, and reports whether the byte
// ends it.
func (r *Reader) afterQuotes(b byte) (ends bool) {
	s := &r.row
	if s.state == afterQuote {
		s.cell.end = s.at - 1
	}
	switch {
	case r.separates(b) || b == '\r' || b == '\n':
		return true
	case b == '"' && s.state == afterQuote:
		s.cell.doubled = true
		s.state = inQuotes
	case r.isDroppedBlank(b):
		s.state = afterCell
	default:
		r.fail(ErrBareQuote)
		s.state = bad
		return false
	}
	s.at++
	return false
}

// separates reports whether a byte separates cells.
func (r *Reader) separates(b byte) bool { return b == r.opts.Delimiter || r.runs && b == '\t' }

func (r *Reader) isDroppedBlank(b byte) bool {
	return (b == ' ' || b == '\t') && (r.runs || b != r.opts.Delimiter && !r.opts.KeepBlanks)
}

// endCell ends a cell before at.
func (s *row) endCell(at int) {
	switch {
	case s.state == afterQuote:
		s.cell.end = at - 1
	case !s.cell.quoted:
		s.cell.end = at
	}
	s.cells = append(s.cells, s.cell)
}

// takeRow returns the text of the row, and goes on after it. ended says that it has a line end.
func (r *Reader) takeRow() (text []byte, ended bool) {
	text = r.buf[r.start : r.start+r.row.at]
	if r.row.quotes {
		r.next += countLineEnds(text)
	}
	end := r.start + r.row.at
	if end < r.end {
		r.endLine(end)
		return text, true
	}
	r.start = r.end
	if len(text) == 0 || text[len(text)-1] != '\n' && text[len(text)-1] != '\r' { // which was counted
		r.next++
	}
	return text, false
}

// countLineEnds counts LF, CR and CRLF.
func countLineEnds(text []byte) int {
	return bytes.Count(text, []byte("\n")) + bytes.Count(text, []byte("\r")) - bytes.Count(text, []byte("\r\n"))
}

// split makes the cells of a row's text. It drops blanks after a cell and at the end of the line,
// and undoes doubled quotes in the buffer.
func (r *Reader) split(text []byte) {
	r.cells = r.cells[:0]
	for _, c := range r.row.cells {
		cell := text[c.begin:c.end:c.end]
		if !c.quoted {
			cell = r.trimRight(cell)
		}
		if c.doubled {
			cell = undouble(cell)
		}
		r.cells = append(r.cells, cell)
	}
	if last := len(r.cells) - 1; r.runs && last > 0 && len(r.cells[last]) == 0 && !r.row.cells[last].quoted {
		r.cells = r.cells[:last] // blanks ended the line
	}
}

func (r *Reader) trimRight(cell []byte) []byte {
	for len(cell) > 0 && r.isDroppedBlank(cell[len(cell)-1]) {
		cell = cell[:len(cell)-1]
	}
	return cell
}

// undouble makes one quote of each two.
func undouble(cell []byte) []byte {
	to := cell[:0]
	for at := 0; at < len(cell); at++ {
		to = append(to, cell[at])
		if cell[at] == '"' {
			at++
		}
	}
	return to
}

// isBlank reports whether the row is a line of blanks.
func (r *Reader) isBlank() bool {
	return len(r.cells) == 1 && len(r.cells[0]) == 0 && !r.row.cells[0].quoted
}
