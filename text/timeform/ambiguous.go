// SPDX-License-Identifier: Apache-2.0

package timeform

import (
	"fmt"
	"slices"
	"strings"

	"github.com/daybook-db/daybook/text"
)

// AmbiguousError says what a time may mean, and which format gives it one of the meanings.
type AmbiguousError struct {
	Meanings []string // such as "2024-03-04 (MM/DD/YYYY)"
	Format   string   // for strptime, of all samples; empty if none reads them
	Meaning  string   // the one of Meanings that Format gives
}

func (e *AmbiguousError) Error() string {
	return fmt.Sprintf("%v, because it may be %s", ErrAmbiguous, strings.Join(e.Meanings, " or "))
}

// Is reports that the cause is ErrAmbiguous.
func (e *AmbiguousError) Is(target error) bool { return target == ErrAmbiguous }

// ambiguous returns an error that shows what one sample may mean.
func ambiguous(samples []string, found []layout) error {
	for _, sample := range samples {
		err := &AmbiguousError{}
		for _, l := range found {
			var c civil
			if !l.read(sample, &c) {
				continue
			}
			meaning := fmt.Sprintf("%04d-%02d-%02d (%s)", c.year, c.month, c.day, l.pattern())
			err.Meanings = append(err.Meanings, meaning)
			if format := l.format(samples); format != "" && (err.Format == "" || l.order == dayFirst) {
				err.Format, err.Meaning = format, meaning
			}
		}
		if len(err.Meanings) > 1 {
			slices.Sort(err.Meanings)
			return &text.TimeError{Text: sample, Err: err, Want: "the form of the dates"}
		}
	}
	return several(samples, found[0])
}

// clocksOfFormats are the times of day that format tries.
var clocksOfFormats = strings.Fields("%H:%M:%S %H:%M %H:%M:%S.%f %I:%M:%S_%p %I:%M_%p %I:%M:%S%p %I:%M%p %H")

// format returns the format for strptime that reads the samples as the layout does, or "".
func (l layout) format(samples []string) string {
	date := strings.NewReplacer("YYYY", "%Y", "YY", "%y", "MM", "%m", "DD", "%d").Replace(l.pattern())
	formats := []string{date}
	for _, clock := range clocksOfFormats {
		clock = strings.ReplaceAll(clock, "_", " ")
		if l.clockLead {
			formats = append(formats, clock+" "+date)
			continue
		}
		for _, zone := range []string{"", "%z", " %z"} {
			formats = append(formats, date+" "+clock+zone, date+"T"+clock+zone, date+", "+clock+zone)
		}
	}
	i := slices.IndexFunc(formats, func(format string) bool { return l.agrees(format, samples) })
	if i < 0 {
		return ""
	}
	return formats[i]
}

// agrees reports whether a format reads the samples that the layout reads, and as it does.
func (l layout) agrees(format string, samples []string) bool {
	for _, sample := range samples {
		var want, got civil
		if !l.read(sample, &want) {
			continue
		}
		isRead := readFormat(sample, format, &got) && got.clock == want.clock
		isSame := got.local() == want.local() && got.milli == want.milli
		if !isRead || !isSame || got.zone != want.zone || got.zoned != want.zoned || got.offset != want.offset {
			return false
		}
	}
	return true
}
