// SPDX-License-Identifier: Apache-2.0

package timeform

import (
	"strings"
	"time"

	"github.com/itchyny/timefmt-go"
)

// noZone is the zone of texts that name none.
var noZone = time.FixedZone("none", 0)

// strptime reads times in one of several formats, in the words of the function strptime of C. The
// first format that fits a text reads it.
type strptime []string

func (formats strptime) read(text string, c *civil) (ok bool) {
	for _, format := range formats {
		if readFormat(text, format, c) {
			return true
		}
	}
	return false
}

func readFormat(text, format string, c *civil) (ok bool) {
	text = withZeros(text, format)
	at, err := timefmt.ParseInLocation(text, format, noZone)
	if err != nil || !hasDay(text, format, at) {
		return false
	}
	*c = civil{year: at.Year(), month: int(at.Month()), day: at.Day(), clock: hasOne(format, "HIklscrTXR+")}
	c.second = at.Hour()*3600 + at.Minute()*60 + at.Second()
	c.milli = at.Nanosecond() / 1e6
	if at.Location() == noZone && !hasOne(format, "s") {
		return true
	}
	c.zone, c.offset = at.Zone()
	// The library gives a name that it does not know the offset 0.
	if c.offset != 0 || at.Location() == noZone || c.zone == "" || isUTC(strings.ToLower(c.zone)) {
		c.zoned, c.zone = true, ""
	}
	return true
}

// withZeros puts zeros before a time of day at the end of a text, if a number has lost them.
// Without them the library takes 10000 for 10:00:0 in %H%M%S.
func withZeros(text, format string) string {
	want := 0
	switch {
	case strings.HasSuffix(format, " %H%M%S"):
		want = 6
	case strings.HasSuffix(format, " %H%M"):
		want = 4
	}
	start := strings.LastIndexByte(text, ' ') + 1
	clock := cursor{text, start}
	_, width := clock.number(want)
	if start == 0 || width == 0 || !clock.atEnd() {
		return text
	}
	return text[:start] + strings.Repeat("0", want-width) + text[start:]
}

// hasDay reports whether the calendar has the day of a text. The library takes 31 April for 1 May,
// so this reads the text again with the first day in its place.
func hasDay(text, format string, at time.Time) bool {
	switch {
	case hasOne(format, "deFDxcv+"):
		if at.Day() > 3 {
			return true
		}
		first, err := timefmt.ParseInLocation(text+" 1", format+" %d", noZone)
		return err != nil || first.Month() == at.Month()
	case hasOne(format, "j"):
		first, err := timefmt.ParseInLocation(text+" 1", format+" %j", noZone)
		return err != nil || first.Year() == at.Year()
	}
	return true
}

// hasOne reports whether a format has one of some directives.
func hasOne(format, directives string) bool {
	for i := 0; i+1 < len(format); i++ {
		if format[i] != '%' {
			continue
		}
		i++
		if strings.IndexByte(directives, format[i]) >= 0 {
			return true
		}
	}
	return false
}
