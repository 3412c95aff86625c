// SPDX-License-Identifier: Apache-2.0

package text

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
)

// place is a place in a file.
type place struct {
	line   int // counted from 1
	column int // bytes from the start of the line
}

// after returns the place after text, which starts at p.
func (p place) after(text []byte) place {
	if last := bytes.LastIndexByte(text, '\n'); last >= 0 {
		return place{p.line + bytes.Count(text, []byte{'\n'}), len(text) - last - 1}
	}
	return place{p.line, p.column + len(text)}
}

// jsonStream takes a JSON text of any length apart. It only finds where values start and end; the
// caller checks each value.
type jsonStream struct {
	in   *bufio.Reader
	at   place // of the next byte
	from place // of the value that was read last
	raw  []byte
}

// placedError is an error at a place.
type placedError struct {
	place
	err error
}

func (e *placedError) Error() string { return e.err.Error() }
func (e *placedError) Unwrap() error { return e.err }

// chunk returns the bytes that are at hand, at least one, without taking them.
func (s *jsonStream) chunk() ([]byte, error) {
	if _, err := s.in.Peek(1); err != nil {
		return nil, err
	}
	return s.in.Peek(s.in.Buffered())
}

// take takes bytes of the chunk.
func (s *jsonStream) take(text []byte) {
	s.at = s.at.after(text)
	_, _ = s.in.Discard(len(text)) // which are in its buffer
}

// next skips white space and returns the byte after it, without taking it.
func (s *jsonStream) next() (byte, error) {
	for {
		chunk, err := s.chunk()
		if err != nil {
			return 0, err
		}
		n := 0
		for n < len(chunk) && isSpace(chunk[n]) {
			n++
		}
		if n < len(chunk) {
			next := chunk[n]
			s.take(chunk[:n])
			return next, nil
		}
		s.take(chunk)
	}
}

// takeByte takes the byte that next returned.
func (s *jsonStream) takeByte() { s.take([]byte{0}) }

// wrong returns the error that want was wanted at the next byte. After the end of the file, it says
// that the file ends early.
func (s *jsonStream) wrong(want string, err error) error {
	if err != nil && err != io.EOF {
		return err
	}
	return &placedError{s.at, &SyntaxError{Offset: s.at.column, Want: want, Incomplete: err == io.EOF}}
}

// want takes a byte, which white space may precede.
func (s *jsonStream) want(b byte, name string) error {
	next, err := s.next()
	if err != nil || next != b {
		return s.wrong(name, err)
	}
	s.takeByte()
	return nil
}

// value returns the next value, which the next call overwrites.
func (s *jsonStream) value() ([]byte, error) {
	s.raw = s.raw[:0]
	err := s.scanValue(func(piece []byte) error {
		if len(s.raw)+len(piece) > MaxLineLen {
			return &placedError{s.from, fmt.Errorf("a value is longer than %d MiB", MaxLineLen>>20)}
		}
		s.raw = append(s.raw, piece...)
		return nil
	})
	return s.raw, err
}

// skip passes over the next value, which may be of any length.
func (s *jsonStream) skip() error {
	return s.scanValue(func([]byte) error { return nil })
}

// scanValue calls keep with the pieces of the next value.
func (s *jsonStream) scanValue(keep func(piece []byte) error) error {
	first, err := s.next()
	if err != nil || bytes.IndexByte([]byte("]},:"), first) >= 0 {
		return s.wrong("a value", err)
	}
	s.from = s.at
	var extent valueExtent
	for {
		chunk, err := s.chunk()
		if err == io.EOF && extent.isWord {
			return nil
		}
		if err != nil {
			return s.wrong("the rest of a value", err)
		}
		n, done := extent.scan(chunk)
		if err := keep(chunk[:n]); err != nil {
			return err
		}
		s.take(chunk[:n])
		if done {
			return nil
		}
	}
}

// valueExtent finds the end of a value that comes in pieces. It counts "[" and "{" as the same.
type valueExtent struct {
	depth    int
	inString bool
	escaped  bool // the next byte is part of an escape
	isWord   bool // a number, true, false or null
}

// scan returns how many bytes of piece belong to the value, and whether it ends there.
func (e *valueExtent) scan(piece []byte) (n int, done bool) {
	for at := 0; at < len(piece); at++ {
		if e.inString {
			if at += e.scanString(piece[at:]); e.inString || e.depth > 0 {
				at--
				continue
			}
			return at, true
		}
		switch b := piece[at]; b {
		case '"':
			if e.isWord {
				return at, true
			}
			e.inString = true
		case '{', '[':
			if e.isWord {
				return at, true
			}
			e.depth++
		case '}', ']':
			if e.depth == 0 {
				return at, true
			}
			if e.depth--; e.depth == 0 {
				return at + 1, true
			}
		case ',', ':', ' ', '\t', '\r', '\n':
			if e.depth == 0 {
				return at, true
			}
		default:
			e.isWord = e.isWord || e.depth == 0
		}
	}
	return len(piece), false
}

// scanString returns how many bytes of piece belong to the string, with its closing quote.
func (e *valueExtent) scanString(piece []byte) int {
	for at := 0; at < len(piece); at++ {
		switch {
		case e.escaped:
			e.escaped = false
		case piece[at] == '\\':
			e.escaped = true
		case piece[at] == '"':
			e.inString = false
			return at + 1
		}
	}
	return len(piece)
}
