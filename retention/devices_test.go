// SPDX-License-Identifier: Apache-2.0

package retention

import (
	"time"

	"github.com/daybook-db/daybook/proof/testenv"
)

func alwaysOn(int) (on, off time.Duration) { return 4000 * day, 0 }

func each(on, off time.Duration) func(int) (time.Duration, time.Duration) {
	return func(int) (time.Duration, time.Duration) { return on, off }
}

func rightClock(m moment) time.Time { return m.now }

// noClock begins in 1970 at each boot.
func noClock(m moment) time.Time { return time.Unix(0, 0).Add(m.sinceBoot) }

// setAfter begins in 1970 at each boot, and is set right after a time.
func setAfter(wait time.Duration) func(moment) time.Time {
	return func(m moment) time.Time {
		if m.sinceBoot < wait {
			return noClock(m)
		}
		return m.now
	}
}

// restored begins at each boot with the time of the last shutdown, and is set right after a time.
func restored(wait time.Duration) func(moment) time.Time {
	return func(m moment) time.Time {
		if m.sinceBoot < wait {
			return m.shutdown.Add(m.sinceBoot)
		}
		return m.now
	}
}

// aheadBetween is ahead by a time from one day to another, and right otherwise.
func aheadBetween(from, to int, ahead time.Duration) func(moment) time.Time {
	return func(m moment) time.Time {
		if m.day() >= from && m.day() < to {
			return m.now.Add(ahead)
		}
		return m.now
	}
}

// jumping has another error each day, of years in either direction, and is right on every fifth.
func jumping(m moment) time.Time {
	errors := []time.Duration{0, 400 * day, -400 * day, 3650 * day, -3 * day, 0, 9 * day, -3650 * day}
	return m.now.Add(errors[m.day()%len(errors)])
}

// earlyFrom is early by a time from one day on, and right before.
func earlyFrom(from int, by time.Duration) func(moment) time.Time {
	return func(m moment) time.Time {
		if m.day() >= from {
			return m.now.Add(-by)
		}
		return m.now
	}
}

// movedAfter is on for some days, and then, a day later, in another place for good.
func movedAfter(days time.Duration) func(int) (time.Duration, time.Duration) {
	return func(boot int) (on, off time.Duration) {
		if boot == 0 {
			return days * day, day
		}
		return alwaysOn(boot)
	}
}

// onForAYear is the uptime of a machine that had been on for a year when the daybook came to it.
func onForAYear(m moment) time.Duration {
	if m.boot == 0 {
		return m.sinceBoot
	}
	return year + m.sinceBoot
}

func trueTimes(_ int, m moment) time.Time { return m.now }

// sensors returns timestamps that are ahead of the true time.
func sensors(ahead ...time.Duration) func(int, moment) time.Time {
	return func(record int, m moment) time.Time { return m.now.Add(ahead[record]) }
}

// summerTime stamps the local time as if it were UTC.
func summerTime(_ int, m moment) time.Time {
	if month := m.now.Month(); month > time.March && month < time.November {
		return m.now.Add(2 * hour)
	}
	return m.now.Add(hour)
}

func devices() []device {
	aYear := 20 // days
	if testenv.Long() {
		aYear = 365
	}
	const minute = time.Minute
	return []device{
		{name: "always on", reason: "the plain case",
			days: aYear, power: alwaysOn, clock: rightClock, right: true, strict: true},
		{name: "no clock", reason: "only uptime tells the age, and it adds up over restarts",
			days: aYear, power: each(12*hour, 12*hour), clock: noClock, strict: true},
		{name: "no clock, up for an hour", reason: "the uptime of many short boots adds up",
			days: 220, power: each(hour, 23*hour), clock: noClock, strict: true},
		{name: "no clock, but sensors that have one", reason: "the values have the right time, the keeper has not",
			days: aYear, power: each(12*hour, 12*hour), clock: noClock, stamp: trueTimes, strict: true},
		{name: "set after a minute", reason: "it never ran for a day, and never expired anything",
			days: 120, power: each(12*hour, 12*hour), clock: setAfter(minute), right: true},
		{name: "set after a minute, up for an hour", reason: "it is off for 23 hours, which is no jump",
			days: 365, power: each(hour, 23*hour), clock: setAfter(minute), right: true},
		{name: "set after three hours", reason: "values from before have no time",
			days: aYear, power: each(12*hour, 12*hour), clock: setAfter(3 * hour), right: true},
		{name: "reboots each hour", reason: "no boot is long enough for anything",
			days: 12, power: each(hour, minute), clock: setAfter(minute), right: true},
		{name: "reboots each hour, without a clock", reason: "each boot loses a little uptime",
			days: 12, power: each(hour, minute), clock: noClock, strict: true},
		{name: "restores the time of its shutdown", reason: "the clock is late by the time that it was off",
			days: 365, power: each(hour, 23*hour), clock: restored(2 * minute), right: true},
		{name: "jumps both ways", reason: "no day's clock agrees with the day before",
			days: aYear, power: alwaysOn, clock: jumping},
		{name: "jumps both ways, and reboots", reason: "a restart excuses no jump of years",
			days: aYear, power: each(11*hour, hour), clock: jumping},
		{name: "one sensor ahead by years", reason: "one record does not decide",
			days: aYear, power: alwaysOn, clock: rightClock, stamp: sensors(0, 3*year, 0), right: true, strict: true},
		{name: "a few sensors ahead by minutes", reason: "minutes are no evidence",
			days: 45, power: each(12*hour, 12*hour), clock: rightClock,
			stamp: sensors(2*minute, 0, 5*minute), right: true, strict: true},
		{name: "all sensors ahead by minutes, from cron", reason: "it refused for good",
			days: aYear, power: each(12*hour, 12*hour), clock: rightClock, cron: day,
			stamp: sensors(2*minute, 2*minute, 2*minute), right: true, strict: true},
		{name: "sensors with summer time", reason: "they are ahead by one hour, and by two in summer",
			days: aYear, power: alwaysOn, clock: rightClock, stamp: summerTime, right: true, strict: true},
		{name: "from cron, set after a minute", reason: "each sweep is a process of its own",
			days: aYear, power: each(12*hour, 12*hour), clock: setAfter(minute), cron: day, right: true},
		{name: "from cron, without a clock", reason: "uptime adds up between processes",
			days: aYear, power: each(12*hour, 12*hour), clock: noClock, cron: hour, strict: true},
		{name: "ahead at the first start", reason: "the newest values speak against the clock",
			days: 35, power: alwaysOn, clock: aheadBetween(0, 3, 2*year), filled: true, strict: true},
		{name: "ahead at the first start, of an empty store", reason: "only setting the clock speaks against it",
			days: 35, power: each(12*hour, 12*hour), clock: aheadBetween(0, 20, 2*year), strict: true},
		{name: "ahead after a restart", reason: "what was known survives, and outweighs values of the wrong time",
			days: 45, power: each(12*hour, 12*hour), clock: aheadBetween(10, 30, 2*year), strict: true},
		{name: "ahead while running", reason: "uptime says that no two years have passed",
			days: 25 + aYear, power: alwaysOn, clock: aheadBetween(10, 40, 2*year), strict: true},
		{name: "ahead, from cron", reason: "each sweep is the first of its process",
			days: 45, power: alwaysOn, clock: aheadBetween(10, 30, 2*year), cron: day, strict: true},
		{name: "ahead, with sensors that know better", reason: "values with the right time seem two years old",
			days: 25 + aYear, power: alwaysOn, clock: aheadBetween(10, 40, 2*year), stamp: trueTimes, strict: true},
		{name: "ahead, of an empty store, with sensors that know better",
			reason: "the first values speak against a clock that nothing spoke against before",
			days:   35, power: alwaysOn, clock: aheadBetween(0, 25, 2*year), stamp: trueTimes, strict: true},
		{name: "early for good", reason: "values from before seem young for two years",
			days: 20 + aYear, power: alwaysOn, clock: earlyFrom(10, 2*year), strict: true},
		{name: "early for good by three days", reason: "values from before seem young for three days",
			days: 20 + aYear, power: alwaysOn, clock: earlyFrom(10, 3*day), strict: true},
		{name: "moved to another machine", reason: "its uptime is not that of the values",
			days: 40, power: movedAfter(10), steady: onForAYear, clock: aheadBetween(15, 25, 2*year), strict: true},
		{name: "moved to another machine, from cron", reason: "each sweep is a process of its own",
			days: 40, power: movedAfter(10), steady: onForAYear, cron: 6 * hour,
			clock: aheadBetween(15, 25, 2*year), strict: true},
		{name: "off for three months", reason: "a clock that is right after a long time is doubted first",
			days: 130 + aYear, clock: rightClock, strict: true, power: func(boot int) (time.Duration, time.Duration) {
				return 20 * day, 90 * day
			}},
	}
}
