// SPDX-License-Identifier: Apache-2.0

package crashstate

import "math/rand/v2"

// cut makes the choices of one power cut.
type cut struct {
	number    uint64
	random    *rand.Rand
	reordered bool         // changes of directories are lost one by one, not from the end
	explain   func(string) // nil if nobody asked for an explanation
}

func newCut(number uint64, explain func(string)) *cut {
	c := &cut{number: number, random: rand.New(rand.NewPCG(number, 0)), explain: explain}
	c.reordered = c.random.IntN(2) == 0
	return c
}

// explainWith passes the line on that line returns, if an explanation is wanted.
func (c *cut) explainWith(line func() string) {
	if c.explain != nil {
		c.explain(line())
	}
}

// prefixLength returns how many of the first n survive. None and all are together as likely as the
// other numbers, because most mistakes show there.
func (c *cut) prefixLength(n int) int {
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

// percentage returns how many of a hundred survive.
func (c *cut) percentage() int {
	switch c.number {
	case NothingUnsynced:
		return 0
	case EverythingUnsynced:
		return 100
	}
	return []int{0, 10, 50, 90, 100}[c.random.IntN(5)]
}

func (c *cut) chance(percent int) bool { return c.random.IntN(100) < percent }

// versionChooser returns a function that chooses a version of a sector, from low to high.
func (c *cut) versionChooser(f *file) func(s *sector, low, high int) int {
	switch c.number {
	case NothingUnsynced:
		return func(_ *sector, low, _ int) int { return low }
	case EverythingUnsynced:
		return func(_ *sector, _, high int) int { return high }
	}
	switch way := c.random.IntN(4); way {
	case 0: // any version
		return func(_ *sector, low, high int) int { return low + c.random.IntN(high-low+1) }
	case 1: // the newest version or the durable one
		newest := c.percentage()
		return func(_ *sector, low, high int) int {
			if c.chance(newest) {
				return high
			}
			return low
		}
	default: // a first part of the writes, of which the last is torn
		return c.tornChooser(f, way == 2)
	}
}

// tornChooser returns a versionChooser with which a first part of the edits survives. Of the next
// edit, the sectors before a random place survive if front is set, and otherwise those after it.
func (c *cut) tornChooser(f *file, front bool) func(s *sector, low, high int) int {
	whole := c.prefixLength(len(f.edits))
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
