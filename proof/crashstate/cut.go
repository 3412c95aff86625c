// SPDX-License-Identifier: Apache-2.0

package crashstate

import "math/rand/v2"

// cut makes the choices of one power cut.
type cut struct {
	number    uint64
	random    *rand.Rand
	reordered bool // changes of directories are lost one by one, not from the end
	tell      func(string)
}

func newCut(number uint64, tell func(string)) *cut {
	c := &cut{number: number, random: rand.New(rand.NewPCG(number, 0)), tell: tell}
	c.reordered = c.random.IntN(2) == 0
	return c
}

func (c *cut) explain(line func() string) {
	if c.tell != nil {
		c.tell(line())
	}
}

// firstPart returns how many of n survive. Extremes are as likely as all the rest, since most mistakes show
// at them.
func (c *cut) firstPart(n int) int {
	switch {
	case c.number == NothingUnsynced || n == 0:
		return 0
	case c.number == EverythingUnsynced:
		return n
	}
	switch c.random.IntN(4) {
	case 0:
		return 0
	case 1:
		return n
	}
	return c.random.IntN(n + 1)
}

// odds returns how many in a hundred survive.
func (c *cut) odds() int {
	switch c.number {
	case NothingUnsynced:
		return 0
	case EverythingUnsynced:
		return 100
	}
	return []int{0, 10, 50, 90, 100}[c.random.IntN(5)]
}

func (c *cut) chance(percent int) bool { return c.random.IntN(100) < percent }

// versions returns a way to choose the versions of a file's sectors, from low to high.
func (c *cut) versions(f *file) func(s *sector, low, high int) int {
	switch c.number {
	case NothingUnsynced:
		return func(_ *sector, low, _ int) int { return low }
	case EverythingUnsynced:
		return func(_ *sector, _, high int) int { return high }
	}
	switch way := c.random.IntN(4); way {
	case 0: // any
		return func(_ *sector, low, high int) int { return low + c.random.IntN(high-low+1) }
	case 1: // the newest or the durable one
		newest := c.odds()
		return func(_ *sector, low, high int) int {
			if c.chance(newest) {
				return high
			}
			return low
		}
	default: // writes in order, the last of which is torn
		return c.torn(f, way == 2)
	}
}

// torn has a first part of the edits survive, and of the one behind it the sectors up to some place, or those
// from there on.
func (c *cut) torn(f *file, front bool) func(s *sector, low, high int) int {
	whole := c.firstPart(len(f.edits))
	place := int64(0)
	if whole < len(f.edits) {
		place = f.edits[whole].start + int64(c.random.IntN(len(f.edits[whole].data)+1))
	}
	return func(s *sector, low, high int) int {
		version := 0
		for version < len(s.edits) && s.edits[version] < whole {
			version++
		}
		if version < len(s.edits) && s.edits[version] == whole && (s.start < place) == front {
			version++
		}
		return min(max(version, low), high)
	}
}
