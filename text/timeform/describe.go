// SPDX-License-Identifier: Apache-2.0

package timeform

import (
	"slices"
	"strings"

	"github.com/daybook-db/daybook/text"
)

// String names the form for a person, the zone if the texts have none, or only its abbreviation,
// and what is lost of the samples: "DD.MM.YYYY HH:MM:SS, Europe/Vienna (this machine's zone)".
func (f *Form) String() string {
	text := f.name
	if f.UsesZone() {
		text += ", " + nameOfZone(f.opts.Zone)
	}
	if f.seen.finer {
		text += ", cut off below 1 ms"
	}
	return text
}

// UsesZone reports whether some of the times have no zone of their own, or only its abbreviation,
// so that Options.Zone decides which instants they are.
func (f *Form) UsesZone() bool {
	return !f.number && (f.seen.unzoned || f.seen.abbreviated)
}

// IsWholeSeconds reports whether the times say their second, and nothing finer: a number beside
// them may be the rest.
func (f *Form) IsWholeSeconds() bool {
	if f.sum.unit != text.ByDigits || f.seen.fraction || f.seen.finer {
		return false
	}
	return f.number && f.name == nameOfSeconds || f.seen.seconds
}

// IsWholeMinutes reports whether the times say their minute, and none says its second.
func (f *Form) IsWholeMinutes() bool {
	return !f.number && f.sum.unit == text.ByDigits && f.seen.minutes && !f.seen.seconds
}

// pattern names a date: DD.MM.YYYY.
func (l layout) pattern() string {
	year := "YYYY"
	if l.shortYear {
		year = "YY"
	}
	separator := string(l.separator)
	switch l.order {
	case yearFirst:
		return year + separator + "MM" + separator + "DD"
	case dayFirst:
		return "DD" + separator + "MM" + separator + year
	case monthFirst:
		return "MM" + separator + "DD" + separator + year
	case compact:
		return "YYYYMMDD"
	case ordinal:
		return "YYYY-DDD"
	case weekDate:
		return "YYYY-Www-D"
	}
	return "dates with the name of a month"
}

// datePattern names the dates of a layout.
func (f features) datePattern(l layout) string {
	if l.order == named && !f.foreign {
		return "English dates"
	}
	return l.pattern()
}

// pattern names the texts of a layout: DD.MM.YYYY HH:MM:SS.
func (f features) pattern(l layout) string {
	date := f.datePattern(l)
	isISO := l == layout{order: yearFirst, separator: '-'}
	switch {
	case !f.clock:
		return date
	case isISO && f.seconds && !f.meridiem && !f.unzoned && !f.abbreviated:
		return "RFC 3339"
	case l.clockLead:
		return f.clockPattern() + " " + date
	case f.zoned:
		return date + " " + f.clockPattern() + " with a zone"
	}
	return date + " " + f.clockPattern()
}

// clockPattern names a time of day.
func (f features) clockPattern() string {
	pattern := "HH"
	if f.minutes {
		pattern += ":MM"
	}
	if f.seconds {
		pattern += ":SS"
	}
	if f.fraction {
		pattern += ".fff"
	}
	if f.meridiem {
		pattern += " AM/PM"
	}
	return pattern
}

// nameOfSeconds is the name of times that are Unix seconds.
const nameOfSeconds = "Unix time in s"

// nameOfUnit names times that are numbers.
func nameOfUnit(samples []string, unit text.TimeUnit) string {
	if unit == text.ByDigits {
		var units []string
		for _, sample := range samples {
			if one, _ := text.UnitOf(sample); one != text.ByDigits && !slices.Contains(units, string(one)) {
				units = append(units, string(one))
			}
		}
		return "Unix time in " + strings.Join(units, " or ")
	}
	return "Unix time in " + string(unit)
}
