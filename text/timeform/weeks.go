// SPDX-License-Identifier: Apache-2.0

package timeform

import "time"

// ordinalDate reads YYYY-DDD, the day of a year (ISO 8601).
func (s *cursor) ordinalDate(c *civil) (ok bool) {
	year, widthYear := s.number(5)
	ok = widthYear == 4 && s.skip('-')
	day, width := s.number(4)
	if !ok || width != 3 || day < 1 || day > 365+daysOf(year, 2)-28 {
		return false
	}
	c.setDate(time.Date(year, 1, day, 0, 0, 0, 0, time.UTC))
	return true
}

// weekDate reads YYYY-Www-D, the day of a week of a year (ISO 8601). Monday is the first.
func (s *cursor) weekDate(c *civil) (ok bool) {
	year, width := s.number(5)
	if width != 4 || !s.skip('-') || !s.skip('W') && !s.skip('w') {
		return false
	}
	week, ok := s.twoDigits()
	if !ok || !s.skip('-') {
		return false
	}
	day, width := s.number(2)
	if width != 1 || day < 1 || day > 7 {
		return false
	}
	fourth := time.Date(year, 1, 4, 0, 0, 0, 0, time.UTC) // which is in the first week
	monday := -(int(fourth.Weekday()) + 6) % 7
	date := fourth.AddDate(0, 0, monday+7*(week-1)+day-1)
	c.setDate(date)
	isoYear, isoWeek := date.ISOWeek()
	return isoYear == year && isoWeek == week
}

func (c *civil) setDate(date time.Time) {
	year, month, day := date.Date()
	c.year, c.month, c.day = year, int(month), day
}

// MayBeNames reports whether texts look like dates, but may as well be names or numbers of things:
// 2026-035 is a day, or a bill.
func MayBeNames(samples []string) bool {
	names, all := 0, 0
	for _, sample := range full(samples) {
		s, c := cursor{text: sample}, civil{}
		if all++; s.ordinalDate(&c) && s.atEnd() {
			names++
		}
	}
	return 2*names > all
}
