// SPDX-License-Identifier: Apache-2.0

package timeform

import (
	"strings"
	"unicode/utf8"
)

// cursor reads a text from its start to its end. Each of its methods that returns false has read
// nothing that matters, because the text is then not in the form.
type cursor struct {
	text string
	at   int
}

func (s *cursor) atEnd() bool { return s.at == len(s.text) }

// peek returns the next byte, or 0 at the end.
func (s *cursor) peek() byte {
	if s.at < len(s.text) {
		return s.text[s.at]
	}
	return 0
}

func isDigit(c byte) bool { return c-'0' <= 9 }

func isLetter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }

// number reads digits, at most max of them, and returns how many there were.
func (s *cursor) number(max int) (value, width int) {
	text := s.text[s.at:]
	for width < len(text) && width < max && isDigit(text[width]) {
		value = value*10 + int(text[width]-'0')
		width++
	}
	s.at += width
	return value, width
}

// twoDigits reads exactly two digits.
func (s *cursor) twoDigits() (value int, ok bool) {
	if s.at+2 > len(s.text) {
		return 0, false
	}
	a, b := s.text[s.at]-'0', s.text[s.at+1]-'0'
	s.at += 2
	return int(a)*10 + int(b), a <= 9 && b <= 9
}

// blanks skips blanks.
func (s *cursor) blanks() (any bool) {
	start := s.at
	for s.at < len(s.text) {
		width := blankWidth(s.text[s.at:])
		if width == 0 {
			break
		}
		s.at += width
	}
	return s.at > start
}

// blankWidth returns how many bytes the blank has with which a text begins. Newer programs write
// one before PM at which a line is not broken.
func blankWidth(text string) int {
	switch {
	case text[0] == ' ':
		return 1
	case text[0] < utf8.RuneSelf:
		return 0
	case strings.HasPrefix(text, noBreakSpace):
		return len(noBreakSpace)
	case strings.HasPrefix(text, narrowSpace):
		return len(narrowSpace)
	}
	return 0
}

const (
	noBreakSpace = "\u00a0"
	narrowSpace  = "\u202f"
)

// word reads letters.
func (s *cursor) word() string {
	start := s.at
	for s.at < len(s.text) && isLetter(s.text[s.at]) {
		s.at++
	}
	return s.text[start:s.at]
}

// skip skips c if it is next.
func (s *cursor) skip(c byte) bool {
	if s.peek() != c || s.atEnd() {
		return false
	}
	s.at++
	return true
}

// tail reads what follows a date: nothing, or a time of day and perhaps a zone.
func (s *cursor) tail(c *civil) (ok bool) {
	if s.atEnd() {
		return true
	}
	switch s.text[s.at] {
	case 'T', 't', '_':
		s.at++
	case ',':
		s.at++
		s.blanks()
	default:
		if !s.blanks() {
			return false
		}
	}
	if s.hours(c) {
		return true
	}
	return s.clock(c) && s.zone(c)
}

// hours reads an hour alone, to the end of the text, or an hour, a minute and a second with blanks
// between them, as several columns have them.
func (s *cursor) hours(c *civil) (ok bool) {
	start := s.at
	var parts [3]int
	for i := range parts {
		number, width := s.number(2)
		parts[i] = number
		if width == 0 {
			break
		}
		if s.atEnd() {
			c.minutes, c.seconds = i > 0, i > 1
			return c.setClock(parts[0], parts[1], parts[2])
		}
		if !s.skip(' ') {
			break
		}
	}
	s.at = start
	return false
}

// clock reads HH:MM, HH:MM:SS or HH:MM:SS.fff, and AM, PM or Uhr after it. Dots may stand in place
// of the colons if there are seconds, and letters may, as in 10h30.
func (s *cursor) clock(c *civil) (ok bool) {
	hour, width := s.number(2)
	separator := s.peek()
	if separator != ':' && separator != '.' {
		return width > 0 && s.unit("h") && s.afterHour(c, hour)
	}
	if width == 0 {
		return false
	}
	s.at++
	minute, ok := s.twoDigits()
	c.minutes = true
	second := 0
	if ok && s.skip(separator) {
		second, ok = s.twoDigits()
		c.seconds = true
		ok = ok && s.fraction(c)
	}
	if !ok || separator == '.' && !c.seconds || !c.setClock(hour, minute, second) {
		return false
	}
	return s.meridiem(c, hour) && (s.atEnd() || s.unit("uhr") || !isDigit(s.peek()))
}

// afterHour reads what follows the hour and its letter: nothing, or 30, 30 min, 30m15 or 30m15s.
// With m alone it is a duration.
func (s *cursor) afterHour(c *civil, hour int) (ok bool) {
	s.blanks()
	minute, width := s.number(2)
	c.minutes = width > 0
	c.endsInUnit = width == 0
	second := 0
	isLong := s.unit("min", "mn")
	if width > 0 && (isLong || s.unit("m")) {
		s.blanks()
		second, width = s.number(2)
		c.seconds = width > 0
		c.endsInUnit = s.unit("s", "sec") || !c.seconds
		if width == 0 && isLong {
			width = 2
		}
	}
	return width != 1 && (width > 0 || !c.minutes) && !isDigit(s.peek()) && c.setClock(hour, minute, second)
}

// unit skips one of some words, with small or large letters and blanks before it. No letter may
// follow it.
func (s *cursor) unit(words ...string) (ok bool) {
	after := cursor{s.text, s.at}
	after.blanks()
	found := after.word()
	for _, word := range words {
		if equalFold(found, word) {
			s.at = after.at
			return true
		}
	}
	return false
}

// fraction reads the fraction of a second, if there is one, and rounds it down to milliseconds.
// Loggers of Keysight write a colon before three digits.
func (s *cursor) fraction(c *civil) (ok bool) {
	next := s.peek()
	if next != '.' && next != ',' && next != ':' {
		return true
	}
	s.at++
	milli, width := s.number(3)
	if next == ':' && (width < 3 || isDigit(s.peek())) {
		return false
	}
	for i := width; i < 3; i++ {
		milli *= 10
	}
	c.milli = milli
	for isDigit(s.peek()) {
		c.finer = c.finer || s.peek() != '0'
		s.at++
	}
	return width > 0
}

// meridiem reads AM or PM, if one of them is there, with or without a blank and dots. 12 AM is 0.
// Weather stations of Davis write a or p alone, to the end of the text.
func (s *cursor) meridiem(c *civil, hour int) (ok bool) {
	start := s.at
	s.blanks()
	half := s.peek() | 0x20
	if half != 'a' && half != 'p' {
		s.at = start
		return true
	}
	s.at++
	dotted := s.skip('.')
	if dotted {
		s.blanks()
	}
	isShort := !dotted && s.atEnd()
	if !isShort && s.peek()|0x20 != 'm' {
		s.at = start
		return true
	}
	if !isShort {
		s.at++
	}
	if dotted && !s.skip('.') || hour < 1 || hour > 12 {
		return false
	}
	c.meridiem = true
	if hour == 12 {
		c.second -= 12 * 3600
	}
	if half == 'p' {
		c.second += 12 * 3600
	}
	return true
}

// zone reads what says the zone, if it is there, to the end of the text: Z, an offset, UTC or GMT
// with or without an offset, or the abbreviation of a zone.
func (s *cursor) zone(c *civil) (ok bool) {
	s.blanks()
	if s.atEnd() {
		return true
	}
	name := s.word()
	switch {
	case isUTC(name):
		c.zoned = true
	case name != "":
		if len(name) > maxZoneName {
			return false
		}
		c.zone = name
	}
	if sign := s.peek(); c.zone == "" && (sign == '+' || sign == '-') {
		return s.offset(c) && s.afterOffset()
	}
	return s.atEnd() || c.zoned && s.peek() == '[' && s.afterOffset()
}

const maxZoneName = 5 // letters of an abbreviation

// isUTC reports whether a word stands for UTC.
func isUTC(word string) bool {
	switch len(word) {
	case 1:
		return word[0]|0x20 == 'z'
	case 3:
		return equalFold(word, "utc") || equalFold(word, "gmt")
	}
	return false
}

// equalFold compares letters of ASCII. The second text has small letters.
func equalFold(text, small string) bool {
	for i := range len(small) {
		if i >= len(text) || text[i]|0x20 != small[i] {
			return false
		}
	}
	return len(text) == len(small)
}

// offset reads a sign and HH:MM, HHMM, HH or H.
func (s *cursor) offset(c *civil) (ok bool) {
	negative := s.peek() == '-'
	s.at++
	hours, width := s.number(2)
	minutes := 0
	ok = width > 0
	if ok && (s.skip(':') || width == 2 && isDigit(s.peek())) {
		minutes, ok = s.twoDigits()
	}
	c.zoned = true
	c.offset = hours*3600 + minutes*60
	if negative {
		c.offset = -c.offset
	}
	return ok && hours < 24 && minutes < 60
}

// afterOffset reads the name of the zone that some write after its offset, and the text is over:
// CET, [Europe/Vienna], or another offset, because +0530 is the name of a zone.
func (s *cursor) afterOffset() (ok bool) {
	if s.peek() == '[' {
		s.at = max(s.at, strings.IndexByte(s.text, ']')+1)
		return s.atEnd()
	}
	if s.blanks() && s.word() == "" && (s.skip('+') || s.skip('-')) {
		s.number(4)
	}
	return s.atEnd()
}
