// SPDX-License-Identifier: Apache-2.0

package detect

import (
	"fmt"
	"slices"
	"strings"

	"github.com/daybook-db/daybook/text/timeform"
)

// checkParts refuses dates whose hours are in another member, as numbers, and times with AM and PM
// in another member.
func (d *jsonDetection) checkParts(times []*timeMember) error {
	dates := len(times) == 1 && timeform.Looks(times[0].samples) == timeform.Dates
	for _, m := range scalars(d.objects) {
		isBeside := len(m.names) == 1 || m.parent() == times[0].parent()
		isTime := slices.ContainsFunc(times, func(t *timeMember) bool { return t.path() == m.path() })
		if !isBeside || isTime || m.looks >= timeform.Numbers {
			continue
		}
		if dates && namesHours(m.name()) || allHalves(m.samples) {
			return partError(m, times)
		}
	}
	return nil
}

func partError(part *timeMember, times []*timeMember) error {
	return fmt.Errorf("line %d: %s: %w in %s", part.lines[0], quotedPaths([]*timeMember{part}),
		ErrPartOfTime, quotedPaths(times))
}

// checkAddends refuses whole seconds and minutes that have the rest in another member, and the time
// of a start beside what counts on from it.
func (d *jsonDetection) checkAddends(times []*timeMember) error {
	members := scalars(d.objects)
	if d.finding.Time.IsWholeSeconds() {
		if i := partBeside(times, members); i >= 0 {
			return partError(members[i], times)
		}
	}
	if d.finding.Time.IsWholeMinutes() {
		if i := secondBeside(times, members); i >= 0 {
			return partError(members[i], times)
		}
	}
	samples, _ := joinedSamples(times)
	if i := elapsedBeside(samples, members); i >= 0 {
		return partError(members[i], times)
	}
	return nil
}

func namesHours(name string) bool {
	hours := strings.Fields(namesOfHours)
	return slices.ContainsFunc(wordsOf(name), func(word string) bool { return slices.Contains(hours, word) })
}

func allHalves(samples []string) bool {
	return !slices.ContainsFunc(samples, func(sample string) bool { return !isHalf(sample) })
}
