// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/engine/internal/tree"
	"github.com/daybook-db/daybook/index"
)

// hold is a hold as the turn has it. The tree has it as a note, which is the JSON of savedHold.
type hold struct {
	daybook.Hold
	pattern *index.Pattern
	lost    uint64
	damaged bool         // values were destroyed that lost does not count
	samples []holdSample // oldest first; only with MaxAge
	looked  holdLook     // when sample was called, to a lookInterval
	unsaved bool         // samples or looked has changed after the note was written
}

// holdSample says that all values up to a sequence number were stored before a time. Timestamps are
// the callers', and do not tell when a value was stored.
type holdSample struct {
	Time     int64  `json:"time"` // Unix ms
	Sequence uint64 `json:"sequence"`
}

// samplesPerAge is the number of samples per MaxAge, so a hold may spare a value for that part of
// MaxAge longer.
const samplesPerAge = 16

// savedHold is the note of a hold.
type savedHold struct {
	Pattern  string         `json:"pattern"`
	Syntax   int            `json:"syntax"`
	At       daybook.Cursor `json:"at"`
	MaxBytes uint64         `json:"max_bytes,omitempty"`
	MaxAge   time.Duration  `json:"max_age,omitempty"`
	Lost     uint64         `json:"lost,omitempty"`
	Damaged  bool           `json:"damaged,omitempty"`
	Samples  []holdSample   `json:"samples,omitempty"`
	Looked   holdLook       `json:"looked,omitzero"`
}

const holdNotes = "hold." // followed by the name of the hold

func holdNote(name string) string { return holdNotes + name }

func newHold(h daybook.Hold) (*hold, error) {
	pattern, err := compileOrAll(h.Pattern)
	return &hold{Hold: h, pattern: pattern}, err
}

// encode returns the note of the hold.
func (h *hold) encode() []byte {
	note, err := json.Marshal(savedHold{
		h.Pattern.Text, int(h.Pattern.Syntax), h.At, h.MaxBytes, h.MaxAge, h.lost, h.damaged, h.samples,
		h.looked,
	})
	if err != nil {
		panic(err) // all fields can be encoded
	}
	return note
}

// holdsIn returns the holds in the notes of a tree, by name.
func holdsIn(notes tree.Notes) (holds []*hold, err error) {
	for _, key := range slices.Sorted(maps.Keys(notes)) {
		name, isHold := strings.CutPrefix(key, holdNotes)
		if !isHold {
			continue
		}
		var saved savedHold
		if err := json.Unmarshal(notes[key], &saved); err != nil {
			return nil, fmt.Errorf("%w: the note of hold %q: %w", daybook.ErrCorrupt, name, err)
		}
		h, err := newHold(daybook.Hold{
			Name:    name,
			Pattern: daybook.Pattern{Text: saved.Pattern, Syntax: daybook.PatternSyntax(saved.Syntax)},
			At:      saved.At, MaxBytes: saved.MaxBytes, MaxAge: saved.MaxAge,
		})
		if err != nil {
			return nil, fmt.Errorf("%w: the note of hold %q: %w", daybook.ErrCorrupt, name, err)
		}
		h.lost, h.damaged, h.samples, h.looked = saved.Lost, saved.Damaged, saved.Samples, saved.Looked
		holds = append(holds, h)
	}
	return holds, nil
}

// sample adds a sample, unless the last one is new enough. It forgets samples that make no
// difference any more. A sample from the future of a clock that has been set back counts as made
// now: its values were stored before now.
func (h *hold) sample(now time.Time, last uint64) {
	if h.MaxAge == 0 {
		return
	}
	if now.Sub(time.UnixMilli(h.looked.Clock)) >= lookInterval {
		h.looked, h.unsaved = holdLook{now.UnixMilli(), time.Now().UnixMilli()}, true
	}
	h.samples = slices.Clone(h.samples) // a changed copy of the hold may share them
	nowMs := now.UnixMilli()
	for i := range h.samples {
		h.samples[i].Time = min(h.samples[i].Time, nowMs)
	}
	n := len(h.samples)
	if n > 0 && h.samples[n-1].Sequence >= last { // it is known when they were stored
		return
	}
	if n > 0 && nowMs-h.samples[n-1].Time < (h.MaxAge/samplesPerAge).Milliseconds() {
		return
	}
	for len(h.samples) > 1 && h.isPast(h.samples[1], nowMs) {
		h.samples = h.samples[1:]
	}
	h.samples = append(h.samples, holdSample{nowMs, last})
	h.unsaved = true
}

// isPast reports whether the values of a sample are older than MaxAge.
func (h *hold) isPast(s holdSample, nowMs int64) bool {
	return time.Duration(nowMs-s.Time)*time.Millisecond > h.MaxAge
}

// olderThanMaxAge returns a sequence number up to which all values were stored more than MaxAge
// before now.
func (h *hold) olderThanMaxAge(now time.Time) (sequence uint64) {
	if h.MaxAge == 0 {
		return 0
	}
	for _, s := range h.samples {
		if h.isPast(s, now.UnixMilli()) {
			sequence = max(sequence, s.Sequence)
		}
	}
	return sequence
}
