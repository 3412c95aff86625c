// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/codec"
	"github.com/daybook-db/daybook/engine/internal/tree"
)

// maxHeldPart: all holds together may spare less than one part in maxHeldPart of Options.MaxSize.
const maxHeldPart = 2

// SetHold makes a hold, or changes the one with this name. With Options.MaxSize a hold needs
// MaxBytes, and the MaxBytes of all holds together must be less than half of MaxSize. Otherwise
// held values could fill the directory, and WhenFullDropOldest could drop nothing. Holds that were
// set without MaxSize, or with a greater one, are bounded to equal parts of that half.
//
// MaxAge counts from the time when the value was stored, or from SetHold if that was later. A value
// may be spared for a sixteenth of MaxAge longer. For values that only the log had when a process
// died, it counts from the next Open. It counts the uptime of the process, whatever the wall clock
// is set to, and between two processes the time that the wall clock says has passed.
//
// Errors: daybook.ErrInvalidParams, ErrInvalidPattern, a *daybook.ForkedError, ErrReadOnly,
// ErrClosed, ErrNoSpace, ErrFailed, or ctx's.
func (db *DB) SetHold(ctx context.Context, h daybook.Hold) error {
	if err := db.enterWriting(ctx); err != nil {
		return err
	}
	defer db.gate.leave()
	if err := h.Validate(); err != nil {
		return err
	}
	set, err := newHold(h)
	if err != nil {
		return err
	}
	return db.changeHolds(ctx, func(t *turn) error {
		if err := errors.Join(second(db.resolve(h.At)), t.checkHeldPart(h)); err != nil {
			return err
		}
		if old := t.hold(h.Name); old != nil && old.Pattern == h.Pattern {
			set.lost, set.damaged, set.samples = old.lost, old.damaged, old.samples
			if db.placeOf(old.At) > db.placeOf(h.At) {
				set.At = old.At
			}
		}
		return t.putHold(set)
	})
}

// AdvanceHold tells a hold that its consumer has taken all values up to a place. It is durable when
// it returns nil. It works on a full disk. It is a commit of the tree, which writes about 20 KiB.
// Errors: daybook.ErrNoHold, a *daybook.ForkedError, ErrReadOnly, ErrClosed, ErrNoSpace, ErrFailed,
// or ctx's.
func (db *DB) AdvanceHold(ctx context.Context, name string, at daybook.Cursor) error {
	if err := db.enterWriting(ctx); err != nil {
		return err
	}
	defer db.gate.leave()
	return db.changeHolds(ctx, func(t *turn) error {
		old := t.hold(name)
		if old == nil {
			return fmt.Errorf("%w: SetHold makes one", errNoHold(name))
		}
		place, err := db.resolve(at)
		if err != nil || place <= db.placeOf(old.At) {
			return err
		}
		advanced := *old
		advanced.At = at
		return t.putHold(&advanced)
	})
}

// ReleaseHold removes a hold.
// Errors: daybook.ErrNoHold, ErrReadOnly, ErrClosed, ErrNoSpace, ErrFailed, or ctx's.
func (db *DB) ReleaseHold(ctx context.Context, name string) error {
	if err := db.enterWriting(ctx); err != nil {
		return err
	}
	defer db.gate.leave()
	return db.changeHolds(ctx, func(t *turn) error {
		at := t.indexOfHold(name)
		if at < 0 {
			return errNoHold(name)
		}
		err := t.putNotes(tree.Notes{holdNote(name): nil})
		if err == nil {
			t.holds = slices.Delete(t.holds, at, at+1)
			t.holdsChanged()
		}
		return err
	})
}

// Holds returns all holds, by name, as they are in one consistent snapshot. It reads the headers of
// the chunks of the records that the holds match.
// Errors: daybook.ErrCorrupt, ErrClosed, or ctx's.
func (db *DB) Holds(ctx context.Context) (infos []daybook.HoldInfo, err error) {
	if err := db.enter(ctx); err != nil {
		return nil, err
	}
	defer db.gate.leave()
	s, err := db.snapshot(allRecords)
	if err != nil {
		return nil, err
	}
	defer s.close()
	notes, err := s.tree.Notes()
	if err != nil {
		return nil, err
	}
	holds, err := holdsIn(notes)
	for _, h := range holds {
		info := daybook.HoldInfo{Hold: h.Hold, Lost: h.lost, Damaged: h.damaged}
		from, boundErr := s.heldAfter(ctx, h, s.db.maxBytesOf(h, holds))
		if boundErr != nil {
			return nil, boundErr
		}
		info.Values, info.Bytes, err = s.tree.StoredAfter(ctx, h.pattern, from, s.entriesOf(ctx, h.pattern))
		if err != nil {
			return nil, err
		}
		infos = append(infos, info)
	}
	return infos, err
}

// changeHolds calls do with the turn, unless the tree has failed: it may show holds then that the
// turn does not have, because the write that made them returned an error.
func (db *DB) changeHolds(ctx context.Context, do func(*turn) error) error {
	return db.withTurn(ctx, func(t *turn) error {
		if err := t.tree().Failure(); err != nil {
			return err
		}
		return do(t)
	})
}

func errNoHold(name string) error {
	return fmt.Errorf("%w: %q", daybook.ErrNoHold, name)
}

func second[T any](_ T, err error) error { return err }

// hold returns the hold with a name; nil if there is none.
func (t *turn) hold(name string) *hold {
	if at := t.indexOfHold(name); at >= 0 {
		return t.holds[at]
	}
	return nil
}

func (t *turn) indexOfHold(name string) int {
	return slices.IndexFunc(t.holds, func(h *hold) bool { return h.Name == name })
}

// putHold makes a hold durable, and puts it in the place of the one with its name.
func (t *turn) putHold(h *hold) error {
	h.sample(t.db.holdClock.now(), t.db.heads.last())
	if err := t.putNotes(tree.Notes{holdNote(h.Name): h.encode()}); err != nil {
		return err
	}
	defer t.holdsChanged()
	if at := t.indexOfHold(h.Name); at >= 0 {
		t.holds[at] = h
		return nil
	}
	t.holds = append(t.holds, h)
	slices.SortFunc(t.holds, func(a, b *hold) int { return cmp.Compare(a.Name, b.Name) })
	return nil
}

// checkHeldPart returns an error if a hold would make all holds together spare too much of MaxSize.
func (t *turn) checkHeldPart(h daybook.Hold) error {
	maxSize := t.db.opts.MaxSize
	if maxSize == 0 {
		return nil
	}
	all := h.MaxBytes
	for _, other := range t.holds {
		if other.Name != h.Name {
			all += other.MaxBytes
		}
	}
	if h.MaxBytes == 0 || all < h.MaxBytes || all >= uint64(maxSize/maxHeldPart) {
		return fmt.Errorf("%w: hold %q: got MaxBytes %d, of all holds together %d; with this Options.MaxSize want "+
			"1 or more, and less than %d together", daybook.ErrInvalidParams, h.Name, h.MaxBytes, all,
			maxSize/maxHeldPart)
	}
	return nil
}

// putNotes writes notes durably, on a full disk with the space of the reserve.
func (t *turn) putNotes(notes tree.Notes) error {
	if err := t.prepareToWrite(); err != nil {
		return err
	}
	put := func() error { return t.tree().PutNotes(notes) }
	err := put()
	if errors.Is(err, daybook.ErrNoSpace) && t.freeSpace() {
		err = put()
		t.takeReserve()
	}
	err = t.retrySalvaged(context.Background(), err, put)
	if measured := t.measure(); err == nil {
		err = measured
	}
	return err
}

// placeOf returns the sequence number up to which a consumer with a cursor has the values of
// today's history.
func (db *DB) placeOf(at daybook.Cursor) uint64 {
	place, err := db.resolve(at)
	var forked *daybook.ForkedError
	if errors.As(err, &forked) {
		return forked.Common.Sequence
	}
	return place
}

// maxBytesOf returns the bound in bytes of one of all holds. Holds that were set without MaxSize,
// or with a greater one, may spare too much together: then each gets an equal part at most.
func (db *DB) maxBytesOf(h *hold, all []*hold) uint64 {
	if db.opts.MaxSize == 0 {
		return h.MaxBytes
	}
	limit := uint64(db.opts.MaxSize / maxHeldPart)
	sum, isBounded := uint64(0), true
	for _, other := range all {
		sum += min(other.MaxBytes, limit)
		isBounded = isBounded && other.MaxBytes > 0
	}
	part := max(limit/uint64(len(all)), 1)
	switch {
	case isBounded && sum < limit:
		return h.MaxBytes
	case h.MaxBytes == 0:
		return part
	}
	return min(h.MaxBytes, part)
}

// heldAfter returns the sequence number after which a hold spares the values of its records.
// maxBytes is its bound in bytes; 0: none.
func (s *snapshot) heldAfter(ctx context.Context, h *hold, maxBytes uint64) (uint64, error) {
	after := max(s.db.placeOf(h.At), h.olderThanMaxAge(s.db.holdClock.now()))
	if maxBytes == 0 {
		return after, nil
	}
	return s.tree.LastStored(ctx, h.pattern, after, maxBytes, s.entriesOf(ctx, h.pattern))
}

// boundHolds returns what the holds spare from a deletion that begins now. Later values are spared,
// too.
func (t *turn) boundHolds(ctx context.Context) (tree.Holds, error) {
	if len(t.holds) == 0 {
		return nil, nil
	}
	t.sampleHolds()
	s, err := t.db.snapshot(allRecords)
	if err != nil {
		return nil, err
	}
	defer s.close()
	bound := make(tree.Holds, len(t.holds))
	for i, h := range t.holds {
		from, err := s.heldAfter(ctx, h, t.db.maxBytesOf(h, t.holds))
		if err != nil {
			return nil, err
		}
		bound[i] = tree.Hold{Pattern: h.pattern, At: t.db.placeOf(h.At), From: from}
	}
	return bound, nil
}

// notesOfLost returns the notes of the holds after a deletion by which t.holds[i] loses lost[i]
// values.
func (t *turn) notesOfLost(lost []uint64) tree.Notes {
	notes := tree.Notes{}
	for i, h := range t.holds {
		after := *h
		after.lost += lost[i]
		notes[holdNote(h.Name)] = after.encode()
	}
	return notes
}

// addLost adds what a committed deletion has lost.
func (t *turn) addLost(lost []uint64) {
	for i, h := range t.holds {
		h.lost += lost[i]
	}
	t.holdsSaved()
	t.publishHolds()
}

// sampleHolds notes when the values up to the last one were stored, for the holds with a MaxAge.
func (t *turn) sampleHolds() {
	now, last, arrived := t.db.holdClock.now(), t.db.heads.last(), t.db.arrivals.take()
	for _, h := range t.holds {
		h.arrive(arrived, now)
		h.sample(now, last)
	}
}

// unsavedHolds returns the notes of the holds whose samples are not in the tree yet.
func (t *turn) unsavedHolds() tree.Notes {
	var notes tree.Notes
	for _, h := range t.holds {
		if h.unsaved {
			if notes == nil {
				notes = tree.Notes{}
			}
			notes[holdNote(h.Name)] = h.encode()
		}
	}
	return notes
}

// holdsSaved is called when the notes that unsavedHolds returned are in the tree.
func (t *turn) holdsSaved() {
	for _, h := range t.holds {
		h.unsaved = false
	}
}

// countDestroyed counts what the holds lose when a salvaged tree takes the place of the damaged
// one, and notes it in the salvaged tree.
func (t *turn) countDestroyed(ctx context.Context, salvaged *tree.Tree) error {
	if len(t.holds) == 0 {
		return nil
	}
	before, err := t.tree().Snapshot()
	if err != nil {
		return err
	}
	defer before.Close()
	after, err := salvaged.Snapshot()
	if err != nil {
		return err
	}
	defer after.Close()
	counted, notes := make([]*hold, len(t.holds)), tree.Notes{}
	for i, h := range t.holds {
		counted[i] = h.withoutDestroyed(ctx, t.db.placeOf(h.At), before, after)
		notes[holdNote(h.Name)] = counted[i].encode()
	}
	err = salvaged.PutNotes(notes)
	if err == nil {
		t.holds = counted
		t.publishHolds()
	}
	return err
}

// withoutDestroyed returns the hold after the loss of the values that only the tree before has.
// The header of a damaged chunk mostly tells how many values it has.
func (h *hold) withoutDestroyed(ctx context.Context, at uint64, before, after *tree.Snapshot) *hold {
	none := func(func(codec.Entry) bool) {}
	counted := *h
	was, _, damage := before.StoredAfter(ctx, h.pattern, at, none)
	is, _, err := after.StoredAfter(ctx, h.pattern, at, none)
	counted.lost += was - min(is, was)
	counted.damaged = h.damaged || damage != nil || err != nil
	return &counted
}

// markHoldsDamaged notes that each hold may have lost values that nothing can count.
func (t *turn) markHoldsDamaged() error {
	notes := tree.Notes{}
	for _, h := range t.holds {
		h.damaged = true
		notes[holdNote(h.Name)] = h.encode()
	}
	t.publishHolds()
	return t.tree().PutNotes(notes)
}

// holdsChanged is called when a hold was set, advanced or released.
func (t *turn) holdsChanged() {
	t.noteArrivals()
	t.publishHolds()
}
