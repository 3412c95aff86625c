// SPDX-License-Identifier: Apache-2.0

package timeform

import "strings"

// order is how a date is written.
type order uint8

const (
	yearFirst  order = iota // 2024-01-31
	dayFirst                // 31.01.2024
	monthFirst              // 01/31/2024
	named                   // 31-Jan-2024, and all others with the name of a month
	compact                 // 20240131T235959
	ordinal                 // 2024-031
	weekDate                // 2024-W05-3
)

// layout is how a file writes the dates of its times. What follows a date is read in all its forms.
type layout struct {
	order     order
	separator byte // between the numbers of a date
	shortYear bool // the year has two digits
	clockLead bool // the time of day stands before the date
	digits    Digits
}

// read reads one text, and reports whether it has the layout and the calendar has its day.
func (l layout) read(text string, c *civil) (ok bool) {
	if l.clockLead {
		text, ok = clockLast(text)
		l.clockLead = false
		ok = ok && l.read(text, c)
		c.dateLen = 0 // it is not at the start
		return ok
	}
	s := cursor{text: text}
	switch l.order {
	case named:
		return s.namedTime(c) && isDay(c.year, c.month, c.day)
	case ordinal, weekDate:
		ok = l.order == ordinal && s.ordinalDate(c) || l.order == weekDate && s.weekDate(c)
		c.dateLen = s.at
		return ok && s.tail(c)
	case compact:
		if !s.compactDate(c) || !isDay(c.year, c.month, c.day) {
			return false
		}
		return l.digits.Max > 0 && s.digits(l.digits, c) || l.digits.Max == 0 && s.compactTail(c)
	}
	t, ok := s.triple()
	c.dateLen = s.at
	return ok && l.fits(t) && l.date(t, c) && s.tail(c)
}

// triple is a date of three numbers whose meaning is not known.
type triple struct {
	separator byte
	a, b, c   int
	widthA    int
	widthC    int
}

// triple reads three numbers and the separators between them.
func (s *cursor) triple() (t triple, ok bool) {
	t.a, t.widthA = s.number(5)
	t.separator = s.peek()
	if t.widthA == 0 || !isSeparator(t.separator) {
		return t, false
	}
	s.at++
	width := 0
	if t.b, width = s.number(3); width == 0 || width > 2 || !s.skip(t.separator) {
		return t, false
	}
	t.c, t.widthC = s.number(5)
	return t, true
}

func isSeparator(c byte) bool { return c == '-' || c == '/' || c == '.' || c == ':' || c == ' ' }

// layouts appends the layouts that a date of three numbers may have. Dots stand after the day.
func (t triple) layouts() (may []layout) {
	orders := []order{yearFirst}
	short := t.widthA < 4 && t.widthC < 4
	switch {
	case t.widthA == 4:
	case t.separator == '.':
		orders[0] = dayFirst
	default:
		orders = []order{dayFirst, monthFirst, yearFirst}
	}
	for _, order := range orders {
		l := layout{order: order, separator: t.separator, shortYear: short}
		if l.fits(t) && l.date(t, new(civil)) {
			may = append(may, l)
		}
	}
	return may
}

// fits reports whether the numbers have the widths and the separator of the layout. With colons or
// blanks they are a date only if a year of four digits comes first.
func (l layout) fits(t triple) bool {
	year, day := t.widthC, t.widthA
	if l.order == yearFirst {
		year, day = day, year
	}
	want := 4
	if l.shortYear {
		want = 2
	}
	needsYear := l.separator == ':' || l.separator == ' '
	hasYear := l.order == yearFirst && !l.shortYear
	return t.separator == l.separator && year == want && day <= 2 && (hasYear || !needsYear)
}

// date takes the numbers for a date, and reports whether the calendar has it.
func (l layout) date(t triple, c *civil) (ok bool) {
	switch l.order {
	case yearFirst:
		c.year, c.month, c.day = t.a, t.b, t.c
	case dayFirst:
		c.day, c.month, c.year = t.a, t.b, t.c
	default:
		c.month, c.day, c.year = t.a, t.b, t.c
	}
	if l.shortYear {
		c.year = fullYear(c.year)
	}
	return isDay(c.year, c.month, c.day)
}

// compactDate reads YYYYMMDD.
func (s *cursor) compactDate(c *civil) (ok bool) {
	number, width := s.number(9)
	c.year, c.month, c.day = number/10000, number/100%100, number%100
	return width == 8
}

// compactTail reads a T or a blank, and a time of day as HHMM, HHMMSS or in its other forms. A
// compact date alone is a number, which may mean anything.
func (s *cursor) compactTail(c *civil) (ok bool) {
	start := s.at
	if s.tail(c) {
		return c.clock
	}
	*s = cursor{s.text, start}
	*c = civil{year: c.year, month: c.month, day: c.day}
	if next := s.peek(); next != 'T' && next != 't' && next != ' ' && next != '_' && next != '-' {
		return false
	}
	s.at++
	number, width := s.number(7)
	c.minutes = true
	switch width {
	case 4:
		number *= 100
	case 6:
		c.seconds = true
		if !s.fraction(c) {
			return false
		}
	default:
		return false
	}
	return c.setClock(number/10000, number/100%100, number%100) && s.zone(c)
}

// digits reads a time of day that is a number, and to the end of the text a fraction and a zone.
func (s *cursor) digits(want Digits, c *civil) (ok bool) {
	s.blanks()
	number, width := s.number(7)
	if width < want.Min || width > want.Max {
		return false
	}
	c.minutes, c.seconds = true, want.Max == 6
	if !c.seconds {
		number *= 100
	}
	return s.fraction(c) && c.setClock(number/10000, number/100%100, number%100) && s.zone(c)
}

// clockLast moves the time of day, with which a text begins, after the date: 14:30 15.01.2024.
func clockLast(text string) (moved string, ok bool) {
	blank := strings.LastIndexByte(text, ' ')
	colon := strings.IndexByte(text, ':')
	if blank < 0 || colon < 1 || colon > 2 || !isDigit(text[0]) {
		return "", false
	}
	return text[blank+1:] + " " + text[:blank], true
}

// layoutsOf returns the layouts that a text may have: none if it is no time, and several if the day
// and the month of a date could change places.
func layoutsOf(text string) []layout {
	moved, ok := clockLast(text)
	if !ok {
		return dateLeadLayouts(text)
	}
	may := dateLeadLayouts(moved)
	for i := range may {
		may[i].clockLead = true
	}
	return may
}

// dateLeadLayouts returns the layouts of a text that begins with its date.
func dateLeadLayouts(text string) []layout {
	may := []layout{{order: named}}
	if s := (cursor{text: text}); isDigit(s.peek()) {
		t, ok := s.triple()
		if ok {
			may = t.layouts()
		} else {
			may = append(may, layout{order: compact}, layout{order: ordinal}, layout{order: weekDate})
		}
	}
	fitting := may[:0]
	for _, l := range may {
		if l.read(text, new(civil)) {
			fitting = append(fitting, l)
		}
	}
	return fitting
}
