// SPDX-License-Identifier: Apache-2.0

package timeform

import (
	"errors"
	"fmt"
	"strings"

	"github.com/daybook-db/daybook/text"
)

// parser reads the times of one file.
type parser struct {
	form      *Form
	zone      zone
	lines     lines
	dates     dateMemory
	plausible text.PlausibleTimes
}

// errBefore1970 is the cause of a text.TimeError.
var errBefore1970 = errors.New("is before 1970, where a daybook's time starts")

// ParseTime implements text.TimeParser.
func (p *parser) ParseTime(written string) (ms uint64, err error) {
	ms, err = p.parse(written)
	if err != nil {
		p.lines.skip()
		return 0, err
	}
	p.lines.add(int64(ms))
	return ms, nil
}

func (p *parser) parse(written string) (ms uint64, err error) {
	var c civil
	local, ok := p.local(strings.TrimSpace(written), &c)
	if !ok || !p.form.seen.allow(&c) {
		return 0, notTime(written, p.form.name)
	}
	if !c.zoned && c.zone == "" && !p.form.seen.unzoned {
		return 0, &text.TimeError{Text: written, Err: text.ErrNoZone, Want: "one, as the lines before it have"}
	}
	second, err := p.second(local, &c)
	if err == nil && second < 0 {
		err = errBefore1970
	}
	if err != nil {
		return 0, &text.TimeError{Text: written, Err: err}
	}
	ms = uint64(second)*1000 + uint64(c.milli)
	if p.form.opts.AnyTime {
		return ms, nil
	}
	return ms, p.plausible.Check(written, ms)
}

// local reads a text, and returns its local time.
func (p *parser) local(written string, c *civil) (local int64, ok bool) {
	if midnight, tail, ok := p.dates.recall(written); ok && p.form.reader.tail(tail, c) {
		return midnight + int64(c.second), true
	}
	*c = civil{}
	if !p.form.reader.read(written, c) {
		return 0, false
	}
	local = c.local()
	p.dates.remember(written[:c.dateLen], local-int64(c.second))
	return local, true
}

// dateMemory remembers the date of the line before, because most lines have the same.
type dateMemory struct {
	text     [24]byte
	length   int
	midnight int64 // the local time at which the date begins
}

// recall returns the midnight of a text that begins with the date, and a cursor after the date.
func (m *dateMemory) recall(written string) (midnight int64, tail cursor, ok bool) {
	ok = m.length > 0 && len(written) >= m.length && written[:m.length] == string(m.text[:m.length])
	return m.midnight, cursor{written, m.length}, ok
}

func (m *dateMemory) remember(date string, midnight int64) {
	m.length, m.midnight = 0, midnight
	if len(date) <= len(m.text) {
		m.length = copy(m.text[:], date)
	}
}

// allow reports whether a text has what all samples had: a date alone has lost its time of day, and
// an hour without AM or PM its half of the day.
func (f *features) allow(c *civil) bool {
	return (c.clock || f.noClock) && (c.meridiem || !f.meridiem || !c.clock)
}

// second returns the Unix second of a text with a local time. Its error is the cause of a
// text.TimeError.
func (p *parser) second(local int64, c *civil) (int64, error) {
	switch {
	case c.zoned:
		return local - int64(c.offset), nil
	case c.zone != "":
		if at, ok := p.zone.named(local, c.zone); ok {
			return at, nil
		}
		return 0, fmt.Errorf("%w: want an offset in the place of %s", text.ErrNoZone, c.zone)
	case !c.clock:
		return p.zone.startOfDay(local), nil
	}
	if at, ok := p.zone.only(local); ok {
		return at, nil
	}
	return p.twice(local, int64(c.milli))
}

// twice returns the instant of a local time that has none or several.
func (p *parser) twice(local, milli int64) (int64, error) {
	all := p.zone.all(local)
	if len(all) == 0 {
		return 0, fmt.Errorf("%w in %s", ErrSkipped, nameOfZone(p.form.opts.Zone))
	}
	for i := range all {
		all[i] = all[i]*1000 + milli
	}
	at, ok := p.lines.choose(all)
	if !ok {
		return 0, fmt.Errorf("%w in %s, and the lines before it do not tell which one is meant",
			ErrRepeated, nameOfZone(p.form.opts.Zone))
	}
	return (at - milli) / 1000, nil
}

// numberParser reads times that are numbers.
type numberParser struct {
	unit      text.TimeUnit
	anyTime   bool
	plausible text.PlausibleTimes
}

// ParseTime implements text.TimeParser.
func (p *numberParser) ParseTime(written string) (ms uint64, err error) {
	ms, err = p.unit.ParseTime(strings.TrimSpace(written))
	if err == nil && !p.anyTime {
		err = p.plausible.Check(written, ms)
	}
	if err != nil {
		return 0, err
	}
	return ms, nil
}
