// SPDX-License-Identifier: Apache-2.0

package detect

import (
	"slices"
	"strconv"
	"strings"

	"github.com/daybook-db/daybook/text"
	"github.com/daybook-db/daybook/text/timeform"
)

// unitWords are what names call units of time.
var unitWords = map[string]text.TimeUnit{
	"s": text.Seconds, "sec": text.Seconds, "secs": text.Seconds, "second": text.Seconds, "seconds": text.Seconds,
	"ms": text.Milliseconds, "msec": text.Milliseconds, "msecs": text.Milliseconds, "millis": text.Milliseconds,
	"millisec": text.Milliseconds, "millisecond": text.Milliseconds, "milliseconds": text.Milliseconds,
	"us": text.Microseconds, "µs": text.Microseconds, "μs": text.Microseconds, "usec": text.Microseconds,
	"usecs": text.Microseconds, "micros": text.Microseconds, "microsec": text.Microseconds,
	"microsecond": text.Microseconds, "microseconds": text.Microseconds,
	"ns": text.Nanoseconds, "nsec": text.Nanoseconds, "nsecs": text.Nanoseconds, "nanos": text.Nanoseconds,
	"nanosec": text.Nanoseconds, "nanosecond": text.Nanoseconds, "nanoseconds": text.Nanoseconds,
}

// unitOfName returns the unit that the last word of a name is, and the words before it: "ts" for
// ts_usec.
func unitOfName(name string) (unit text.TimeUnit, before string) {
	words := wordsOf(name)
	if len(words) == 0 {
		return text.ByDigits, ""
	}
	last := len(words) - 1
	return unitWords[words[last]], strings.Join(words[:last], " ")
}

// partsOfSecond are the numbers of units in a second.
var partsOfSecond = map[text.TimeUnit]uint64{
	text.Milliseconds: 1e3, text.Microseconds: 1e6, text.Nanoseconds: 1e9,
}

// isPartOfSecond reports whether cells are whole numbers of a unit below a second.
func isPartOfSecond(cells []string, unit text.TimeUnit) bool {
	return areBelow(cells, partsOfSecond[unit])
}

func areBelow(cells []string, end uint64) bool {
	any := false
	for _, cell := range cells {
		number, err := strconv.ParseUint(cell, 10, 64)
		if cell != "" && (err != nil || number >= end) {
			return false
		}
		any = any || cell != ""
	}
	return any
}

// pairOfSecond returns the places of two members that make one time, as ts_sec and ts_usec do, or
// -1.
func pairOfSecond(members []*timeMember) (second, part int) {
	for i, m := range members {
		unit, before := unitOfName(m.name())
		if unit != text.Seconds || timeform.Looks(m.samples) != timeform.Numbers || !areSeconds(m.samples) {
			continue
		}
		for j, other := range members {
			unit, beforeOther := unitOfName(other.name())
			isBeside := other.parent() == m.parent() && other.objects == m.objects
			if isBeside && beforeOther == before && isPartOfSecond(other.samples, unit) {
				return i, j
			}
		}
	}
	return -1, -1
}

// areSeconds reports whether the texts that are times are whole Unix seconds.
func areSeconds(samples []string) bool {
	return !slices.ContainsFunc(samples, func(sample string) bool {
		unit, isNumber := text.UnitOf(sample)
		return isNumber && unit != text.ByDigits && (unit != text.Seconds || strings.ContainsAny(sample, ".eE"))
	})
}

// addendOf returns the unit of the last member of a time if it is a number that is added to the
// time before it, or text.ByDigits. A name without a unit has the one that a person said.
func addendOf(times []*timeMember, known timeform.Options) text.TimeUnit {
	last := len(times) - 1
	isOther := func(cell string) bool { return cell != "" && !timeform.CanAdd(cell, known.DecimalComma) }
	if last < 1 || slices.ContainsFunc(times[last].samples, isOther) {
		return text.ByDigits
	}
	before, _ := joinedSamples(times[:last])
	looks := timeform.Looks(before)
	unit, _ := unitOfName(times[last].name())
	if unit != text.ByDigits && looks >= timeform.Numbers {
		return unit
	}
	whole, _ := joinedSamples(times)
	if looks >= timeform.Numbers && looks != timeform.Dates && timeform.Looks(whole) < timeform.Numbers {
		return known.Unit
	}
	return text.ByDigits
}

// partBeside returns a member that may be the rest of a second of whole times, or -1.
func partBeside(times, members []*timeMember) int {
	return slices.IndexFunc(members, func(m *timeMember) bool {
		unit, _ := unitOfName(m.name())
		return m.parent() == times[0].parent() && isPartOfSecond(m.samples, unit) && namesPartOf(m.name(), times)
	})
}

// secondBeside returns a member that may be the second of times that have but minutes, or -1.
func secondBeside(times, members []*timeMember) int {
	return slices.IndexFunc(members, func(m *timeMember) bool {
		unit, _ := unitOfName(m.name())
		return unit == text.Seconds && m.parent() == times[0].parent() && areBelow(m.samples, 60) &&
			namesPartOf(m.name(), times)
	})
}

// namesPartOf reports whether the name of a number of some unit has no other words than a time: it
// is the unit alone, or the name of the time and the unit. vmstat calls a reading us.
func namesPartOf(name string, times []*timeMember) bool {
	_, before := unitOfName(name)
	if before == "" {
		return name != "us"
	}
	return slices.ContainsFunc(times, func(t *timeMember) bool {
		unit, second := unitOfName(t.name())
		return before == strings.Join(wordsOf(t.name()), " ") || unit == text.Seconds && before == second
	})
}

// elapsedWords are words of names for what counts on from a start.
var elapsedWords = strings.Fields("elapsed offset relative since time t timer runtime uptime laufzeit " +
	"minute minutes min mins hour hours h")

// namesElapsed reports whether a name may be that of what counts on from a start.
func namesElapsed(name string) bool {
	return slices.ContainsFunc(wordsOf(name), func(word string) bool {
		return unitWords[word] != text.ByDigits || slices.Contains(elapsedWords, word)
	})
}

// elapsedBeside returns a member that counts on from 0 while the times stay as they are, or -1.
// The times are then those of a start.
func elapsedBeside(times []string, members []*timeMember) int {
	return slices.IndexFunc(members, func(m *timeMember) bool {
		return len(m.samples) == len(times) && namesElapsed(m.name()) && countsOn(times, m.samples)
	})
}

// countsOn reports whether numbers rise from about 0 wherever times stay the same, and the times do
// that in most lines.
func countsOn(times, numbers []string) bool {
	const minRows = 3
	same, rises, risen := 0, 0, 0.0
	values := make([]float64, len(numbers))
	for i, number := range numbers {
		value, err := strconv.ParseFloat(strings.Replace(number, ",", ".", 1), 64)
		if err != nil || value < 0 {
			return false
		}
		values[i] = value
		if i == 0 || times[i] != times[i-1] {
			continue
		}
		same++
		switch {
		case value < values[i-1]:
			return false
		case value > values[i-1]:
			rises++
			risen += value - values[i-1]
		}
	}
	if len(times) < minRows || 4*same < 3*(len(times)-1) || 4*rises < 3*same {
		return false
	}
	return values[0]*float64(same) <= 2*risen // two steps at most
}
