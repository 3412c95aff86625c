// SPDX-License-Identifier: Apache-2.0

package head

import "slices"

// viewRoom is memory for the lists of runs and of blocks that views have. The views of several
// records share one allocation.
type viewRoom struct {
	runs   []run
	blocks [][]item
}

// grow makes room for a number of further runs and blocks. More of them take further memory.
func (v *viewRoom) grow(runs, blocks int) {
	v.runs, v.blocks = slices.Grow(v.runs, runs), slices.Grow(v.blocks, blocks)
}

// reset makes room again. The views that had it are not used any more.
func (v *viewRoom) reset() { v.runs, v.blocks = v.runs[:0], v.blocks[:0] }

// runsOf returns a copy of the runs of a series.
func (v *viewRoom) runsOf(s *series, memory *slab) []run {
	start := len(v.runs)
	if s.large != nil {
		v.runs = append(v.runs, s.large.list...)
	} else {
		r, room := s.small.run(memory, v.blocks)
		v.runs, v.blocks = append(v.runs, r), room
	}
	return slices.Clip(v.runs[start:])
}
