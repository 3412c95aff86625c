// SPDX-License-Identifier: Apache-2.0

package timeform

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/daybook-db/daybook/text"
)

// Detect finds the form of the times of a file from samples of them, in the file's order. Samples
// that are empty do not count. Up to half of the others may be no times of the form. It is an error
// if the samples have no form, or if they have several, as 03/04/2024 has, and if only some have a
// zone and Options say none.
func Detect(samples []string, opts Options) (*Form, error) {
	samples = full(samples)
	if len(samples) == 0 {
		return nil, text.ErrMissingTime
	}
	if opts.Addend != text.ByDigits {
		return detectSum(samples, opts)
	}
	isAssumed := opts.Zone == nil
	if isAssumed {
		opts.Zone = time.Local
	}
	f := &Form{opts: opts}
	if err := f.find(samples); err != nil {
		return nil, err
	}
	if isAssumed && f.seen.zoned && f.seen.unzoned {
		return nil, f.lostZone(samples)
	}
	return f, nil
}

// lostZone returns an error about the first sample without a zone. Others have one, which says that
// this machine's zone is not where the times were written.
func (f *Form) lostZone(samples []string) error {
	i := slices.IndexFunc(samples, func(sample string) bool {
		var c civil
		return f.reader.read(sample, &c) && !c.zoned && c.zone == ""
	})
	return &text.TimeError{Text: samples[max(i, 0)], Err: text.ErrNoZone, Want: "one, as other lines have"}
}

// full returns the samples that are not empty, without the blanks around them.
func full(samples []string) (rest []string) {
	for _, sample := range samples {
		if sample = strings.TrimSpace(sample); sample != "" {
			rest = append(rest, sample)
		}
	}
	return rest
}

// find finds the form, and learns what the samples have in it.
func (f *Form) find(samples []string) error {
	if len(f.opts.Formats) > 0 {
		f.reader.formats = f.opts.Formats
		f.name = "the format " + strings.Join(f.opts.Formats, " or ")
		return f.learn(samples)
	}
	if f.opts.Digits.Max > 0 {
		f.reader.layout = layout{order: compact, digits: f.opts.Digits}
		return f.learn(samples)
	}
	votes := countLayouts(samples)
	best := slices.Max(append(slices.Collect(maps.Values(votes.layouts)), votes.numbers))
	switch {
	case best == 0 || 2*best < len(samples):
		return notTime(firstUnread(samples), wantTime)
	case best == votes.numbers:
		f.number = true
		f.name = nameOfUnit(samples, f.opts.Unit)
		return f.checkNumbers(samples)
	}
	layout, err := decide(samples, votes.with(best))
	if err != nil {
		return err
	}
	f.reader.layout = layout
	return f.learn(samples)
}

const wantTime = "a date such as 2024-01-31 or 31.01.2024, perhaps with a time of day, " +
	"or Unix time in s, ms, us or ns"

func notTime(sample, want string) error {
	return &text.TimeError{Text: sample, Err: text.ErrNotTime, Want: want}
}

func firstUnread(samples []string) string {
	for _, sample := range samples {
		if len(layoutsOf(sample)) == 0 {
			return sample
		}
	}
	return samples[0]
}

// votes count the samples of each form.
type votes struct {
	layouts map[layout]int
	numbers int
}

func countLayouts(samples []string) votes {
	v := votes{layouts: make(map[layout]int)}
	for _, sample := range samples {
		if _, isNumber := text.UnitOf(sample); isNumber {
			v.numbers++
			continue
		}
		for _, l := range layoutsOf(sample) {
			v.layouts[l]++
		}
	}
	return v
}

// with returns the layouts that this number of samples has.
func (v votes) with(count int) (found []layout) {
	for l, n := range v.layouts {
		if n == count {
			found = append(found, l)
		}
	}
	slices.SortFunc(found, func(a, b layout) int { return strings.Compare(a.pattern(), b.pattern()) })
	return found
}

// learn reads the samples with the reader that was found, to know what they have and which way
// their times go.
func (f *Form) learn(samples []string) error {
	read, unread := 0, ""
	learner := learner{lines: &f.lines, zone: zone{location: f.opts.Zone}}
	for _, sample := range samples {
		var c civil
		if !f.reader.read(sample, &c) {
			if unread == "" {
				unread = sample
			}
			learner.skip()
			continue
		}
		read++
		f.seen.add(&c)
		learner.add(&c)
	}
	learner.finish()
	if 2*read < len(samples) {
		return notTime(unread, f.name)
	}
	if f.reader.formats == nil {
		f.name = f.seen.pattern(f.reader.layout)
	}
	return nil
}

// checkNumbers returns an error if most samples are numbers that are no times.
func (f *Form) checkNumbers(samples []string) error {
	var first error
	read := 0
	for _, sample := range samples {
		_, err := f.opts.Unit.ParseTime(sample)
		if err == nil {
			read++
			f.seen.finer = f.seen.finer || f.opts.Unit.IsFiner(sample)
			f.seen.fraction = f.seen.fraction || strings.ContainsAny(sample, ".eE")
		} else if first == nil {
			first = err
		}
	}
	if 2*read < len(samples) {
		return first
	}
	return nil
}
