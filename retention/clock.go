// SPDX-License-Identifier: Apache-2.0

package retention

import (
	"context"
	"fmt"
	"math"
	"runtime/debug"
	"slices"
	"time"

	"github.com/daybook-db/daybook"
)

const (
	// settleTime is how long a clock has to run steadily until a doubt ends: a little less than a
	// day of uptime, because some uptime is lost when a device is switched off.
	settleTime = 20 * time.Hour
	// steadyTolerance is how far a steady clock may move against the uptime.
	steadyTolerance = time.Hour
)

// clock tells the time, and whether the time can be believed. What it knows is in its knowledge,
// which survives restarts. The package comment has the evidence that it weighs.
//
// An example, with a MaxJump of a day, so that the clock may be ahead by two days at a start:
//
//	uptime  wall clock    known         judgement
//	0 h     1 May 10:00   1 May 10:00   believed
//	1 h     1 May 11:00   1 May 11:00   believed
//	        (off)
//	1 h     2 May 09:00   2 May 09:00   believed: the device may have been off for 22 hours
//	2 h     9 May 10:00   2 May 10:00   doubted: it is seven days ahead of what is known
//	3 h     2 May 11:00   2 May 11:00   believed: it was set right
type clock struct {
	wall    func() time.Time     // the clock that can be set
	steady  func() time.Duration // the uptime of the machine or of the process; nothing can set it
	floor   time.Time            // a clock that is earlier was never set
	maxJump time.Duration        // see Keeper.MaxJump
	maxAge  time.Duration        // the longest age of the policy

	knowledge
	loaded  bool
	resumed bool          // what is known was saved by another process, maybe of another machine
	slack   time.Duration // how far the clock may still be ahead because the device may have been off
	calm    time.Duration // uptime after slack was last used for more than steadyTolerance
	saved   knowledge     // as it was saved last
	doubted bool          // by the last judgement; a change of it is saved
}

// judgement is what a clock says about one moment.
type judgement struct {
	wall  time.Time
	now   time.Time // by which ages may be counted; zero: none, because the clock is in doubt
	doubt string    // why the wall clock is not believed; "": it is
}

// minFloor is the floor of a program that does not know when it was built. Clocks that were never
// set begin in 1970 or 1980.
var minFloor = time.Date(1990, 1, 1, 0, 0, 0, 0, time.UTC)

// newClock returns the clock of a keeper with defaults.
func newClock(k *Keeper) *clock {
	start, booted := time.Now(), bootTime()
	return &clock{
		wall: func() time.Time { return k.Now().Round(0) }, // without Go's own steady clock
		// Go's steady clock may stand still while the machine sleeps. The machine's uptime goes on.
		steady:  func() time.Duration { return booted + max(time.Since(start), bootTime()-booted) },
		floor:   floor(),
		maxJump: k.MaxJump,
		maxAge:  k.Policy.longestAge(),
	}
}

// floor returns the time before which the program was not built.
func floor() time.Time {
	info, _ := debug.ReadBuildInfo()
	return floorIn(info)
}

// floorIn returns the time of the commit in the build information of a program, which is nil if the
// program has none, or else minFloor.
func floorIn(info *debug.BuildInfo) time.Time {
	if info == nil {
		return minFloor
	}
	for _, setting := range info.Settings {
		if setting.Key != "vcs.time" {
			continue
		}
		if built, err := time.Parse(time.RFC3339, setting.Value); err == nil && built.After(minFloor) {
			return built
		}
	}
	return minFloor
}

// look reads the wall clock, judges it, and saves what is known then. An error is the backend's.
func (c *clock) look(ctx context.Context, backend daybook.Backend) (j judgement, err error) {
	if err := c.load(ctx, backend); err != nil {
		return j, err
	}
	wall := bounded(c.wall())
	c.pass(wall)
	if err := c.begin(ctx, backend, wall); err != nil {
		return j, err
	}
	if j, err = c.judge(ctx, backend, wall); err != nil {
		return j, err
	}
	changed := c.doubted != (j.doubt != "")
	c.doubted = j.doubt != ""
	if err := c.mark(ctx, backend); err != nil {
		return j, err
	}
	return j, c.save(ctx, backend, changed)
}

// pass adds the time that has surely passed after the last look. Another process may have looked on
// another machine, or before a restart: then the steady clock says too much, unless the wall clock
// agrees.
func (c *clock) pass(wall time.Time) {
	steady := c.steady()
	passed := steady - c.Steady
	if passed < 0 { // the machine was started again
		passed, c.resumed = steady, true
	}
	if since := wall.Sub(c.Wall); c.resumed && since >= 0 && !c.Wall.IsZero() {
		passed = min(passed, since)
	}
	c.resumed = false
	c.Steady = steady
	c.Uptime += passed
	if !c.Known.IsZero() {
		c.Known = c.Known.Add(passed)
	}
	if !c.Latest.IsZero() {
		c.Latest = c.Latest.Add(passed)
	}
	if wall.After(c.Latest) {
		c.Latest = wall
	}
}

// begin sets the known time if none is known. The newest values of most records are evidence that
// it is at least as late; without them there is only the clock itself. The first records can show
// that it was ahead.
func (c *clock) begin(ctx context.Context, backend daybook.Backend, wall time.Time) error {
	if !c.Known.IsZero() && !c.Alone {
		return nil
	}
	newest, err := newestOfMost(ctx, backend)
	if err != nil {
		return err
	}
	switch {
	case newest.After(c.floor):
		if isFarAhead := c.Known.Sub(newest) > 2*c.jumpLimit(); c.Known.IsZero() || isFarAhead {
			c.Known = newest
		}
		c.Alone = false
	case wall.After(c.floor) && c.Known.IsZero():
		c.Known, c.Alone = wall, true
	}
	return nil
}

// raiseLatest makes the latest time at least that of the newest values of most records.
func (c *clock) raiseLatest(ctx context.Context, backend daybook.Backend) error {
	newest, err := newestOfMost(ctx, backend)
	if err == nil && newest.After(c.Latest) {
		c.Latest = newest
	}
	return err
}

// judge compares the wall clock with what is known.
func (c *clock) judge(ctx context.Context, backend daybook.Backend, wall time.Time) (j judgement, err error) {
	j.wall = wall
	if wall.Before(c.floor) {
		j.doubt = fmt.Sprintf("it is before %s, so it was never set", c.floor.Format(time.DateOnly))
		return j, nil
	}
	ahead := wall.Sub(c.Known)
	isTooFar := ahead > c.slack && c.maxJump >= 0
	c.noticeJump(wall, ahead)
	switch {
	case isTooFar:
		return c.judgeAhead(ctx, backend, j, ahead)
	case ahead >= 0:
		c.Known = wall
	case c.Settled >= settleTime: // it is the known time that was wrong
		c.Known = wall
	case ahead < -c.jumpLimit():
		return c.judgeEarly(ctx, backend, j)
	}
	j.now = wall
	return j, nil
}

// judgeEarly judges a clock that is earlier than the known time. It is believed if there are values
// and the newest ones of most records are not later: it was the clock that had been ahead, and its
// values have been deleted. To believe an early clock deletes nothing that is young.
func (c *clock) judgeEarly(ctx context.Context, backend daybook.Backend, j judgement) (judgement, error) {
	newest, err := newestOfMost(ctx, backend)
	if err != nil {
		return j, err
	}
	if !newest.IsZero() && !newest.After(j.wall.Add(c.jumpLimit())) {
		c.Known, j.now = j.wall, j.wall
		return j, nil
	}
	j.doubt = fmt.Sprintf("it is earlier than %s, the latest time that is known", c.Known.Format(time.RFC3339))
	return j, nil
}

// judgeAhead judges a clock that is too far ahead. It is believed when it has run steadily for as
// long as it is ahead, or for the longest age. All values from before are at least as old then, so
// it deletes none that is younger than half of its maximum age. The newest values of most records
// must not be much earlier.
func (c *clock) judgeAhead(
	ctx context.Context, backend daybook.Backend, j judgement, ahead time.Duration,
) (judgement, error) {
	if c.Settled >= max(settleTime, min(ahead, c.maxAge)) {
		newest, err := newestOfMost(ctx, backend)
		if err != nil {
			return j, err
		}
		if newest.IsZero() || newest.After(j.wall.Add(-2*c.jumpLimit())) {
			c.Known, j.now = j.wall, j.wall
			return j, nil
		}
	}
	j.now = c.Known
	j.doubt = fmt.Sprintf("it is ahead by %s of %s, the latest time that is known",
		ahead.Round(time.Second), c.Known.Format(time.RFC3339))
	return j, nil
}

// noticeJump compares a reading of the wall clock with the last one, and counts for how long the
// clock has run steadily. An advance is steady if the device may have been off for that time. Such
// an advance, of this reading or of ahead, leaves less slack for others.
func (c *clock) noticeJump(wall time.Time, ahead time.Duration) {
	passed := c.Uptime - c.WallUptime
	jump := wall.Sub(c.Wall) - passed
	isSteady := !c.Wall.IsZero() && jump >= -steadyTolerance && jump <= max(c.slack, steadyTolerance)
	used := time.Duration(0)
	if ahead <= c.slack {
		used = max(used, ahead)
	}
	if isSteady {
		c.Settled += passed
		used = max(used, jump)
	} else {
		c.Settled = 0
	}
	c.slack -= min(c.slack, used)
	if c.calm += passed; used > steadyTolerance {
		c.calm = 0
	}
	if c.calm >= settleTime {
		c.slack = max(c.slack, c.jumpLimit())
	}
	c.Wall, c.WallUptime = wall, c.Uptime
}

// jumpLimit returns MaxJump, or its default if no jump ahead is doubted.
func (c *clock) jumpLimit() time.Duration {
	if c.maxJump < 0 {
		return DefaultMaxJump
	}
	return c.maxJump
}

// newestOfMost returns the time that the newest values of most records have reached: the median of
// RecordInfo.Newest, so that a few records with values from the future do not decide. It returns
// the zero time if there are no records, or if the backend cannot list them.
func newestOfMost(ctx context.Context, backend daybook.Backend) (time.Time, error) {
	lister, ok := daybook.As[daybook.RecordLister](backend)
	if !ok {
		return time.Time{}, nil
	}
	var newest []uint64
	for info, err := range lister.Records(ctx, "*", daybook.Glob) {
		if err != nil {
			return time.Time{}, err
		}
		newest = append(newest, info.Newest)
	}
	if len(newest) == 0 {
		return time.Time{}, nil
	}
	slices.Sort(newest)
	median := newest[(len(newest)-1)/2]
	return bounded(time.UnixMilli(int64(min(median, math.MaxInt64)))), nil
}

// maxTime leaves room for uptime in the years up to 9999, which are those that RFC 3339 can write.
var maxTime = time.Date(9000, 1, 1, 0, 0, 0, 0, time.UTC)

func bounded(t time.Time) time.Time {
	if t.After(maxTime) {
		return maxTime
	}
	return t
}
