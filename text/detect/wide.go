// SPDX-License-Identifier: Apache-2.0

package detect

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/daybook-db/daybook/text/timeform"
)

// ErrHoursInColumns is returned for a table that has a row for each day and a column for each part
// of it, unless the hints say where the time is. Its rows would be values of midnight.
var ErrHoursInColumns = errors.New("each hour of the day may have a column, " +
	"and each row would be one value of midnight")

// partOfDay matches the name of a column for a part of a day, and its first number: h0, "Hour 1",
// HE01, 00:00, "0:15 - 0:30", "1 PM", 13h, or the number alone.
var partOfDay = regexp.MustCompile(`^(?i:(?:h|hr|hrs|hour|hours|hour ending|he|hh|std|stunde|heure|hora|ora|uur|uhr|` +
	`period|interval|slot)?[ _.-]*([0-9]{1,2})(?:[:.h][0-9]{2}){0,2} ?(am|pm|h|hr|hrs|uhr)?` +
	`(?: ?[-\x{2013}] ?[0-9]{1,2}(?:[:.h]?[0-9]{2}){0,2} ?(?:am|pm|h|uhr)?)?)$`)

// minPartsOfDay is the number of hours that a table of them has at least, as on the day when a
// clock is set forward.
const minPartsOfDay = 23

// hoursAmong returns the first of the names that are for the parts of a day, or -1 if they are not
// enough for a day.
func hoursAmong(names []string) int {
	parts, first := map[string]bool{}, -1
	for i, name := range names {
		match := partOfDay.FindStringSubmatch(strings.TrimSpace(name))
		if match == nil {
			continue
		}
		parts[strings.TrimPrefix(match[1], "0")+strings.ToLower(match[2])] = true
		if first < 0 {
			first = i
		}
	}
	if len(parts) < minPartsOfDay {
		return -1
	}
	return first
}

// checkWide refuses dates that have their hours in as many columns.
func (d *csvDetection) checkWide(samples []string, said bool) error {
	if said || !d.header || !areDays(samples) {
		return nil
	}
	first := hoursAmong(d.names)
	if first < 0 {
		return nil
	}
	return d.columnError(d.data[0].line, first, ErrHoursInColumns)
}

// checkWide refuses dates that have their hours in as many members.
func (d *jsonDetection) checkWide(times []*timeMember) error {
	samples, _ := joinedSamples(times)
	if !areDays(samples) {
		return nil
	}
	var names []string
	members := scalars(d.objects)
	for _, m := range members {
		names = append(names, m.name())
	}
	first := hoursAmong(names)
	if first < 0 {
		return nil
	}
	m := members[first]
	return fmt.Errorf("line %d: %q: %w", m.lines[0], m.path(), ErrHoursInColumns)
}

// midnight matches a time of day at which a day begins.
var midnight = regexp.MustCompile(`[T ]0?0:00(?::00(?:\.0+)?)?(?:$|Z|[ +-])`)

// areDays reports whether times are those of whole days.
func areDays(samples []string) bool {
	if timeform.Looks(samples) == timeform.Dates {
		return true
	}
	for _, sample := range samples {
		if !midnight.MatchString(sample) {
			return false
		}
	}
	return true
}
