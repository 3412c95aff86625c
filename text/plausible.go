// SPDX-License-Identifier: Apache-2.0

package text

import (
	"fmt"
	"time"

	"github.com/daybook-db/daybook"
)

// MinPlausible is the first plausible time: 1980-01-01T00:00:00Z in Unix milliseconds. A device
// whose clock was never set stamps its readings with times soon after 1970, and a number that is
// read with a wrong unit often lies there.
const MinPlausible uint64 = 315_532_800_000

// parseTime reads a time that another program wrote.
func (o ReadOptions) parseTime(text string) (ms uint64, err error) {
	if o.Times != nil {
		return o.Times.ParseTime(text)
	}
	ms, err = o.TimeUnit.ParseTime(text)
	if err == nil && !o.AnyTime {
		err = new(PlausibleTimes).Check(text, ms)
	}
	if err != nil {
		return 0, err
	}
	return ms, nil
}

// PlausibleTimes tells the times that a reading can have from others. It is for the times of one
// file, and asks the clock again only for a time that is later than it was, so that it is cheap.
type PlausibleTimes struct {
	now uint64 // what the clock said when it was last asked
}

// Check returns a *TimeError that matches ErrImplausible for a time before MinPlausible, or more
// than a day after now. text is the time as the file has it.
func (p *PlausibleTimes) Check(text string, ms uint64) error {
	if p.now >= MinPlausible && isPlausible(ms, p.now) {
		return nil
	}
	p.now = daybook.Now()
	if isPlausible(ms, p.now) {
		return nil
	}
	err := fmt.Errorf("is %s, %w", daybook.Time(ms).Format(time.RFC3339), ErrImplausible)
	return &TimeError{Text: text, Err: err, Want: "a time from 1980 to a day after now"}
}

// isPlausible reports whether a reading can have a time. Times have no upper bound while the clock
// is before MinPlausible, because such a clock was never set.
func isPlausible(ms, now uint64) bool {
	const day = uint64(24 * time.Hour / time.Millisecond)
	return ms >= MinPlausible && (now < MinPlausible || ms <= now+day)
}
