// SPDX-License-Identifier: Apache-2.0

package timeform

import (
	"errors"
	"strings"

	"github.com/daybook-db/daybook/text"
)

// sum is the form of times that have a number after them, which is added: the microseconds of a
// second, or the seconds since a start.
type sum struct {
	unit       text.TimeUnit // of the number; ByDigits: there is none
	isFraction bool          // the number is below a second

	decimalComma bool // in the number
}

var (
	errNoAddend = errors.New("has no number after the time that counts what is added to it")
	errSecond   = errors.New("has a whole second or more after the time, where other lines have a part of one")
)

// CanAdd reports whether a text is a number that can be added to a time: 250000, 000250, or 0.5,
// which is 0,5 with a decimal comma.
func CanAdd(number string, decimalComma bool) bool {
	_, ok := asJSON(number, decimalComma)
	return ok
}

// asJSON returns a number as JSON writes it, and reports whether it is one and not negative.
func asJSON(number string, decimalComma bool) (json string, ok bool) {
	json = number
	if decimalComma {
		if strings.Contains(json, ".") {
			return "", false // of thousands
		}
		json = strings.Replace(json, ",", ".", 1)
	}
	for len(json) > 1 && json[0] == '0' && json[1] >= '0' && json[1] <= '9' {
		json = json[1:]
	}
	_, ok = text.UnitOf(json)
	return json, ok && json[0] != '-'
}

// addend returns the milliseconds that a number stands for. Its error is the cause of a
// text.TimeError.
func (s sum) addend(number string) (ms uint64, err error) {
	json, ok := asJSON(number, s.decimalComma)
	if !ok {
		return 0, errNoAddend
	}
	if ms, err = s.unit.ParseTime(json); err != nil {
		return 0, errNoAddend
	}
	if s.isFraction && ms >= 1000 {
		return 0, errSecond
	}
	return ms, nil
}

// cutAddend splits a text before its last number.
func cutAddend(written string) (at, number string, ok bool) {
	written = strings.TrimSpace(written)
	blank := strings.LastIndexByte(written, ' ')
	if blank < 0 {
		return "", "", false
	}
	return strings.TrimRight(written[:blank], " "), written[blank+1:], true
}

// detectSum finds the form of samples that end with a number of opts.Addend.
func detectSum(samples []string, opts Options) (*Form, error) {
	s := sum{unit: opts.Addend, decimalComma: opts.DecimalComma}
	isFraction, finer := opts.Addend != text.Seconds, false
	var times []string
	for _, sample := range samples {
		at, number, ok := cutAddend(sample)
		if !ok {
			continue
		}
		ms, err := s.addend(number)
		if err != nil {
			continue
		}
		isFraction = isFraction && ms < 1000
		json, _ := asJSON(number, s.decimalComma)
		finer = finer || s.unit.IsFiner(json)
		times = append(times, at)
	}
	if 2*len(times) < len(samples) {
		return nil, &text.TimeError{Text: samples[0], Err: errNoAddend}
	}
	opts.Addend = text.ByDigits
	f, err := Detect(times, opts)
	if err != nil {
		return nil, err
	}
	s.isFraction = isFraction
	f.sum = s
	f.name += ", plus " + string(s.unit)
	f.seen.finer = f.seen.finer || finer
	return f, nil
}

// sumParser reads times with a number after them.
type sumParser struct {
	times     text.TimeParser
	sum       sum
	anyTime   bool
	plausible text.PlausibleTimes
}

// ParseTime implements text.TimeParser.
func (p *sumParser) ParseTime(written string) (ms uint64, err error) {
	at, number, ok := cutAddend(written)
	if !ok {
		return 0, &text.TimeError{Text: written, Err: errNoAddend}
	}
	if ms, err = p.times.ParseTime(at); err != nil {
		return 0, err
	}
	addend, err := p.sum.addend(number)
	if err != nil {
		return 0, &text.TimeError{Text: written, Err: err}
	}
	if ms += addend; ms < addend {
		return 0, &text.TimeError{Text: written, Err: errNoAddend}
	}
	if p.anyTime {
		return ms, nil
	}
	return ms, p.plausible.Check(written, ms)
}
