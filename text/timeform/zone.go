// SPDX-License-Identifier: Apache-2.0

package timeform

import (
	"math"
	"time"
)

// zone finds the instants of local times. It remembers the part of a zone's history where it last
// looked, because the times of a file are near each other. Local times are seconds that a clock
// without a zone counts from 1970, and instants are Unix seconds.
type zone struct {
	location *time.Location
	first    int64 // of the local times that have one instant, offset seconds before them
	end      int64 // the local time after the last of them
	offset   int64
}

// period is a part of a zone's history with one offset.
type period struct {
	start, end int64 // instants; end is not in it
	offset     int64
	name       string // the abbreviation
}

// periodAt returns the period of an instant.
func (z *zone) periodAt(instant int64) period {
	at := time.Unix(instant, 0).In(z.location)
	name, offset := at.Zone()
	p := period{math.MinInt64, math.MaxInt64, int64(offset), name}
	start, end := at.ZoneBounds()
	if !start.IsZero() {
		p.start = start.Unix()
	}
	if !end.IsZero() {
		p.end = end.Unix()
	}
	return p
}

// maxOffset bounds the offsets of zones, in seconds.
const maxOffset = 36 * 60 * 60

// periodsNear returns the periods in which a local time may lie, in their order.
func (z *zone) periodsNear(local int64) (near []period) {
	for at := local - maxOffset; at < local+maxOffset; {
		p := z.periodAt(at)
		near = append(near, p)
		if p.end == math.MaxInt64 {
			break
		}
		at = p.end
	}
	return near
}

// only returns the instant of a local time, if it has exactly one.
func (z *zone) only(local int64) (instant int64, ok bool) {
	if local >= z.first && local < z.end {
		return local - z.offset, true
	}
	all := z.all(local)
	if len(all) != 1 {
		return 0, false
	}
	z.remember(z.periodAt(all[0]))
	return all[0], true
}

// all returns the instants of a local time in their order: one, or none where a clock was set
// forward, or two where it was set back.
func (z *zone) all(local int64) (instants []int64) {
	for _, p := range z.periodsNear(local) {
		if at := local - p.offset; at >= p.start && at < p.end {
			instants = append(instants, at)
		}
	}
	return instants
}

// remember keeps the local times of a period that lie in no other.
func (z *zone) remember(p period) {
	z.offset = p.offset
	z.first, z.end = math.MinInt64, math.MaxInt64
	if p.start != math.MinInt64 {
		z.first = p.start + max(p.offset, z.periodAt(p.start-1).offset)
	}
	if p.end != math.MaxInt64 {
		z.end = p.end + min(p.offset, z.periodAt(p.end).offset)
	}
}

// named returns the instant of a local time in a period with a name such as CEST.
func (z *zone) named(local int64, name string) (instant int64, ok bool) {
	for _, p := range z.periodsNear(local) {
		if at := local - p.offset; p.name == name && at >= p.start && at < p.end {
			return at, true
		}
	}
	return 0, false
}

// StartOfDay returns the first instant at which a clock in zone shows the given date, of which only
// year, month and day count. That is not always midnight: where a clock is set forward at midnight,
// the day begins at one o'clock. A day that a zone has left out, as it moved across the date line,
// begins and ends at that moment.
func StartOfDay(date time.Time, location *time.Location) time.Time {
	year, month, day := date.Date()
	z := zone{location: location}
	midnight := time.Date(year, month, day, 0, 0, 0, 0, time.UTC).Unix()
	return time.Unix(z.startOfDay(midnight), 0).In(location)
}

// startOfDay returns the first instant of a day that begins at the local time midnight. That is one
// o'clock where a clock is set forward at midnight, and the first of two midnights where it is set
// back.
func (z *zone) startOfDay(midnight int64) int64 {
	if instant, ok := z.only(midnight); ok {
		return instant
	}
	if all := z.all(midnight); len(all) > 0 {
		return all[0]
	}
	// The clock was set from before midnight to after it.
	for _, p := range z.periodsNear(midnight) {
		if p.end != math.MaxInt64 && p.end+z.periodAt(p.end).offset > midnight {
			return p.end
		}
	}
	return midnight - z.periodAt(midnight).offset
}
