// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"encoding/json"
	"errors"
	"strings"
	"syscall"
	"testing"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/codec"
	"github.com/daybook-db/daybook/engine/internal/disk/faultfs"
	"github.com/daybook-db/daybook/engine/internal/identity"
	"github.com/daybook-db/daybook/engine/internal/tree"
	"github.com/daybook-db/daybook/proof/testenv"
)

// TestReceiveReportsFailures fails the sync of a batch of another store. A sender that was told nil
// would never send the batch again.
func TestReceiveReportsFailures(t *testing.T) {
	for _, durability := range []Durability{DurabilityAlways, DurabilityOS} {
		t.Run(durability.String(), func(t *testing.T) {
			db, fsys := openFaulty(t, testenv.TempDir(t), Options{Durability: durability})
			s := newSender("s", 4)
			if err := s.send(db); err != nil {
				t.Fatal(err)
			}
			next := s.batches[3]
			next.From, next.Previous = next.Through, next.Digest
			next.Through += 10
			next.Values = []daybook.StoredValue{{RecordName: "r", Value: json.RawMessage("1"), StoredAt: 1}}
			next.Digest = daybook.DigestOf(&next)
			fsys.SetHook(failing(faultfs.Sync, ".log"))
			at, err := db.StoreBatchFrom(ctx, next)
			if !errors.Is(err, syscall.EIO) || at.Through != next.From {
				t.Errorf("over a failing sync: got position %d, %v; want %d and EIO", at.Through, err, next.From)
			}
			fsys.SetHook(nil) // the disk says that it is well again, but what it lost is lost
			again := []daybook.Batch{next}
			if durability == DurabilityAlways { // otherwise the position has moved, and is not durable
				empty := next
				empty.Values = nil
				empty.Digest = daybook.DigestOf(&empty)
				again = append(again, empty)
			}
			for _, b := range again {
				if at, err = db.StoreBatchFrom(ctx, b); !errors.Is(err, daybook.ErrFailed) {
					t.Errorf("%d values after the log has failed: got position %d, %v; want ErrFailed",
						len(b.Values), at.Through, err)
				}
			}
		})
	}
}

// TestNotesThatCannotBeWritten makes the step before a write to the tree fail. Calls that write
// notes must say so, and change nothing.
func TestNotesThatCannotBeWritten(t *testing.T) {
	db, fsys := openFaulty(t, testenv.TempDir(t), Options{})
	mustStore(t, db, "r", "1", 1)
	mustStore(t, db, "r", "2", 2)
	mustSetHold(t, db, daybook.Hold{Name: "h", MaxBytes: 100})
	s := newSender("s", 1) // its batch has no values
	calls := []struct {
		name string
		call func() error
	}{
		{"SetHold of a new one", func() error { return db.SetHold(ctx, daybook.Hold{Name: "new", MaxBytes: 100}) }},
		{"SetHold", func() error { return db.SetHold(ctx, daybook.Hold{Name: "h", MaxBytes: 200}) }},
		{"AdvanceHold", func() error { return db.AdvanceHold(ctx, "h", db.cursorAt(1)) }},
		{"a batch without values", func() error { return s.send(db) }},
		{"ReleaseHold", func() error { return db.ReleaseHold(ctx, "h") }},
	}
	fsys.SetHook(failing(faultfs.Create, syncName))
	before := mustHold(t, db, "h")
	for _, c := range calls {
		taken := mustTakeTurn(t, db)
		taken.renameUnsynced = true // as after a compaction on a disk that fails
		taken.end()
		if err := c.call(); !errors.Is(err, syscall.EIO) {
			t.Errorf("%s: got %v; want EIO", c.name, err)
		}
		infos, err := db.Holds(ctx)
		if err != nil || len(infos) != 1 || infos[0] != before {
			t.Errorf("after %s: the holds are %+v, %v; want %+v alone", c.name, infos, err, before)
		}
		taken = mustTakeTurn(t, db)
		if len(taken.holds) != 1 || taken.holds[0].Hold != before.Hold {
			t.Errorf("after %s: the turn has the holds %+v", c.name, taken.holds)
		}
		taken.end()
		if at, err := db.Position(ctx, s.batches[0].Store, s.batches[0].Epoch, "s"); at.Through != 0 || err != nil {
			t.Errorf("after %s: the position is %d, %v; want 0", c.name, at.Through, err)
		}
	}
	fsys.SetHook(nil)
	for _, c := range calls {
		if err := c.call(); err != nil {
			t.Errorf("%s, once the disk is well: %v", c.name, err)
		}
	}
}

// TestDamagedNotes reads notes of holds that no program of this version writes.
func TestDamagedNotes(t *testing.T) {
	for name, note := range map[string]string{
		"no JSON":          `{"pattern":`,
		"a broken pattern": `{"pattern":"a\\"}`,
		"a strange syntax": `{"pattern":"","syntax":99}`,
	} {
		holds, err := holdsIn(tree.Notes{holdNote("h"): []byte(note)})
		if !errors.Is(err, daybook.ErrCorrupt) || !strings.Contains(err.Error(), `"h"`) || holds != nil {
			t.Errorf("%s: got %+v, %v; want ErrCorrupt, which names the hold", name, holds, err)
		}
	}
}

// TestDamagedFacts damages what stands before the values of a backup that had not posted its heads.
func TestDamagedFacts(t *testing.T) {
	db := mustOpen(t, testenv.TempDir(t), nil)
	chunk := func(fact []byte) unposted {
		return append([]byte{0, 0, 0, 0, byte(len(fact)), byte(len(fact) >> 8), 0, 0}, fact...)
	}
	known := chunk(db.identity.get().Append(nil))
	if got, notes, err := known.facts(); !got.Equal(db.identity.get()) || len(notes) != 0 || err != nil {
		t.Fatalf("the identity alone: got %v, %v, %v", got, notes, err)
	}
	for name, u := range map[string]unposted{
		"the identity": chunk([]byte("no identity")),
		"a position":   append(known, chunk([]byte("no position"))...),
	} {
		_, notes, err := u.facts()
		if !errors.Is(err, daybook.ErrCorrupt) || notes != nil {
			t.Errorf("%s is damaged: got %v, %v; want ErrCorrupt", name, notes, err)
		}
	}
}

// TestDamagedPosition opens a tree with a note of a position that no program writes.
func TestDamagedPosition(t *testing.T) {
	dir := testenv.TempDir(t)
	db := mustOpen(t, dir, nil)
	if err := db.withTurn(ctx, func(t *turn) error {
		return t.putNotes(tree.Notes{positionNotes + "s": []byte("short")})
	}); err != nil {
		t.Fatal(err)
	}
	mustClose(t, db)
	if _, err := Open(dir, nil); !errors.Is(err, daybook.ErrCorrupt) {
		t.Errorf("got %v; want ErrCorrupt", err)
	}
}

// TestFactsCannotBeWritten fails the writer of a backup before the values that follow the tree.
func TestFactsCannotBeWritten(t *testing.T) {
	u := unpostedWriter{w: failingWriter{}, identity: identity.New(), coder: codec.NewCoder()}
	entries := []codec.Entry{{Timestamp: 1, Sequence: 1, Value: []byte("1")}}
	if err := u.writeFacts(); !errors.Is(err, syscall.EIO) {
		t.Errorf("writeFacts: got %v; want EIO", err)
	}
	u.written = 0
	if err := u.writeChunk(codec.Key{Record: "r", Timestamp: 1}, entries); !errors.Is(err, syscall.EIO) {
		t.Errorf("writeChunk: got %v; want EIO", err)
	}
}

type failingWriter struct{}

func (failingWriter) Write([]byte) (int, error) { return 0, syscall.EIO }
