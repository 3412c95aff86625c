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
	ms, err = o.TimeUnit.parse(text)
	if err == nil && !o.AnyTime && !isPlausible(ms, daybook.Now()) {
		err := fmt.Errorf("is %s, %w", daybook.Time(ms).Format(time.RFC3339), ErrImplausible)
		return 0, &TimeError{Text: text, Err: err, Want: "a time from 1980 to a day after now"}
	}
	return ms, err
}

// isPlausible reports whether a reading can have a time. Times have no upper bound while the clock
// is before MinPlausible, because such a clock was never set.
func isPlausible(ms, now uint64) bool {
	const day = uint64(24 * time.Hour / time.Millisecond)
	return ms >= MinPlausible && (now < MinPlausible || ms <= now+day)
}
