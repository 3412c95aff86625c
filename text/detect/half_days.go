// SPDX-License-Identifier: Apache-2.0

package detect

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"

	"github.com/daybook-db/daybook/text/timeform"
)

// ErrHalfDays is returned for times of day that go from 12 back to 1 on the same day, and have no
// hour outside 1 to 12: AM and PM are missing.
var ErrHalfDays = errors.New("its hours go from 12 to 1 on the same day, so that AM or PM may be missing")

// hourOfClock matches what stands before an hour, the hour, and no AM or PM.
var hourOfClock = regexp.MustCompile(`^(.*[T ,])([0-9]{1,2})(?::[0-9]{2}){1,2}(?:[.,][0-9]+)?$`)

// lacksHalf returns the index of the first time that shows that AM and PM are missing, or -1.
func lacksHalf(samples []string) (found int) {
	lastDate, last := "", 0
	found = -1
	for i, sample := range samples {
		match := hourOfClock.FindStringSubmatch(sample)
		if match == nil {
			return -1
		}
		hour, _ := strconv.Atoi(match[2])
		if hour < 1 || hour > 12 {
			return -1
		}
		isBack := last == 12 && hour == 1 || last == 1 && hour == 12
		if isBack && match[1] == lastDate && found < 0 {
			found = i
		}
		lastDate, last = match[1], hour
	}
	return found
}

// checkHalfDays returns an error for times that lack AM and PM, and the index of the first that
// shows it, unless a person said their form.
func checkHalfDays(samples []string, hints timeform.Options) (found int, err error) {
	found = lacksHalf(samples)
	if found < 0 || len(hints.Formats) > 0 {
		return -1, nil
	}
	return found, fmt.Errorf("%q is not clear: %w", samples[found], ErrHalfDays)
}
