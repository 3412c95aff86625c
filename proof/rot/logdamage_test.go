// SPDX-License-Identifier: Apache-2.0

package rot

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

// addLogCases adds the cases that damage a victim's log.
func addLogCases(t *testing.T, v *victim, s *sampler) {
	t.Helper()
	state := newLogState(readLog(t, v.store()), v.model.Watermark)
	if state.lastUsed < 0 {
		t.Fatalf("victim %s: no segment has a frame", v.name)
	}
	for i, segment := range state.segments {
		d := &logDamager{state: state, index: i, damager: damager{
			sampler: s, data: segment.data, like: damageCase{Victim: v.name, File: segment.file},
		}}
		d.damageSegment(segment)
	}
}

// logDamager makes the cases of one segment.
type logDamager struct {
	damager
	state *logState
	index int // of the segment
}

// role describes the segment's role in the log.
func (d *logDamager) role() string {
	switch {
	case d.index > d.state.lastUsed:
		return "prepared segment"
	case d.index == d.state.lastUsed:
		return "last segment"
	case d.state.needed(d.index):
		return "sealed segment"
	}
	return "released segment"
}

// spotAt returns the spot between two offsets, with the expectation of damage there.
func (d *logDamager) spotAt(kind string, from, to int64) *spot {
	s := &spot{
		kind: d.role() + ": " + kind, where: fmt.Sprintf("segment %d", d.state.segments[d.index].number),
		offset: from, size: int(to - from),
	}
	s.expect, d.like.Keep = d.state.expect(d.index, from, to)
	return s
}

func (d *logDamager) damageSegment(s *logSegment) {
	size := int64(len(d.data))
	at := int64(0)
	for _, field := range []struct {
		name string
		size int64
	}{
		{"magic", 8}, {"version", 4}, {"zero", 4}, {"number", 8}, {"first sequence", 8}, {"size", 8}, {"checksum", 4},
	} {
		d.damageSpot(d.spotAt("header: "+field.name, at, at+field.size))
		at += field.size
	}
	for k, f := range s.frames {
		d.damageFrame(s, k, f)
	}
	d.damageUnused(s.end(), size)
	for at := int64(0); at < size; at += sectorSize {
		s := d.spotAt("sector", at, min(at+sectorSize, size))
		d.zero(s.kind+" of zeros", s.where, s, at, sectorSize)
	}
	all := d.spotAt("file", 0, size)
	d.zero(all.kind+" of zeros", all.where, all, 0, size)
	for _, at := range []int64{0, 1, 20, segmentHeaderLen - 1, segmentHeaderLen, size / 2, size - 1} {
		d.cutSegment(at)
	}
}

// damageFrame damages each field of a frame, its payload and the whole frame. It also cuts the file
// off before and within the frame.
func (d *logDamager) damageFrame(s *logSegment, k int, f logFrame) {
	kind := "frame"
	switch {
	case f.seal:
		kind = "seal"
	case k == len(s.frames)-1:
		kind = "last frame"
	}
	at := f.offset
	for _, name := range []string{"length", "values", "durable", "header checksum", "checksum"} {
		d.damageSpot(d.spotAt(kind+": "+name, at, at+4))
		at += 4
	}
	d.flipSome(d.spotAt(kind+": payload", at, f.end))
	all := d.spotAt(kind, f.offset, f.end)
	d.zero(all.kind+" of zeros", all.where, all, f.offset, f.end-f.offset)
	d.cutSegment(f.offset)
	d.cutSegment(f.offset + 7)
	d.cutSegment((f.offset + f.end) / 2)
}

// flipSome flips a bit in some bytes of a long spot. A payload or the end of a segment has too many
// bytes to make a case of each.
func (d *logDamager) flipSome(s *spot) {
	random := rand.New(rand.NewPCG(d.seed, uint64(s.offset)))
	for range min(s.size, 24) {
		one := *s
		one.offset, one.size = s.offset+int64(random.IntN(s.size)), 1
		d.flipInEachByte(&one)
	}
}

// damageUnused damages the bytes after the last frame. They are zeros, or in a recycled segment the
// bytes of its former frames.
func (d *logDamager) damageUnused(from, to int64) {
	if from >= to {
		return
	}
	kind := "zeros after the end"
	if len(strings.Trim(string(d.data[from:to]), "\x00")) > 0 {
		kind = "old frames after the end"
	}
	d.flipSome(d.spotAt(kind, from, min(from+100, to)))
	d.flipSome(d.spotAt(kind, from, to))
}

func (d *logDamager) cutSegment(at int64) {
	size := int64(len(d.data))
	if at < 0 || at >= size {
		return
	}
	s := d.spotAt("cut off", at, size)
	switch {
	case d.index > d.state.lastUsed:
		s.expect = mayFind // no value is lost with a prepared segment
	case s.expect == harmless || s.expect == tornTail:
		s.expect = mustFind // the segment's header has its length
	}
	d.like.Keep = 0
	d.cut(s.where, at, s)
}
