// SPDX-License-Identifier: Apache-2.0

package timeform

import "strings"

// monthNames are English. A text has their first three letters, or all of them.
var monthNames = [...]string{"january", "february", "march", "april", "may", "june", "july", "august",
	"september", "october", "november", "december"}

// indexOfName returns the place of a word among names, or -1.
func indexOfName(word string, names []string) int {
	for i, name := range names {
		isWhole := equalFold(word, name)
		isShort := equalFold(word, name[:3]) || len(word) == 4 && equalFold(word, "sept") && name == "september"
		if isWhole || isShort {
			return i
		}
	}
	return -1
}

// namedTime reads a date with the name of its month and what follows it:
//
//	02-Jan-2024 15:04:05          Jan 2, 2024 3:04 PM
//	02/Jan/2024:15:04:05 +0000    Mon Jan  2 15:04:05 2024
//	Tue, 02 Jan 2024 15:04:05 GMT
//	2024-Jan-02
//	2. März 2024 um 15:04         2 de enero de 2024
func (s *cursor) namedTime(c *civil) (ok bool) {
	word := s.letters()
	if word != "" && find(word, isWeekday) > 0 {
		s.skip('.')
		s.skip(',')
		if !s.blanks() {
			return false
		}
		word = s.letters()
	}
	if word != "" {
		return c.setMonth(word) && s.afterMonth(c)
	}
	return s.dayOrYear(c)
}

// setMonth takes a word for the name of a month.
func (c *civil) setMonth(word string) (ok bool) {
	c.month = find(word, monthOfWord)
	c.foreign = !isEnglish(word)
	return c.month > 0
}

// gap skips what stands between the parts of a date: blanks, one of - . / and a comma, or the
// Spanish de.
func (s *cursor) gap() (ok bool) {
	dot := s.skip('.')
	if s.skip('-') || s.skip('/') {
		return true
	}
	comma := s.skip(',')
	blanks := s.blanks()
	if after := (cursor{s.text, s.at}); blanks && equalFold(after.word(), "de") && after.blanks() {
		*s = after
	}
	return blanks || comma || dot
}

// dayOrYear reads 02-Jan-2024 or 2024-Jan-02 and what follows it. With blanks between its parts,
// and a month that is not English, it needs a year of four digits: 3 set 12 is no date.
func (s *cursor) dayOrYear(c *civil) (ok bool) {
	first, widthFirst := s.number(5)
	if first == 1 {
		s.ordinal()
	}
	if widthFirst == 0 || !s.gap() {
		return false
	}
	isMarked := strings.IndexByte("-/.", s.text[s.at-1]) >= 0
	if !c.setMonth(s.letters()) || !s.gap() {
		return false
	}
	last, widthLast := s.number(5)
	if widthFirst == 4 {
		c.year, c.day = first, last
		ok = widthLast == 1 || widthLast == 2
	} else {
		c.day = first
		ok = widthFirst <= 2 && c.setYear(last, widthLast) && (widthLast == 4 || !c.foreign || isMarked)
	}
	if !ok {
		return false
	}
	c.dateLen = s.at
	return s.namedTail(c)
}

// ordinal skips what makes an ordinal of the first day of a month, in French and Portuguese.
func (s *cursor) ordinal() {
	for _, ending := range []string{"er", "ER", "º", "°"} {
		if strings.HasPrefix(s.text[s.at:], ending) {
			s.at += len(ending)
			return
		}
	}
}

// namedTail reads what follows a date, as tail does. The logs of web servers have a colon before
// the time of day, and texts for people a word.
func (s *cursor) namedTail(c *civil) (ok bool) {
	if s.skip(':') {
		return s.clock(c) && s.zone(c)
	}
	after := cursor{s.text, s.at}
	after.skip(',')
	if after.blanks() && find(after.letters(), isClockWord) > 0 {
		after.skip('.')
		s.at = after.at
	}
	return s.tail(c)
}

// setYear takes a number of two or four digits for the year.
func (c *civil) setYear(number, width int) (ok bool) {
	c.year = number
	if width == 2 {
		c.year = fullYear(number)
	}
	return width == 2 || width == 4
}

// afterMonth reads what follows the name of a month that comes first: the day, and then the year
// and a time of day, or a time of day, perhaps a zone, and the year.
func (s *cursor) afterMonth(c *civil) (ok bool) {
	width := 0
	if !s.gap() {
		return false
	}
	if c.day, width = s.number(3); width == 0 || width > 2 || !s.gap() {
		return false
	}
	start := s.at
	number, width := s.number(5)
	if s.peek() != ':' {
		c.dateLen = s.at
		return c.setYear(number, width) && (width == 4 || !c.foreign) && s.namedTail(c)
	}
	s.at = start
	return s.clock(c) && s.zoneAndYear(c)
}

// zoneAndYear reads the end of Mon Jan  2 15:04:05 UTC 2024.
func (s *cursor) zoneAndYear(c *civil) (ok bool) {
	if !s.blanks() {
		return false
	}
	if !isDigit(s.peek()) {
		end := s.at
		for end < len(s.text) && s.text[end] != ' ' {
			end++
		}
		zone := cursor{s.text[:end], s.at}
		if !zone.zone(c) {
			return false
		}
		s.at = end
		s.blanks()
	}
	year, width := s.number(5)
	c.year = year
	return width == 4 && s.atEnd()
}
