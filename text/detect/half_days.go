// SPDX-License-Identifier: Apache-2.0

package detect

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
)

// ErrHalfDays is returned for times of day that go from 12 back to 1 on the same day, and have no
// hour outside 1 to 12: AM and PM are missing.
var ErrHalfDays = errors.New("its hours go from 12 to 1 on the same day, so that AM or PM may be missing")

// hourOfClock matches what stands before an hour, the hour, and no AM or PM.
var hourOfClock = regexp.MustCompile(`^(.*[T ,])([0-9]{1,2})(?::[0-9]{2}){1,2}(?:[.,][0-9]+)?$`)

// lacksHalf returns the first time that shows that AM and PM are missing, or "".
func lacksHalf(samples []string) (found string) {
	lastDate, last := "", 0
	for _, sample := range samples {
		match := hourOfClock.FindStringSubmatch(sample)
		if match == nil {
			return ""
		}
		hour, _ := strconv.Atoi(match[2])
		if hour < 1 || hour > 12 {
			return ""
		}
		isBack := last == 12 && hour == 1 || last == 1 && hour == 12
		if isBack && match[1] == lastDate && found == "" {
			found = sample
		}
		lastDate, last = match[1], hour
	}
	return found
}

// checkHalfDays refuses times that lack AM and PM, unless a person said their form.
func (d *csvDetection) checkHalfDays(samples []string) error {
	found := lacksHalf(samples)
	if found == "" || len(d.hints.Time.Formats) > 0 {
		return nil
	}
	err := fmt.Errorf("%q is not clear: %w", found, ErrHalfDays)
	return d.columnError(d.lineOf(found), d.times[0], err)
}
