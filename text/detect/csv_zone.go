// SPDX-License-Identifier: Apache-2.0

package detect

import (
	"cmp"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// zoneInText matches an offset such as GMT-05:00 or UTC+1.
var zoneInText = regexp.MustCompile(`\b(?:GMT|UTC) ?([+-])([0-9]{1,2})(?::?([0-9]{2}))?\b`)

// zoneOfCounters matches what the Performance Monitor of Windows names its column of times: it ends
// with the minutes from its zone to UTC.
var zoneOfCounters = regexp.MustCompile(`^\(PDH-[CT]SV [0-9.]+\) \(.*\)\((-?[0-9]{1,3})\)$`)

// isNameOfUTC reports whether the name of a time says that it is UTC: time_utc, TimeUTC, "t (GMT)".
func isNameOfUTC(name string) bool {
	words := wordsOf(name)
	for i, word := range words {
		isLetter := word == "z" && i > 0 && i == len(words)-1 // a device may be called z6-07421
		if strings.HasPrefix(word, "utc") || word == "gmt" || word == "zulu" || isLetter {
			return true
		}
	}
	return false
}

// findZone returns the zone that the names of the columns or the lines before them say, or nil. A
// line before them may name the zone of something else, so that only an offset counts there.
func (d *csvDetection) findZone(columns []int) *time.Location {
	for _, i := range columns {
		if !d.header {
			break
		}
		if zone := cmp.Or(zoneIn(d.names[i]), namedZoneIn(d.names[i])); zone != nil {
			return zone
		}
		if isNameOfUTC(d.names[i]) {
			return time.UTC
		}
	}
	for _, row := range d.table.rows {
		if len(d.data) == 0 || row.line >= d.data[0].line {
			break
		}
		if zone := zoneIn(strings.Join(row.cells, " ")); zone != nil {
			return zone
		}
	}
	return nil
}

func zoneIn(text string) *time.Location {
	if match := zoneOfCounters.FindStringSubmatch(text); match != nil {
		minutes, _ := strconv.Atoi(match[1])
		return zoneOfOffset(-minutes * 60)
	}
	match := zoneInText.FindStringSubmatch(text)
	if match == nil {
		return nil
	}
	hours, _ := strconv.Atoi(match[2])
	minutes, _ := strconv.Atoi(match[3]) // 0 if there are none
	if hours > 14 || minutes > 59 {
		return nil
	}
	offset := (hours*60 + minutes) * 60
	if match[1] == "-" {
		offset = -offset
	}
	return time.FixedZone(match[0], offset)
}

// zoneName matches a text that may be the name of a zone, such as America/New_York.
var zoneName = regexp.MustCompile(`\b[A-Z][A-Za-z]+(?:/[A-Z][A-Za-z_-]+)+\b`)

// namedZoneIn returns the zone that the name of a column names, or nil.
func namedZoneIn(text string) *time.Location {
	for _, name := range zoneName.FindAllString(text, -1) {
		if zone, err := time.LoadLocation(name); err == nil {
			return zone
		}
	}
	return nil
}

// zoneOfOffset returns the zone of an offset from UTC in seconds, with a name such as UTC-08:00.
func zoneOfOffset(seconds int) *time.Location {
	at := time.Time{}.In(time.FixedZone("", seconds))
	return time.FixedZone(at.Format("UTC-07:00"), seconds)
}
