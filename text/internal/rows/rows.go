// SPDX-License-Identifier: Apache-2.0

// Package rows splits CSV into rows, and rows into cells.
//
// A row ends with LF, CR or CRLF. A cell may be in quotes; it may then hold line ends and
// delimiters, and each quote in it is doubled. A quote within another cell is malformed, unless
// tabs separate the cells. Empty lines and comment lines are no rows.
//
// A row that is malformed is an [*Error], and the reader goes on with the line after it. Memory is
// bounded by the longest row that Options allow.
package rows

import (
	"bytes"
	"errors"
	"fmt"
	"io"
)

// Options say how a text is split.
type Options struct {
	Delimiter  byte // between cells; a space stands for spaces and tabs, unless KeepBlanks
	Comment    byte // lines that begin with it are skipped; 0: there are none
	KeepBlanks bool // keep spaces and tabs around a cell that is not in quotes
	MaxLen     int  // of a row, in bytes
}

// Causes of an Error.
var (
	ErrBareQuote = errors.New(`bare " in a cell: want quotes around the whole cell, and "" for each quote in it`)
	ErrNotClosed = errors.New(`a quote is not closed`)
	ErrNUL       = errors.New("it holds NUL bytes, as a loss of power can leave them in a file")
)

// Error says why a row is malformed.
type Error struct {
	Line, LastLine int // that are lost
	Column         int // counted in cells from 1; 0: the whole line
	Err            error
}

func (e *Error) Error() string {
	if e.Column == 0 {
		return fmt.Sprintf("line %d: %v", e.Line, e.Err)
	}
	return fmt.Sprintf("line %d: column %d: %v", e.Line, e.Column, e.Err)
}

// Unwrap returns e.Err.
func (e *Error) Unwrap() error { return e.Err }

// Reader reads rows.
type Reader struct {
	in    io.Reader
	inErr error // of in
	opts  Options
	stops [256]bool // what ends the plain part of a cell
	runs  bool      // spaces and tabs separate the cells, however many

	buf        []byte
	start, end int // of the bytes in buf that no row was made of yet

	next    int  // number of the line that starts at start
	afterCR bool // the byte before start is a CR, and a LF after it belongs to it
	line    int  // number of the line that the last row began in

	row     row
	unended bool // the last row that was no Error had no line end
	cells   [][]byte
}

// NewReader returns a reader of in. It asks in for no more bytes than the next row needs, because a
// pipe may be slow to send them.
func NewReader(in io.Reader, opts Options) *Reader {
	const size = 64 << 10
	r := &Reader{in: in, opts: opts, next: 1, buf: make([]byte, min(size, opts.MaxLen+1))}
	for _, b := range []byte{opts.Delimiter, '"', '\r', '\n'} {
		r.stops[b] = true
	}
	r.runs = opts.Delimiter == ' ' && !opts.KeepBlanks
	r.stops['\t'] = r.stops['\t'] || r.runs
	return r
}

// Line returns the number of the line that the last row began in, also if that row was malformed.
func (r *Reader) Line() int { return r.line }

// NextLine returns the number of the line after the last row.
func (r *Reader) NextLine() int { return r.next }

// IsUnended reports whether the text ended in the last row, without a line end. A malformed row has
// an error already.
func (r *Reader) IsUnended() bool { return r.unended }

// Read returns the cells of the next row, which are valid until the next call. After the last row
// it returns io.EOF.
func (r *Reader) Read() ([][]byte, error) {
	for {
		nuls, err := r.findRow()
		if err != nil {
			return nil, err
		}
		fault := r.scanRow()
		if fault != nil && !errors.As(fault, new(*Error)) {
			return nil, fault
		}
		text, ended := r.takeRow()
		switch {
		case nuls > 0 || bytes.IndexByte(text, 0) >= 0:
			return nil, &Error{Line: r.line, LastLine: r.next - 1, Err: ErrNUL}
		case fault != nil:
			fault.(*Error).LastLine = max(r.next-1, r.line)
			return nil, fault
		}
		if r.split(text); !r.isBlank() {
			r.unended = !ended
			return r.cells, nil
		}
	}
}

// SkipLines skips lines, whatever they hold.
func (r *Reader) SkipLines(n int) error {
	for ; n > 0; n-- {
		if err := r.skipLine(); err != nil {
			return err
		}
	}
	return nil
}

// findRow skips empty lines, comments and NULs up to the first byte of a row, and returns how many
// NULs. The row may be empty if there were NULs.
func (r *Reader) findRow() (nuls int, err error) {
	for {
		b, err := r.peek()
		if err == io.EOF && nuls > 0 {
			r.line = r.next
			return nuls, nil
		}
		switch {
		case err != nil:
			return 0, err
		case b == 0:
			nuls++
			r.start++
		case nuls == 0 && (b == '\n' || b == '\r' || b == r.opts.Comment):
			if err := r.skipLine(); err != nil {
				return 0, err
			}
		default:
			r.line = r.next
			return nuls, nil
		}
	}
}

// peek returns the byte at start, after the LF of a CRLF.
func (r *Reader) peek() (byte, error) {
	for {
		if r.start == r.end {
			if err := r.fill(); err != nil {
				return 0, err
			}
		}
		b := r.buf[r.start]
		if !r.afterCR || b != '\n' {
			r.afterCR = false
			return b, nil
		}
		r.start++
		r.afterCR = false
	}
}

// skipLine skips the rest of a line. It returns io.EOF only if there is nothing to skip.
func (r *Reader) skipLine() error {
	if _, err := r.peek(); err != nil {
		return err
	}
	for {
		at := bytes.IndexAny(r.buf[r.start:r.end], "\r\n")
		if at >= 0 {
			r.endLine(r.start + at)
			return nil
		}
		r.start = r.end
		if err := r.fill(); err == io.EOF {
			r.next++
			return nil
		} else if err != nil {
			return err
		}
	}
}

// endLine goes on after the line end at a place of the buffer.
func (r *Reader) endLine(at int) {
	r.afterCR = r.buf[at] == '\r'
	r.start = at + 1
	r.next++
}

// fill reads more bytes after those that are in the buffer.
func (r *Reader) fill() error {
	if r.inErr != nil {
		return r.inErr
	}
	if r.start == r.end {
		r.start, r.end = 0, 0
	}
	if r.end-r.start > r.opts.MaxLen {
		return fmt.Errorf("a row is longer than %d MiB; is a quote not closed?", r.opts.MaxLen>>20)
	}
	if r.end == len(r.buf) {
		r.makeRoom()
	}
	for range 100 {
		n, err := r.in.Read(r.buf[r.end:])
		r.end += n
		r.inErr = err
		if n > 0 {
			return nil
		}
		if err != nil {
			return err
		}
	}
	return io.ErrNoProgress
}

// makeRoom moves the bytes to the start of the buffer, or of a larger one.
func (r *Reader) makeRoom() {
	to := r.buf
	if r.end-r.start > len(r.buf)/2 {
		to = make([]byte, min(2*len(r.buf), r.opts.MaxLen+len(r.buf)))
	}
	r.end = copy(to, r.buf[r.start:r.end])
	r.buf, r.start = to, 0
}
