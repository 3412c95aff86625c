// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/codec"
	"github.com/daybook-db/daybook/engine/internal/disk"
	"github.com/daybook-db/daybook/engine/internal/disk/faultfs"
	"github.com/daybook-db/daybook/engine/internal/wal"
)

func TestCursorsOfAnOpenDirectory(t *testing.T) {
	db := mustOpen(t, t.TempDir(), nil)
	mustStore(t, db, "a", "1", 1)
	mustStore(t, db, "a", "2", 2)
	stats, err := db.Stats(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	last := daybook.Cursor{Epoch: stats.Epoch, Sequence: stats.LastSequence}
	if stats.Store == [16]byte{} || stats.Epoch == stats.Store || db.cursorAt(2) != last {
		t.Errorf("got store %x and cursor %v; want a store, and the last cursor %v", stats.Store, db.cursorAt(2), last)
	}
	if after, err := db.resolve(last); after != 2 || err != nil {
		t.Errorf("the last cursor: got %d, %v; want 2", after, err)
	}
	last.Sequence++
	var fork *daybook.ForkedError
	if _, err := db.resolve(last); !errors.As(err, &fork) || fork.Common != db.cursorAt(2) {
		t.Errorf("a cursor after the last value: got %v; want a fork after value 2", err)
	}
}

// storeAndEpoch returns the store and the current epoch of an open directory.
func storeAndEpoch(t testing.TB, db *DB) (store, epoch [16]byte) {
	t.Helper()
	stats, err := db.Stats(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return stats.Store, stats.Epoch
}

// storeNumbered stores values with the numbers from first to last.
func storeNumbered(t testing.TB, db *DB, first, last int) {
	t.Helper()
	for n := first; n <= last; n++ {
		mustStore(t, db, "r", fmt.Sprint(n), uint64(n))
	}
}

// killed returns a directory with 5 values in the tree and 5 in the log, whose process was killed.
func killed(t testing.TB) (dir string, store [16]byte) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "killed")
	db := mustOpen(t, dir, nil)
	storeNumbered(t, db, 1, 5)
	if err := db.Checkpoint(ctx); err != nil {
		t.Fatal(err)
	}
	storeNumbered(t, db, 6, 10)
	store, _ = storeAndEpoch(t, db)
	if err := db.abandon(); err != nil {
		t.Fatal(err)
	}
	return dir, store
}

// TestTreeOfAnotherDevice puts the tree of one killed directory beside the log of another. The
// numbers fit, and yet the values of one must not get into the other.
func TestTreeOfAnotherDevice(t *testing.T) {
	ours, ourStore := killed(t)
	theirs, theirStore := killed(t)
	copyFile(t, filepath.Join(theirs, TreeFile), filepath.Join(ours, TreeFile))
	before := contents(t, ours)
	for _, opts := range []*Options{nil, {ReadOnly: true}} {
		_, err := Open(ours, opts)
		if !errors.Is(err, daybook.ErrCorrupt) {
			t.Fatalf("got %v; want ErrCorrupt", err)
		}
		for _, part := range []string{fmt.Sprintf("%x", ourStore), fmt.Sprintf("%x", theirStore),
			filepath.Join(ours, TreeFile), filepath.Join(ours, logName), "put the two together again"} {
			if !strings.Contains(err.Error(), part) {
				t.Errorf("%v does not say %q", err, part)
			}
		}
	}
	if contents(t, ours) != before {
		t.Error("Open changed the directory")
	}
	db := mustOpen(t, ours, &Options{OnCorruption: OnCorruptionQuarantine, Logger: discard})
	if store, _ := storeAndEpoch(t, db); store != theirStore {
		t.Errorf("got store %x; want that of the tree, %x", store, theirStore)
	}
	if got := mustQuery(t, db, "r", daybook.QueryParams{}); len(got) != 5 {
		t.Errorf("got %d values; want the 5 of the tree", len(got))
	}
	aside, err := filepath.Glob(filepath.Join(ours, "wal.corrupt-1", "*.log"))
	if err != nil || len(aside) == 0 {
		t.Errorf("the log was not set aside: %v, %v", aside, err)
	}
}

// TestLogOfACopy lets a directory and its copy go on, and then exchanges their trees.
func TestLogOfACopy(t *testing.T) {
	ours, _ := killed(t)
	theirs := filepath.Join(t.TempDir(), "copy")
	if err := os.CopyFS(theirs, os.DirFS(ours)); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{ours, theirs} {
		db := mustOpen(t, dir, nil)
		if err := db.Checkpoint(ctx); err != nil {
			t.Fatal(err)
		}
		if err := db.abandon(); err != nil {
			t.Fatal(err)
		}
		db = mustOpen(t, dir, nil)
		storeNumbered(t, db, 11, 15)
		if err := db.abandon(); err != nil {
			t.Fatal(err)
		}
	}
	copyFile(t, filepath.Join(theirs, TreeFile), filepath.Join(ours, TreeFile))
	if _, err := Open(ours, nil); !errors.Is(err, daybook.ErrCorrupt) || !strings.Contains(err.Error(), "two copies") {
		t.Errorf("got %v; want ErrCorrupt, because they are two copies", err)
	}
}

// TestCopyBeginsAnEpoch copies a closed directory. Both copies give the same numbers from then on,
// and a consumer that goes from one to the other is told.
func TestCopyBeginsAnEpoch(t *testing.T) {
	original := filepath.Join(t.TempDir(), "original")
	db := mustOpen(t, original, nil)
	storeNumbered(t, db, 1, 10)
	store, epoch := storeAndEpoch(t, db)
	mustClose(t, db)
	copied, renamed := filepath.Join(t.TempDir(), "copied"), filepath.Join(t.TempDir(), "renamed")
	if err := errors.Join(os.CopyFS(copied, os.DirFS(original)), os.Rename(original, renamed)); err != nil {
		t.Fatal(err)
	}

	db = mustOpen(t, renamed, nil)
	if s, e := storeAndEpoch(t, db); s != store || e != epoch {
		t.Errorf("renamed, it is epoch %x of store %x; want %x of %x", e, s, epoch, store)
	}
	storeNumbered(t, db, 11, 12)
	theirs := db.cursorAt(12)
	mustClose(t, db)

	for range 3 { // an epoch without values leaves no trace
		db = mustOpen(t, copied, nil)
		if s, e := storeAndEpoch(t, db); s != store || e == epoch || len(db.identity.get().Epochs) != 2 {
			t.Errorf("copied, it is epoch %x of store %x, the last of %d; want the second of %x",
				e, s, len(db.identity.get().Epochs), store)
		}
		if err := db.abandon(); err != nil {
			t.Fatal(err)
		}
	}
	db = mustOpen(t, copied, nil)
	storeNumbered(t, db, 11, 13)
	var fork *daybook.ForkedError
	if _, err := db.resolve(theirs); !errors.As(err, &fork) || fork.Common.Sequence != 10 ||
		fork.Current != db.cursorAt(13) {
		t.Errorf("the original's cursor in the copy: got %v; want a fork after 10", err)
	}
	if after, err := db.resolve(fork.Common); after != 10 || err != nil {
		t.Errorf("the common place: got %d, %v", after, err)
	}
	_, epoch = storeAndEpoch(t, db)
	mustClose(t, db)
	db = mustOpen(t, copied, nil)
	if _, e := storeAndEpoch(t, db); e != epoch {
		t.Error("a copy that was closed begins another epoch when it is opened again")
	}
}

// TestEpochCostsNoCommit opens and closes a directory: a closed one is not written to, and the only
// commit of a session is the one that posts its values.
func TestEpochCostsNoCommit(t *testing.T) {
	dir := t.TempDir()
	db := mustOpen(t, dir, nil)
	storeNumbered(t, db, 1, 1)
	mustClose(t, db)
	generation := func(db *DB) uint64 {
		t.Helper()
		state, err := db.trees.get().State()
		if err != nil {
			t.Fatal(err)
		}
		return state.Generation
	}
	db = mustOpen(t, dir, nil)
	before := generation(db)
	mustClose(t, db)
	db = mustOpen(t, dir, nil)
	if got := generation(db); got != before {
		t.Errorf("Open and Close made %d commits; want none", got-before)
	}
	storeNumbered(t, db, 2, 3)
	mustClose(t, db)
	db = mustOpen(t, dir, nil)
	if got := generation(db); got != before+1 {
		t.Errorf("a session with values made %d commits; want 1", got-before)
	}
	storeNumbered(t, db, 4, 4)
	if err := db.abandon(); err != nil {
		t.Fatal(err)
	}
	if db, err := Open(dir, nil); err != nil || db.Close() != nil {
		t.Fatal(err)
	}
	db = mustOpen(t, dir, nil)
	if got := generation(db); got != before+2 {
		t.Errorf("recovery from a kill made %d commits; want 1, with the values and the epoch", got-before-1)
	}
}

// TestReplayTakesEpochs recovers a log of several epochs that the tree does not know. Its values
// fill several heads, so replay posts some on the way, and their segments are released. A crash at
// that point must not lose the link from the rest of the log to the tree. A backup that has the
// values of the log also has their epochs.
func TestReplayTakesEpochs(t *testing.T) {
	dir := t.TempDir()
	mustClose(t, mustOpen(t, dir, nil))
	opts, err := (&Options{Durability: DurabilityOS, Tuning: Tuning{HeadSize: MinHeadSize}}).withDefaults()
	if err != nil {
		t.Fatal(err)
	}
	const epochs, values = 5, 12
	for epoch := range epochs {
		withTree(t, dir, opts, func(turn *turn) {
			state, err := turn.tree().State()
			if err != nil {
				t.Fatal(err)
			}
			recovery, err := wal.Scan(turn.db.dir.log, turn.db.dir.fs, turn.knownToLog(state))
			if err != nil {
				t.Fatal(err)
			}
			_, origin := recovery.Identity().BeginRandom(recovery.NextSequence()-1, recovery.EpochUsed())
			log, err := recovery.Open(0, wal.Options{FirstSegmentSize: 16 << 10, SegmentSize: 16 << 10, Logger: discard,
				OnSync: func(time.Duration) {}, Origin: origin})
			if err != nil {
				t.Fatal(err)
			}
			for n := range values {
				at := uint64(epoch*values + n)
				batch := codec.NewBatchWriter(nil, 1)
				batch.Add("r", at, []byte(`"`+digits(1000)+`"`))
				if _, err := log.Append([]wal.Frame{{Payload: batch.Bytes(), Values: 1}}); err != nil {
					t.Fatal(err)
				}
			}
			if err := log.Close(false); err != nil {
				t.Fatal(err)
			}
		})
	}
	reader := mustOpen(t, dir, &Options{ReadOnly: true})
	want := storedOrder(t, reader)
	var backup bytes.Buffer
	if err := reader.Backup(ctx, &backup); err != nil {
		t.Fatal(err)
	}
	mustClose(t, reader)
	wantRestored(t, backup.Bytes(), want)
	for range 3 {
		withTree(t, dir, opts, func(turn *turn) {
			recovery, err := turn.recoverLog()
			if err != nil {
				t.Fatalf("after a crash in Open: %v", err)
			}
			origin, err := turn.chooseEpoch(recovery)
			if err == nil {
				err = turn.openLog(recovery, origin)
			}
			if err != nil {
				t.Fatal(err)
			}
			turn.db.log.RemoveReleased()
			if err := turn.db.log.Close(false); err != nil {
				t.Fatal(err)
			}
		})
	}
	db := mustOpen(t, dir, nil)
	if diff := cmp.Diff(want, storedOrder(t, db)); len(want) != epochs*values || diff != "" {
		t.Errorf("want %d values and their cursors (-want +got):\n%s", epochs*values, diff)
	}
}

// withTree calls do with a DB of which only the tree is open.
func withTree(t *testing.T, dir string, opts Options, do func(*turn)) {
	t.Helper()
	opened, err := openDirectory(dir, disk.OS{})
	if err != nil {
		t.Fatal(err)
	}
	turn := newTurn(newDB(opened, opts))
	if err := turn.openTree(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = turn.closeDirectory() }()
	do(turn)
}

// TestUndoneGroupForks makes the write of a group of commits fail after the first one's frame,
// which a Follower reads. The number is given again, in another epoch.
func TestUndoneGroupForks(t *testing.T) {
	dir := t.TempDir()
	db, fsys := openFaulty(t, dir, Options{Durability: DurabilityOS})
	storeNumbered(t, db, 1, 3)
	var group []*commit
	for n := range 2 {
		c := db.commits.newCommit()
		c.values = []daybook.StoredValue{{RecordName: "r", Value: json.RawMessage(`"undone"`), StoredAt: uint64(n)}}
		c.encode()
		group = append(group, c)
	}
	f := mustFollow(t, dir, "*")
	undone := daybook.Cursor{}
	fsys.SetHook(func(op faultfs.Op) error {
		if op.Name != faultfs.Write || len(op.Data) < 40 || strings.HasSuffix(op.Path, ".new.log") {
			return nil // the last is the next segment, which is made in the background
		}
		if undone.IsZero() && bytes.Contains(op.Data, []byte("undone")) {
			undone = daybook.Cursor{Sequence: 4}
			return &faultfs.PartialError{Written: 20 + len(group[0].payload), Err: faultfs.ErrInjected}
		}
		if undone.Epoch == ([16]byte{}) && undone.Sequence > 0 { // before the write that undoes the frame
			for _, event := range read(t, f) {
				undone = event.Cursor
			}
		}
		return nil
	})
	db.write(group)
	fsys.SetHook(nil)
	if group[0].err == nil || undone.Sequence != 4 || undone.Epoch == ([16]byte{}) {
		t.Fatalf("the group: %v, and the follower read %v; want an error, and the first frame", group[0].err, undone)
	}
	storeNumbered(t, db, 4, 4)
	if now := db.cursorAt(4); now.Epoch == undone.Epoch {
		t.Errorf("value 4 has cursor %v, which a Follower has read of another value", now)
	}
	var fork *daybook.ForkedError
	events, err := readEvents(f)
	if len(events) > 0 {
		t.Errorf("read %v", events)
	}
	if !errors.As(err, &fork) || fork.Common != db.cursorAt(3) {
		t.Errorf("the follower: got %v; want a fork after 3", err)
	}
	if got := read(t, f); len(got) != 1 || got[0].Cursor != db.cursorAt(4) || string(got[0].Value) != "4" {
		t.Errorf("after the fork: got %v; want value 4", got)
	}
	if err := db.Checkpoint(ctx); err != nil {
		t.Fatal(err)
	}
	if saved, err := db.trees.get().Identity(); err != nil || !saved.Equal(db.identity.get()) {
		t.Errorf("the tree has identity %v, %v; want %v", saved, err, db.identity.get())
	}
}

// TestRottenIdentity damages the tree's entry with the identity, and only that.
func TestRottenIdentity(t *testing.T) {
	for _, withLog := range []bool{false, true} {
		dir, store := killed(t)
		if !withLog {
			mustClose(t, mustOpen(t, dir, nil))
		}
		path := filepath.Join(dir, TreeFile)
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for at := bytes.Index(data, store[:]); at >= 0; at = bytes.Index(data, store[:]) {
			data[at] ^= 1
		}
		write(t, path, string(data))
		for _, opts := range []*Options{nil, {ReadOnly: true}} {
			if _, err := Open(dir, opts); !errors.Is(err, daybook.ErrCorrupt) ||
				!strings.Contains(err.Error(), "identity") {
				t.Errorf("got %v; want ErrCorrupt, and that it is the identity", err)
			}
		}
		db := mustOpen(t, dir, &Options{OnCorruption: OnCorruptionQuarantine, Logger: discard})
		if got := mustQuery(t, db, "r", daybook.QueryParams{}); len(got) != 10 {
			t.Errorf("with a log: %v: %d values; want all 10", withLog, len(got))
		}
		if now, _ := storeAndEpoch(t, db); (now == store) != withLog || now == [16]byte{} {
			t.Errorf("with a log: %v: store %x, before %x; want that of the log, or a new one", withLog, now, store)
		}
		mustClose(t, db)
	}
}

// TestCloseAfterFailedSync follows a value whose sync fails, so that its Store fails, too. Close
// empties the log, and the next process gives its number to another value.
func TestCloseAfterFailedSync(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "daybook")
	db, fsys := openFaulty(t, dir, Options{})
	storeNumbered(t, db, 1, 1)
	f := mustFollow(t, dir, "*")
	fsys.SetHook(func(op faultfs.Op) error {
		if op.Name == faultfs.Sync && inLog(op) {
			return faultfs.ErrInjected
		}
		return nil
	})
	if err := db.Store(ctx, "r", json.RawMessage(`"failed"`), 2); !errors.Is(err, daybook.ErrFailed) {
		t.Fatalf("Store over a failing sync: got %v; want ErrFailed", err)
	}
	fsys.SetHook(nil)
	got := read(t, f)
	if len(got) != 2 || string(got[1].Value) != `"failed"` {
		t.Fatalf("the follower has read %v; want the value whose Store failed, too", got)
	}
	seen := got[1].Cursor
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	db = mustOpen(t, dir, nil)
	storeNumbered(t, db, 2, 2)
	if now := db.cursorAt(2); now == seen {
		t.Errorf("%v means two values", now)
	}
	var fork *daybook.ForkedError
	events, err := readEvents(f)
	if len(events) > 0 {
		t.Errorf("read %v", events)
	}
	if !errors.As(err, &fork) || fork.Common != db.cursorAt(1) {
		t.Errorf("the follower: got %v; want a fork after 1", err)
	}
	if got := read(t, f); len(got) != 1 || got[0].Cursor != db.cursorAt(2) {
		t.Errorf("after the fork: got %v; want value 2", got)
	}
}

// TestEpochAfterALostLogIsSaved opens a store without its log. The tree knows the new epoch at
// once: the log's directory is there again, and does not tell the next Open that one was lost.
func TestEpochAfterALostLogIsSaved(t *testing.T) {
	dir := closedStore(t, nil, row{"r", "1", 1})
	if err := os.RemoveAll(filepath.Join(dir, logName)); err != nil {
		t.Fatal(err)
	}
	db := openLostLog(t, dir)
	if now := db.identity.get(); !db.trees.get().IdentitySaved() || !now.Equal(db.trees.get().NextIdentity()) {
		t.Errorf("the tree has not saved %+v", now)
	}
}
