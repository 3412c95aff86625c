// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/proof/testenv"
)

func mustFollow(t *testing.T, dir, pattern string) *Follower {
	t.Helper()
	f, err := Follow(dir, daybook.Pattern{Text: pattern}, daybook.Cursor{})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func read(t *testing.T, f *Follower) (events []daybook.Event) {
	t.Helper()
	events, err := readEvents(f)
	if err != nil {
		t.Fatal(err)
	}
	return events
}

// readEvents returns all events of a Follower, and the error that ended them.
func readEvents(f *Follower) (events []daybook.Event, err error) {
	for event, err := range f.Read(ctx) {
		if err != nil {
			return events, err
		}
		events = append(events, event)
	}
	return events, nil
}

// TestFollow reads the log of an open store through segments, checkpoints, a restart and a kill,
// and wants every value once.
func TestFollow(t *testing.T) {
	dir := t.TempDir()
	f := mustFollow(t, dir, "r*")
	if got := read(t, f); got != nil {
		t.Errorf("before there is a log: %v", got)
	}
	opts := &Options{Durability: DurabilityOS, Tuning: Tuning{HeadSize: 256 << 10}}
	next, stored := uint64(1), 0
	follow := func() {
		t.Helper()
		for _, event := range read(t, f) {
			if event.Cursor.Sequence != 2*next || event.Missed != 0 ||
				!strings.HasPrefix(string(event.Value), fmt.Sprintf(`"%d `, next)) {
				t.Fatalf("got %d, %.20s, missed %d; want %d", event.Cursor.Sequence, event.Value, event.Missed, next)
			}
			next++
		}
		if next != uint64(stored)+1 {
			t.Fatalf("the last value was %d; want %d", next-1, stored)
		}
	}
	for range 3 {
		db := mustOpen(t, dir, opts)
		for i := range 2000 {
			stored++
			err := db.StoreBatch(ctx, []daybook.StoredValue{
				{RecordName: "other", Value: json.RawMessage("1"), StoredAt: 1},
				{RecordName: fmt.Sprintf("r%d", i%10),
					Value: json.RawMessage(fmt.Sprintf(`"%d %s"`, stored, digits(300))), StoredAt: uint64(i)},
			})
			if err != nil {
				t.Fatal(err)
			}
			if i%50 == 0 {
				follow()
			}
		}
		follow()
		if stored == 4000 {
			if err := db.abandon(); err != nil {
				t.Fatal(err)
			}
		}
		mustClose(t, db)
		if got := read(t, f); got != nil {
			t.Errorf("after it was closed: %v", got)
		}
	}
}

// TestFollowSlowly stores more than the log keeps. The follower must report the exact number of
// values that it missed.
func TestFollowSlowly(t *testing.T) {
	dir := testenv.TempDir(t)
	db := mustOpen(t, dir, &Options{Durability: DurabilityOS, Tuning: Tuning{HeadSize: MinHeadSize}})
	f := mustFollow(t, dir, "*")
	mustStore(t, db, "r", "0", 0)
	got := uint64(len(read(t, f)))
	const stored = 40
	for i := range uint64(stored) {
		mustStore(t, db, "r", `"`+digits(300<<10)+`"`, i)
	}
	missed := uint64(0)
	for _, event := range read(t, f) {
		got, missed = got+1, missed+event.Missed
	}
	if got+missed != stored+1 || missed == 0 {
		t.Errorf("read %d and missed %d; want %d in all, and some missed", got, missed, stored+1)
	}
}

// TestFollowAfter begins after a value, misses values of which the log is gone, and then reads a
// segment that has a header and no frame.
func TestFollowAfter(t *testing.T) {
	dir := t.TempDir()
	var second daybook.Cursor
	store := func(values ...uint64) {
		t.Helper()
		db := mustOpen(t, dir, nil)
		second = db.cursorAt(2)
		for _, v := range values {
			mustStore(t, db, "r", fmt.Sprint(v), v)
		}
		mustClose(t, db)
	}
	store(1, 2, 3)
	f, err := Follow(dir, daybook.Pattern{}, second)
	if err != nil {
		t.Fatal(err)
	}
	store(4, 5)
	db := mustOpen(t, dir, nil)
	mustStore(t, db, "r", "6", 6)
	path := segment(t, dir)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	write(t, path, string(whole[:104])+strings.Repeat("\x00", len(whole)-104))
	if got := read(t, f); got != nil {
		t.Errorf("before the frame: %v", got)
	}
	write(t, path, string(whole))
	got := read(t, f)
	if len(got) != 1 || got[0].Cursor.Sequence != 6 || got[0].Missed != 3 {
		t.Errorf("got %v; want value 6, and 3 missed", got)
	}
	f.Skip(db.cursorAt(8))
	for v := uint64(7); v < 10; v++ {
		mustStore(t, db, "r", fmt.Sprint(v), v)
	}
	if got := read(t, f); len(got) != 1 || got[0].Cursor.Sequence != 9 || got[0].Missed != 0 {
		t.Errorf("got %v; want value 9 alone", got)
	}
	mustClose(t, db)
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	db = mustOpen(t, dir, nil)
	mustStore(t, db, "r", "1", 1)
	if got := read(t, f); len(got) != 1 || got[0].Cursor.Sequence != 1 || got[0].Missed != 0 ||
		!f.Replaced() || f.Replaced() {
		t.Errorf("made anew: got %v; want value 1, and that it was replaced", got)
	}
}

// TestFollowWithADeadline reads with contexts that end in the body of the loop, and between two
// frames. Each value is read once, or counted as missed.
func TestFollowWithADeadline(t *testing.T) {
	dir := t.TempDir()
	db := mustOpen(t, dir, &Options{Durability: DurabilityOS})
	f := mustFollow(t, dir, "even")
	const stored = 90
	next := uint64(0)
	for i := range uint64(stored) {
		mustStore(t, db, []string{"even", "odd"}[i%2], fmt.Sprint(i), i)
		reading, cancel := context.WithCancel(ctx)
		if i%3 == 0 {
			cancel()
		}
		for event, err := range f.Read(reading) {
			if err != nil {
				continue
			}
			if event.StoredAt != next || event.Missed > 0 {
				t.Fatalf("read %d with %d missed; want %d", event.StoredAt, event.Missed, next)
			}
			next += 2
			cancel()
		}
		cancel()
	}
	if rest := read(t, f); next+2*uint64(len(rest)) != stored {
		t.Errorf("read up to %d, and %d more; want all of %d", next, len(rest), stored/2)
	}
}

func TestFollowErrors(t *testing.T) {
	_, err := Follow(t.TempDir(), daybook.Pattern{Text: `a\`}, daybook.Cursor{})
	if !errors.Is(err, daybook.ErrInvalidPattern) {
		t.Errorf("a malformed pattern: got %v", err)
	}
	_, err = Follow(t.TempDir(), daybook.Pattern{Syntax: 7}, daybook.Cursor{})
	if !errors.Is(err, daybook.ErrInvalidParams) {
		t.Errorf("an unknown syntax: got %v", err)
	}
	dir := t.TempDir()
	db := mustOpen(t, dir, nil)
	for i := range uint64(3) {
		mustStore(t, db, "r", fmt.Sprint(i), i)
	}
	f := mustFollow(t, dir, "*")
	cancelled, cancel := context.WithCancel(ctx)
	cancel()
	for event, err := range f.Read(cancelled) {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("cancelled: got %v, %v", event, err)
		}
	}
	seen := 0
	for _, err := range f.Read(ctx) {
		if seen++; err != nil {
			t.Error(err)
		}
		break
	}
	if seen != 1 {
		t.Errorf("stopped after the first: read %d", seen)
	}
	if got := read(t, f); len(got) != 2 {
		t.Errorf("after that: %v; want the other two", got)
	}
	if f := mustFollow(t, filepath.Join(dir, "nothing"), "*"); read(t, f) != nil {
		t.Error("there are values where there is no directory")
	}
}

// TestSegmentNumbersAreNotUsedAgain kills a store, opens it so that all values are posted while the
// log is replayed, and closes it, which empties the log. A follower that had read the log would
// take a segment that got the number of an earlier one for that one.
func TestSegmentNumbersAreNotUsedAgain(t *testing.T) {
	dir := t.TempDir()
	opts := &Options{Durability: DurabilityOS, Logger: discard, Tuning: Tuning{HeadSize: MinHeadSize}}
	greatest, last := uint64(0), uint64(0)
	for round := range 3 {
		db := mustOpen(t, dir, &Options{Durability: DurabilityOS, Logger: discard})
		value := json.RawMessage(`"` + digits(2*MinHeadSize) + `"`) // fills a head
		if err := db.Store(ctx, "r", value, 1); err != nil {
			t.Fatal(err)
		}
		if used := db.log.LastUsed(); used <= greatest {
			t.Errorf("round %d: the log is at segment %d; it was at %d before", round, used, greatest)
		}
		greatest = max(greatest, db.log.LastUsed())
		if err := db.abandon(); err != nil {
			t.Fatal(err)
		}
		db = mustOpen(t, dir, opts)
		if last++; db.heads.last() != last || !db.heads.activeEmpty() {
			t.Fatalf("round %d: the values up to %d were recovered, and not all were posted", round, db.heads.last())
		}
		mustClose(t, db)
	}
}
