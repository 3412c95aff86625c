// SPDX-License-Identifier: Apache-2.0

package timeform

import "slices"

// lines remembers the times of the lines before the next one. Where a clock was set back, and an
// hour was repeated, it tells which of two instants the next line has.
//
// It decides only in a file whose times never turn. There, an hour that was already passed is the
// other one. Where both instants are possible, the one counts that makes a step no longer than the
// recent steps from line to line, or not much longer.
type lines struct {
	any       bool
	unread    bool  // a line after the last one has no known time
	last      int64 // the instant of the line before, in milliseconds
	forward   bool  // a time was later than the one before it
	backward  bool  // a time was earlier
	repeating bool  // a time was equal
	steps     [16]int64
	count     int // of steps
}

// add takes the time of one more line.
func (l *lines) add(instant int64) {
	step, isNext := instant-l.last, l.any && !l.unread
	if l.any {
		l.forward = l.forward || step > 0
		l.backward = l.backward || step < 0
		l.repeating = l.repeating || step == 0
	}
	if isNext && step != 0 {
		l.addStep(step)
	}
	l.last, l.any, l.unread = instant, true, false
}

func (l *lines) addStep(step int64) {
	l.steps[l.count%len(l.steps)] = max(step, -step)
	l.count++
}

// skip takes a line whose time is not known.
func (l *lines) skip() { l.unread = true }

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
	for _, factor := range []int64{1, 2} {
		near := slices.DeleteFunc(slices.Clone(inOrder), func(at int64) bool { return !l.isUsual(at-l.last, factor) })
		if len(near) > 0 {
			return near[0], len(near) == 1
		}
	}
	return 0, false
}

// isUsual reports whether a step is no longer than the recent ones times a factor.
func (l *lines) isUsual(step, factor int64) bool {
	if step == 0 {
		return l.repeating
	}
	return max(step, -step) <= factor*slices.Max(l.steps[:])
}

// learner learns from samples which way the times of a file go, and how long its steps are.
type learner struct {
	lines        *lines
	zone         zone
	repeated     bool    // the last sample came twice
	lastRepeated int64   // its local time, in milliseconds
	steps        []int64 // between samples that came twice
}

// add takes one more sample.
func (l *learner) add(c *civil) {
	at, ok := c.local()-int64(c.offset), c.zoned
	if !ok {
		at, ok = l.zone.only(c.local())
	}
	if ok {
		l.repeated = false
		l.lines.add(at*1000 + int64(c.milli))
		return
	}
	local, before := c.local()*1000+int64(c.milli), l.repeated
	l.skip()
	if len(l.zone.all(c.local())) < 2 {
		return
	}
	if before {
		l.steps = append(l.steps, local-l.lastRepeated)
	}
	l.repeated, l.lastRepeated = true, local
}

// skip takes a sample whose time is not known.
func (l *learner) skip() {
	l.repeated = false
	l.lines.skip()
}

// finish takes the steps within repeated hours for steps of the file, if they go its way. Some are
// an hour longer, and the file is then decided less often.
func (l *learner) finish() {
	for _, step := range l.steps {
		if l.lines.forward != l.lines.backward && step != 0 && (step > 0) == l.lines.forward {
			l.lines.addStep(step)
		}
	}
}
