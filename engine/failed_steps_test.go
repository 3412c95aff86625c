// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/codec"
	"github.com/daybook-db/daybook/engine/internal/disk"
	"github.com/daybook-db/daybook/engine/internal/disk/faultfs"
	"github.com/daybook-db/daybook/engine/internal/head"
	"github.com/daybook-db/daybook/engine/internal/identity"
	"github.com/daybook-db/daybook/engine/internal/tree"
	"github.com/daybook-db/daybook/engine/internal/wal"
	"github.com/daybook-db/daybook/proof/testenv"
)

// failing returns a hook that fails operations of a name on paths that end with suffix.
func failing(name, suffix string) func(faultfs.Op) error {
	return func(op faultfs.Op) error {
		if op.Name == name && strings.HasSuffix(op.Path, suffix) {
			return syscall.EIO
		}
		return nil
	}
}

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

// TestQuarantinedCannotBeListed fails the listing of a log in quarantine. A list without it would
// tell the caller that the disk has more room than it has.
func TestQuarantinedCannotBeListed(t *testing.T) {
	dir, files := quarantineLogAndTree(t)
	db, fsys := openFaulty(t, dir, Options{})
	fsys.SetHook(failing(faultfs.ReadDir, files[1].Name))
	if got, err := db.Quarantined(ctx); !errors.Is(err, syscall.EIO) {
		t.Errorf("Quarantined: got %+v, %v; want EIO", got, err)
	}
	for _, name := range []string{files[0].Name, files[1].Name} {
		if err := db.RemoveQuarantined(ctx, name); !errors.Is(err, syscall.EIO) {
			t.Errorf("RemoveQuarantined(%s): got %v; want EIO", name, err)
		}
	}
	fsys.SetHook(nil)
	if got, err := db.Quarantined(ctx); len(got) != 2 || err != nil {
		t.Errorf("once the disk is well: got %+v, %v; want two files", got, err)
	}
}

// TestSaveUsingReserve wants a save that finds no space to be tried once more with that of the
// reserve, which is taken back then; and another failure to be returned at once.
func TestSaveUsingReserve(t *testing.T) {
	db := mustOpen(t, testenv.TempDir(t), nil)
	taken := mustTakeTurn(t, db)
	defer taken.end()
	taken.takeReserve()
	for _, test := range []struct {
		name      string
		fails     []error // of one call after another
		want      error
		wantCalls int
	}{
		{"no failure", []error{nil}, nil, 1},
		{"full", []error{daybook.ErrNoSpace, nil}, nil, 2},
		{"full, and the reserve is too small", []error{daybook.ErrNoSpace, daybook.ErrNoSpace}, daybook.ErrNoSpace, 2},
		{"full, and then failed", []error{daybook.ErrNoSpace, syscall.EIO}, syscall.EIO, 2},
		{"failed", []error{syscall.EIO}, syscall.EIO, 1},
	} {
		calls := 0
		err := taken.saveUsingReserve(func() error {
			calls++
			if hasReserve := db.reserve.size() > 0; hasReserve != (calls == 1) {
				t.Errorf("%s: call %d: the reserve is there: %v", test.name, calls, hasReserve)
			}
			return test.fails[calls-1]
		})
		if !errors.Is(err, test.want) || calls != test.wantCalls || db.reserve.size() == 0 {
			t.Errorf("%s: got %v after %d calls, and a reserve of %d bytes; want %v after %d",
				test.name, err, calls, db.reserve.size(), test.want, test.wantCalls)
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

// TestCopyCannotBeSynced puts a directory where the file of a copy is to be.
func TestCopyCannotBeSynced(t *testing.T) {
	db := mustOpen(t, testenv.TempDir(t), nil)
	if synced, err := db.syncCopy(7); synced != 7 || err != nil {
		t.Errorf("without a copy: got %d, %v; want 7", synced, err)
	}
	path := db.dir.file(copyName)
	if err := os.Mkdir(path, 0o700); err != nil {
		t.Fatal(err)
	}
	if synced, err := db.syncCopy(7); synced != 7 || err == nil {
		t.Errorf("a copy that cannot be opened: got %d, %v; want 7 and an error", synced, err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
}

// TestRestoreRefusesAtOnce restores into a directory with a file. The backup is not read then: it
// may be long, or come from a pipe.
func TestRestoreRefusesAtOnce(t *testing.T) {
	dir := testenv.TempDir(t)
	if err := os.WriteFile(filepath.Join(dir, "notes.txt"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	read := false
	err := Restore(ctx, dir, readerFunc(func([]byte) (int, error) { read = true; return 0, io.EOF }))
	if !errors.Is(err, fs.ErrExist) || read {
		t.Errorf("got %v, and the backup was read: %v; want fs.ErrExist and false", err, read)
	}
}

// TestWatchWaitsNoLongerThanItsContext begins to watch while earlier values are still
// passed to others.
func TestWatchWaitsNoLongerThanItsContext(t *testing.T) {
	db := mustOpen(t, testenv.TempDir(t), nil)
	db.watchers.recent.filled.Store(true)
	db.watchers.passing <- struct{}{}
	short, cancel := context.WithTimeout(ctx, 5*time.Millisecond)
	defer cancel()
	if events, err := db.Watch(short, "*", daybook.WatchParams{}); !errors.Is(err, context.DeadlineExceeded) ||
		events != nil {
		t.Errorf("got %v, %v; want the deadline", events, err)
	}
	<-db.watchers.passing
	db.watchers.recent.filled.Store(false)
}

// TestReceiveWaitsNoLongerThanItsContext sends a batch while another of its stream is being stored.
func TestReceiveWaitsNoLongerThanItsContext(t *testing.T) {
	db := mustOpen(t, testenv.TempDir(t), nil)
	b := newSender("s", 1).batches[0]
	unlock, err := db.streams.lock(ctx, newStream(b.Store, b.Epoch, b.Stream))
	if err != nil {
		t.Fatal(err)
	}
	defer unlock()
	short, cancel := context.WithTimeout(ctx, 5*time.Millisecond)
	defer cancel()
	if at, err := db.StoreBatchFrom(short, b); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got position %d, %v; want the deadline", at.Through, err)
	}
}

// TestEndedContextInHeads reads heads with a context that has ended, which must not look like the
// end of the values.
func TestEndedContextInHeads(t *testing.T) {
	db := mustOpen(t, testenv.TempDir(t), nil)
	mustStore(t, db, "r", "1", 1)
	ended, cancel := context.WithCancel(ctx)
	cancel()
	s, err := db.snapshot(allRecords)
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	if err := s.eachView(ended, func(*head.View) bool { return true }); !errors.Is(err, context.Canceled) {
		t.Errorf("eachView: got %v; want context.Canceled", err)
	}
	if _, found, err := s.next(ended); found || !errors.Is(err, context.Canceled) {
		t.Errorf("next: got %v, %v; want context.Canceled", found, err)
	}
	r := &changesReader{db: db, pattern: allRecords, last: 1}
	if batch, err := r.nextInHeads(ended); !errors.Is(err, context.Canceled) || r.after != 0 {
		t.Errorf("nextInHeads: got %d values, %v, after %d; want context.Canceled after 0", len(batch), err, r.after)
	}
}

// TestSessionWriteFails fails writes of the file session where a segment begins. The segment may
// stay only if the file may name it.
func TestSessionWriteFails(t *testing.T) {
	for fails, wantMayStay := range map[int]bool{1: false, 2: true} {
		db, fsys := openFaulty(t, testenv.TempDir(t), Options{})
		writes := 0
		fsys.SetHook(func(op faultfs.Op) error {
			if op.Name == faultfs.Write && strings.HasSuffix(op.Path, sessionName) {
				if writes++; writes <= fails {
					return syscall.EIO
				}
			}
			return nil
		})
		mayStay, err := db.session.Begin(wal.Expected{Segment: 9})
		if mayStay != wantMayStay || !errors.Is(err, syscall.EIO) {
			t.Errorf("%d writes fail: it may stay: %v, %v; want %v and EIO", fails, mayStay, err, wantMayStay)
		}
		fsys.SetHook(nil)
	}
}

// TestSessionSyncs wants a session to sync what it has written, and nothing else.
func TestSessionSyncs(t *testing.T) {
	if err := (&session{}).Sync(); err != nil {
		t.Errorf("without a file: %v", err)
	}
	db, fsys := openFaulty(t, testenv.TempDir(t), Options{})
	mustStore(t, db, "r", "1", 1)
	if err := db.session.Sync(); err != nil {
		t.Fatal(err)
	}
	fsys.SetHook(failing(faultfs.Sync, sessionName))
	if err := db.session.Sync(); err != nil {
		t.Errorf("after a sync: %v; want no other", err)
	}
	if mayStay, err := db.session.Begin(wal.Expected{Segment: 9, Sequence: 1}); mayStay || err != nil {
		t.Errorf("a further segment: %v, %v", mayStay, err)
	}
	if err := db.session.Sync(); !errors.Is(err, syscall.EIO) {
		t.Errorf("after a write: %v; want EIO", err)
	}
	fsys.SetHook(failing(faultfs.Write, sessionName)) // the failed sync may have lost what was written
	if err := db.session.Sync(); !errors.Is(err, syscall.EIO) {
		t.Errorf("after a failed sync: %v; want EIO of another write", err)
	}
	fsys.SetHook(nil)
	if err := db.session.Sync(); err != nil {
		t.Errorf("once the disk is well: %v", err)
	}
}

// TestFirstSegmentOfASession fails the sync that says that the directory is not closed any more.
func TestFirstSegmentOfASession(t *testing.T) {
	dir := testenv.TempDir(t)
	mustClose(t, mustOpen(t, dir, nil))
	db, fsys := openFaulty(t, dir, Options{})
	fsys.SetHook(failing(faultfs.Sync, sessionName))
	if mayStay, err := db.session.Begin(wal.Expected{Segment: 1}); !mayStay || !errors.Is(err, syscall.EIO) {
		t.Errorf("got %v, %v; want true and EIO", mayStay, err)
	}
}

// TestQuarantineCannotRename fails the renames that would set a damaged file aside. Open must say
// so, and change nothing that the next Open needs.
func TestQuarantineCannotRename(t *testing.T) {
	for _, test := range []struct {
		name   string
		damage func(t *testing.T, dir string)
	}{
		{TreeFile, damages[0].do},
		{logName, func(t *testing.T, dir string) { flip(t, segment(t, dir), "r0", 2) }},
	} {
		t.Run(test.name, func(t *testing.T) {
			dir, _ := quarantineStore(t)
			test.damage(t, dir)
			opts, err := (&Options{OnCorruption: OnCorruptionQuarantine, Logger: discard}).withDefaults()
			if err != nil {
				t.Fatal(err)
			}
			fsys := faultfs.NewSystem(disk.OS{})
			fsys.SetHook(failing(faultfs.Rename, test.name))
			if db, err := open(dir, opts, fsys); !errors.Is(err, syscall.EIO) {
				t.Fatalf("Open: got %v, %v; want EIO", db, err)
			}
			if _, err := os.Stat(filepath.Join(dir, test.name)); err != nil {
				t.Error(err)
			}
			db := mustOpen(t, dir, &Options{OnCorruption: OnCorruptionQuarantine, Logger: discard})
			if files := mustStats(t, db).Quarantined; len(files) != 1 {
				t.Errorf("once the disk is well: %+v are in quarantine; want one file", files)
			}
		})
	}
}

// TestRestoreIsDurable fails the syncs of the directories at the end of a Restore, which leaves
// nothing then.
func TestRestoreIsDurable(t *testing.T) {
	db := mustOpen(t, testenv.TempDir(t), nil)
	mustStore(t, db, "r", "1", 1)
	var backup bytes.Buffer
	if err := db.Backup(ctx, &backup); err != nil {
		t.Fatal(err)
	}
	parent := testenv.TempDir(t)
	dir := filepath.Join(parent, "restored")
	for _, failing := range []string{dir, parent} {
		fsys := faultfs.NewSystem(disk.OS{})
		fsys.SetHook(func(op faultfs.Op) error {
			if op.Name == faultfs.SyncDir && op.Path == failing {
				return syscall.EIO
			}
			return nil
		})
		if err := restore(ctx, dir, fsys, bytes.NewReader(backup.Bytes())); !errors.Is(err, syscall.EIO) {
			t.Errorf("%s cannot be synced: got %v; want EIO", failing, err)
		}
		if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s cannot be synced: the directory is there: %v", failing, err)
		}
	}
	if err := Restore(ctx, dir, bytes.NewReader(backup.Bytes())); err != nil {
		t.Fatal(err)
	}
	wantRows(t, mustQuery(t, mustOpen(t, dir, nil), "*", daybook.QueryParams{}), row{"r", "1", 1})
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

// TestReserveIsSynced fails the sync of the reserve. Space that a power cut takes away is none.
func TestReserveIsSynced(t *testing.T) {
	db, fsys := openFaulty(t, testenv.TempDir(t), Options{})
	db.reserve.remove()
	fsys.SetHook(failing(faultfs.Sync, reserveName))
	db.reserve.take()
	if _, err := db.dir.fs.Stat(db.dir.file(reserveName)); db.reserve.size() != 0 || !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("after a failed sync: %d bytes, %v; want no file", db.reserve.size(), err)
	}
	fsys.SetHook(nil)
	db.reserve.take()
	if info, err := db.dir.fs.Stat(db.dir.file(reserveName)); db.reserve.size() != reserveSize || err != nil ||
		info.Size() != reserveSize {
		t.Errorf("once the disk is well: %d bytes, %v; want %d", db.reserve.size(), err, reserveSize)
	}
}

// TestTreeThatCannotBeLookedAt puts a directory where a damaged tree is to be set aside.
func TestTreeThatCannotBeLookedAt(t *testing.T) {
	dir := mustOpenDirectory(t, testenv.TempDir(t))
	if err := dir.checkTreeNotInUse(nil); err != nil {
		t.Errorf("no tree: %v", err)
	}
	if err := os.Mkdir(dir.file(TreeFile), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := dir.checkTreeNotInUse(nil); err == nil || errors.Is(err, daybook.ErrLocked) {
		t.Errorf("a directory in its place: got %v; want the operating system's error", err)
	}
}

// TestSalvageIsDurableBeforeTheTreeIsSetAside records the steps that put a salvaged tree in the
// place of a damaged one.
func TestSalvageIsDurableBeforeTheTreeIsSetAside(t *testing.T) {
	db, fsys := openFaulty(t, testenv.TempDir(t), Options{OnCorruption: OnCorruptionQuarantine})
	mustStore(t, db, "r", "1", 1)
	mustCheckpointed(t, db)
	var steps []string
	fsys.SetHook(func(op faultfs.Op) error {
		from := filepath.Base(op.Path)
		switch {
		case from == logName || filepath.Base(filepath.Dir(op.Path)) == logName: // it makes the next segment
		case op.Name == faultfs.Rename:
			steps = append(steps, from)
		case op.Name == faultfs.SyncDir:
			steps = append(steps, op.Name)
		}
		return nil
	})
	err := db.withTurn(ctx, func(t *turn) error { return t.replaceBySalvaged(ctx, daybook.ErrCorrupt, 1) })
	fsys.SetHook(nil)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{copyName, faultfs.SyncDir, TreeFile, salvagedName, faultfs.SyncDir}
	if diff := cmp.Diff(want, steps[:min(len(steps), len(want))]); diff != "" {
		t.Errorf("steps (-want +got):\n%s", diff)
	}
}
