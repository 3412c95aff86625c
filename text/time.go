// SPDX-License-Identifier: Apache-2.0

package text

import (
	"errors"
	"slices"
	"strconv"
	"time"
)

// Causes of a TimeError.
var (
	errBefore1970 = errors.New("is before 1970, where a daybook's time starts")
	errTooLarge   = errors.New("is not a time: it does not fit into 64 bits")
)

// ParseMillis reads Unix milliseconds, a whole number. Its error is a *TimeError.
func ParseMillis(text string) (ms uint64, err error) {
	if !isDigits(text) {
		return 0, &TimeError{Text: text, Err: ErrNotTime, Want: "Unix milliseconds, a whole number"}
	}
	ms, err = strconv.ParseUint(text, 10, 64)
	if err != nil {
		return 0, &TimeError{Text: text, Err: errTooLarge}
	}
	return ms, nil
}

// ParseRFC3339 reads a time in RFC 3339, with a T or a space between date and time, and returns
// Unix milliseconds, rounded down. Its error is a *TimeError; it matches ErrNoZone if only the zone
// is missing.
func ParseRFC3339(text string) (ms uint64, err error) {
	instant, err := parseInstant(text)
	switch {
	case err == nil && instant.UnixMilli() < 0:
		return 0, &TimeError{Text: text, Err: errBefore1970}
	case err == nil:
		return uint64(instant.UnixMilli()), nil
	case isLocalTime(text):
		return 0, &TimeError{Text: text, Err: ErrNoZone, Want: "a Z after it for UTC, or an offset such as +01:00"}
	}
	return 0, &TimeError{Text: text, Err: ErrNotTime, Want: "RFC 3339"}
}

// parseInstant reads RFC 3339, which allows a space in place of the T.
func parseInstant(text string) (time.Time, error) {
	if len(text) > 10 && text[10] == ' ' {
		text = text[:10] + "T" + text[11:]
	}
	return time.Parse(time.RFC3339, text)
}

// isLocalTime reports whether text is a time without a zone. time.Parse allows a fraction after the
// seconds.
func isLocalTime(text string) bool {
	return slices.ContainsFunc([]string{
		"2006-01-02T15:04:05", time.DateTime, "2006-01-02T15:04", "2006-01-02 15:04",
	}, func(layout string) bool {
		_, err := time.Parse(layout, text)
		return err == nil
	})
}

// parseTimeOr reads RFC 3339. Its error for any other text says that want was wanted.
func parseTimeOr(text, want string) (ms uint64, err error) {
	ms, err = ParseRFC3339(text)
	if errors.Is(err, ErrNotTime) {
		return 0, &TimeError{Text: text, Err: ErrNotTime, Want: want}
	}
	return ms, err
}

func isDigits(text string) bool {
	for i := range len(text) {
		if text[i] < '0' || text[i] > '9' {
			return false
		}
	}
	return text != ""
}
