// SPDX-License-Identifier: Apache-2.0

package engine

import "time"

// holdClock counts the time that holds with a MaxAge spare values. A wall clock that is set does
// not move it: a device that gets the time some minutes after its boot would lose all held values
// at once. It adds up over restarts.
type holdClock struct {
	atOpen time.Time // what it showed at opened
	opened time.Time
}

// holdLook is a moment on both clocks, in Unix ms.
type holdLook struct {
	Clock int64 `json:"clock"` // the holdClock
	Wall  int64 `json:"wall"`
}

// lookInterval is how often a hold notes the time at most.
const lookInterval = time.Minute

// minWallClock is a time before this program. Clocks that were never set begin in 1970 or 1980.
var minWallClock = time.Date(1990, 1, 1, 0, 0, 0, 0, time.UTC)

// newHoldClock returns the clock of a store that is being opened. It goes on where it was when a
// hold was saved, after the time that the wall clock says has passed. Without a hold it begins with
// the wall clock, as the samples of older versions do.
func newHoldClock(holds []*hold) holdClock {
	opened, last := time.Now(), holdLook{}
	for _, h := range holds {
		if h.looked.Clock > last.Clock {
			last = h.looked
		}
	}
	if last.Clock == 0 {
		return holdClock{atOpen: opened.Round(0), opened: opened}
	}
	passed := int64(0)
	if wasSet := last.Wall >= minWallClock.UnixMilli(); wasSet {
		passed = max(0, opened.UnixMilli()-last.Wall)
	}
	return holdClock{atOpen: time.UnixMilli(last.Clock + passed), opened: opened}
}

func (c *holdClock) now() time.Time { return c.atOpen.Add(time.Since(c.opened)) }
