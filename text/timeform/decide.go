// SPDX-License-Identifier: Apache-2.0

package timeform

import (
	"fmt"
	"slices"

	"github.com/daybook-db/daybook/text"
)

// decide returns the layout of the samples, of those that read as many of them as any other does.
// Several are left if no sample has a day above 12. Then the samples around a midnight decide.
func decide(samples []string, found []layout) (layout, error) {
	if len(found) > 1 {
		flowing := slices.DeleteFunc(slices.Clone(found), func(l layout) bool { return !flows(samples, l) })
		if len(flowing) != 1 {
			return layout{}, ambiguous(samples, found)
		}
		found = flowing
	}
	return found[0], contradiction(samples, found[0])
}

// flows reports whether a layout makes the samples go on from one date to the next as they do
// within a date. A log with a line every five minutes comes to 04/04/2024 after 03/04/2024: that is
// the next day only if the day is first, and a month later otherwise.
func flows(samples []string, l layout) bool {
	const maxStep = 60 * 60 // of a log in which a step to another date means something
	steps := stepsOf(samples, l)
	longest := slices.Max(append(steps.within, 0))
	return longest > 0 && longest <= maxStep && len(steps.across) > 0 && slices.Max(steps.across) <= 2*longest
}

// steps are the seconds from sample to sample.
type steps struct{ within, across []int64 } // of one date, and from one date to another

func stepsOf(samples []string, l layout) (s steps) {
	var last civil
	for _, sample := range samples {
		var c civil
		if !l.read(sample, &c) {
			continue
		}
		if !c.clock {
			return steps{}
		}
		step := c.local() - last.local()
		switch {
		case last == civil{}:
		case c.year == last.year && c.month == last.month && c.day == last.day:
			s.within = append(s.within, max(step, -step))
		default:
			s.across = append(s.across, max(step, -step))
		}
		last = c
	}
	return s
}

// contradiction returns an error if a sample has the numbers of its date in another order than a
// layout has. A program that took 03/04/2024 for a day of March leaves 13/04/2024 as it was, and
// nothing tells the dates that it changed from the others.
func contradiction(samples []string, l layout) error {
	for _, sample := range samples {
		for _, other := range layoutsOf(sample) {
			if l.order < named && other.separator == l.separator && !l.read(sample, new(civil)) {
				return several(samples, l)
			}
		}
	}
	return nil
}

// several returns an error about samples of several forms, one of which is l.
func several(samples []string, l layout) error {
	for _, sample := range samples {
		if others := layoutsOf(sample); len(others) > 0 && !l.read(sample, new(civil)) {
			err := fmt.Errorf("%w: it is %s, and others are %s", ErrAmbiguous, others[0].pattern(), l.pattern())
			return &text.TimeError{Text: sample, Err: err, Want: "the form of the dates"}
		}
	}
	return notTime(samples[0], wantTime)
}
