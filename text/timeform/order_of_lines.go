// SPDX-License-Identifier: Apache-2.0

package timeform

import "slices"

// lines remembers the times of the lines before the next one. Where a clock was set back, and an
// hour was repeated, it tells which of two instants the next line has.
//
// It decides only in a file whose times never turn. There, a repeated hour that was already passed
// is the other one. The hour itself is decided by the recent steps from line to line: the instant
// counts that makes a step no longer than they were.
type lines struct {
	any       bool
	last      int64 // the instant of the line before, in milliseconds
	forward   bool  // a time was later than the one before it
	backward  bool  // a time was earlier
	repeating bool  // a time was equal
	steps     [16]int64
	count     int // of steps
}

// add takes the time of one more line.
func (l *lines) add(instant int64) {
	step := instant - l.last
	l.last = instant
	if !l.any {
		l.any = true
		return
	}
	switch {
	case step == 0:
		l.repeating = true
		return
	case step > 0:
		l.forward = true
	default:
		l.backward = true
		step = -step
	}
	l.steps[l.count%len(l.steps)] = step
	l.count++
}

// choose returns the one of a few instants that the next line has, if that can be known.
func (l *lines) choose(instants []int64) (instant int64, ok bool) {
	if !l.any || l.forward == l.backward {
		return 0, false
	}
	inOrder := slices.DeleteFunc(slices.Clone(instants), func(at int64) bool {
		return at != l.last && (at > l.last) != l.forward
	})
	if len(inOrder) == 1 {
		return inOrder[0], true
	}
	near := slices.DeleteFunc(inOrder, func(at int64) bool { return !l.isUsual(at - l.last) })
	if len(near) != 1 {
		return 0, false
	}
	return near[0], true
}

// isUsual reports whether a step is no longer than the recent ones.
func (l *lines) isUsual(step int64) bool {
	if step == 0 {
		return l.repeating
	}
	return max(step, -step) <= slices.Max(l.steps[:])
}
