// SPDX-License-Identifier: Apache-2.0

package daybook

import (
	"math"
	"time"
)

// Now returns the time of the wall clock in Unix milliseconds. It returns 0 for a clock that is set
// before 1970.
func Now() uint64 { return Timestamp(time.Now()) }

// Ago returns the time of the wall clock minus d, in Unix milliseconds. It returns at least 0, as
// on a device whose clock has not been set and begins in 1970. A negative d gives a time in the
// future.
func Ago(d time.Duration) uint64 {
	now, ago := Now(), d.Milliseconds()
	if ago < 0 {
		return now + uint64(-ago)
	}
	return now - min(now, uint64(ago))
}

// Timestamp returns a time in Unix milliseconds, rounded down. It returns 0 for a time before 1970,
// such as the zero time, and the greatest timestamp for a time after it.
func Timestamp(t time.Time) uint64 {
	seconds, milliseconds := t.Unix(), uint64(t.Nanosecond()/int(time.Millisecond))
	switch {
	case seconds < 0:
		return 0
	case seconds > math.MaxUint64/1000:
		return math.MaxUint64
	}
	whole := uint64(seconds) * 1000
	return whole + min(milliseconds, math.MaxUint64-whole)
}

// Time returns a timestamp (Unix ms) as a time in UTC. It holds every timestamp, up to the year
// 584 million.
func Time(timestamp uint64) time.Time {
	return time.Unix(int64(timestamp/1000), int64(timestamp%1000)*int64(time.Millisecond)).UTC()
}

// Time returns StoredAt as a time in UTC, as the function Time does.
func (v StoredValue) Time() time.Time { return Time(v.StoredAt) }

// Time returns StoredAt as a time in UTC, as the function Time does.
func (t Typed[T]) Time() time.Time { return Time(t.StoredAt) }

// Times returns Oldest and Newest as times in UTC, as the function Time does.
func (r RecordInfo) Times() (oldest, newest time.Time) { return Time(r.Oldest), Time(r.Newest) }
