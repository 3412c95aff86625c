// SPDX-License-Identifier: Apache-2.0

package text

import (
	"cmp"
	"errors"
	"fmt"
	"strconv"
)

var (
	// ErrMissingTime is returned for a value without a time, unless ReadOptions.StampNow is set.
	ErrMissingTime = errors.New("it has no time")
	// ErrNotTime is returned for a text that is not a time in any form.
	ErrNotTime = errors.New("is not a time")
	// ErrNoZone is returned for a time that is complete except for its time zone.
	ErrNoZone = errors.New("has no time zone")
	// ErrNoUnit is returned for a number whose digits do not say its unit, unless
	// ReadOptions.TimeUnit does.
	ErrNoUnit = errors.New("is not a time without a unit")
	// ErrImplausible is returned for a time before 1980, or more than a day after now, unless
	// ReadOptions.AnyTime is set.
	ErrImplausible = errors.New("which is not a plausible time")
	// ErrNotUTF8 is returned for a line or a cell that is not UTF-8.
	ErrNotUTF8 = errors.New("not valid UTF-8")
)

// LineError says why the value of a line, or of a CSV row, cannot be stored. The reader that
// returned it goes on with the next value.
type LineError struct {
	File     string // ReadOptions.Name
	Line     int    // counted from 1
	LastLine int    // the last line that is lost; more than Line if a malformed row spans several lines
	Err      error  // the cause
}

func (e *LineError) Error() string {
	unit, lines := "line ", strconv.Itoa(e.Line)
	if e.Lines() > 1 {
		unit, lines = "lines ", fmt.Sprintf("%d-%d", e.Line, e.LastLine)
	}
	if e.File == "" {
		return fmt.Sprintf("%s%s: %v", unit, lines, e.Err)
	}
	return fmt.Sprintf("%s:%s: %v", e.File, lines, e.Err)
}

// Unwrap returns e.Err.
func (e *LineError) Unwrap() error { return e.Err }

// Lines returns the number of lines that are lost.
func (e *LineError) Lines() int { return max(e.LastLine-e.Line, 0) + 1 }

// EndError says why the rest of a file cannot be read: it does not say where its next value starts.
type EndError struct {
	File string // ReadOptions.Name
	Line int    // counted from 1
	Err  error  // the cause
}

func (e *EndError) Error() string {
	line := LineError{File: e.File, Line: e.Line, Err: e.Err}
	return line.Error() + "; the file cannot be read after that"
}

// Unwrap returns e.Err.
func (e *EndError) Unwrap() error { return e.Err }

// SyntaxError says where a line is not one JSON object, or not a part of a JSON document.
type SyntaxError struct {
	Offset     int    // of the byte that is wrong, from the start of the line, counted from 0
	Want       string // wanted there: "a value"
	Incomplete bool   // the line ends at Offset
	Reason     string // what is wrong there, where Want does not say it: "a control character"
	Format     string // that the line has not. Default: JSON
}

func (e *SyntaxError) Error() string {
	format := cmp.Or(e.Format, "JSON")
	if e.Reason != "" {
		return fmt.Sprintf("not %s: %s at byte %d", format, e.Reason, e.Offset+1)
	}
	if e.Incomplete {
		return fmt.Sprintf("not %s: the line ends early at byte %d: want %s", format, e.Offset+1, e.Want)
	}
	return fmt.Sprintf("not %s: want %s at byte %d", format, e.Want, e.Offset+1)
}

// KindError says that a JSON text is not of the kind that was wanted.
type KindError struct {
	Got, Want string // object, array, string, number, bool or null, Want with its article
}

func (e *KindError) Error() string { return fmt.Sprintf("it is a JSON %s: want %s", e.Got, e.Want) }

// MemberError says why one member of a JSON object is refused.
type MemberError struct {
	Member string // its name
	Err    error
}

func (e *MemberError) Error() string {
	return fmt.Sprintf("member %q: %v", shorten(e.Member, maxQuoted), e.Err)
}

// Unwrap returns e.Err.
func (e *MemberError) Unwrap() error { return e.Err }

// ColumnError says why one column of CSV is refused.
type ColumnError struct {
	Column int    // counted from 1
	Name   string // from the header; may be empty
	Err    error
}

func (e *ColumnError) Error() string {
	if e.Name == "" {
		return fmt.Sprintf("column %d: %v", e.Column, e.Err)
	}
	return fmt.Sprintf("column %d (%q): %v", e.Column, shorten(e.Name, maxQuoted), e.Err)
}

// Unwrap returns e.Err.
func (e *ColumnError) Unwrap() error { return e.Err }

// HeaderError says that the header of CSV is not the one that was wanted.
type HeaderError struct {
	Got  []string // the columns of the header
	Want string
}

func (e *HeaderError) Error() string {
	const maxHeader = 100 // the file may be of another format, whose lines have no end
	return fmt.Sprintf("the header is %s; want %s", shorten(fmt.Sprintf("%q", e.Got), maxHeader), e.Want)
}

// TimeError says why a text is not a time that can be stored.
type TimeError struct {
	Text string // the text that was read
	Err  error  // the cause, as the end of a sentence about Text: "is not a time"
	Want string // the forms of time that are read; may be empty
}

func (e *TimeError) Error() string {
	if e.Want == "" {
		return fmt.Sprintf("%q %v", shorten(e.Text, maxQuoted), e.Err)
	}
	return fmt.Sprintf("%q %v: want %s", shorten(e.Text, maxQuoted), e.Err, e.Want)
}

// Unwrap returns e.Err.
func (e *TimeError) Unwrap() error { return e.Err }

// maxQuoted bounds, in bytes, the texts of a file that errors quote: a name may be as long as a
// line.
const maxQuoted = 64

// shorten returns text, or its first bytes and an ellipsis.
func shorten(text string, maxBytes int) string {
	if len(text) <= maxBytes {
		return text
	}
	return text[:maxBytes] + "..."
}

// prefix is what an error starts with for a file of this name.
func prefix(file string) string {
	if file == "" {
		return ""
	}
	return file + ": "
}
