// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/codec"
	"github.com/daybook-db/daybook/engine/internal/disk"
	"github.com/daybook-db/daybook/engine/internal/disk/faultfs"
	"github.com/daybook-db/daybook/engine/internal/identity"
	"github.com/daybook-db/daybook/engine/internal/tree"
	"github.com/daybook-db/daybook/engine/internal/wal"
	"github.com/daybook-db/daybook/proof/testenv"
)

// TestWithSample adds arrivals. One that says nothing new is left out, and the last one moves until
// it is far enough from the one before it.
func TestWithSample(t *testing.T) {
	first, second := holdSample{Time: 100, Sequence: 5}, holdSample{Time: 101, Sequence: 6}
	for _, test := range []struct {
		name   string
		before []holdSample
		add    holdSample
		want   []holdSample
	}{
		{"the first", nil, first, []holdSample{first}},
		{"the same value", []holdSample{first}, holdSample{200, 5}, []holdSample{first}},
		{"an earlier value", []holdSample{first}, holdSample{200, 4}, []holdSample{first}},
		{"the second", []holdSample{first}, second, []holdSample{first, second}},
		{"the last one moves", []holdSample{first, second}, holdSample{109, 7}, []holdSample{first, {109, 7}}},
		{"the last one stays", []holdSample{first, second}, holdSample{110, 7},
			[]holdSample{first, second, {110, 7}}},
	} {
		if diff := cmp.Diff(test.want, withSample(slices.Clone(test.before), test.add, 10)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.name, diff)
		}
	}
}

// TestLastingFailures tells which failures of a reader beside a writer are damage.
func TestLastingFailures(t *testing.T) {
	missing, damaged := fmt.Errorf("a segment: %w", fs.ErrNotExist), errors.New("damaged")
	for _, test := range []struct {
		name string
		errs []error
		want int // the call that says so, counted from 1; 0: none
	}{
		{"the same", []error{damaged, damaged, damaged}, maxSameFailure},
		{"another one between", []error{damaged, damaged, io.EOF, damaged, damaged}, 0},
		{"locked between", []error{damaged, damaged, daybook.ErrLocked, damaged, damaged}, 0},
		{"missing", slices.Repeat([]error{missing}, maxMissing), maxMissing},
		{"almost", slices.Repeat([]error{missing}, maxMissing-1), 0},
	} {
		var failures besideFailures
		got := 1 + slices.IndexFunc(test.errs, failures.isLasting)
		if got != test.want {
			t.Errorf("%s: call %d; want %d", test.name, got, test.want)
		}
	}
}

// TestFreezeToPost asks in each state of the heads whether a post makes room in the log.
func TestFreezeToPost(t *testing.T) {
	failed := errors.New("the last attempt failed")
	for _, test := range []struct {
		name                    string
		values, frozen          bool
		failure                 error
		freed                   bool
		mayRelease, canMakeRoom bool
		wantHelp, wantRoom      bool // a channel is returned; makeLogRoom is wanted
	}{
		{name: "values, and it releases", values: true, mayRelease: true, wantHelp: true},
		{name: "values, and it makes room", values: true, canMakeRoom: true, wantHelp: true},
		{name: "values, and neither", values: true},
		{name: "empty, and it makes room", canMakeRoom: true, mayRelease: true, wantHelp: true, wantRoom: true},
		{name: "empty, and it releases", mayRelease: true},
		{name: "empty, and room failed", canMakeRoom: true, failure: failed},
		{name: "freed since", canMakeRoom: true, failure: failed, freed: true, wantHelp: true, wantRoom: true},
		{name: "frozen", frozen: true, mayRelease: true, wantHelp: true},
		{name: "frozen, and neither", frozen: true},
		{name: "frozen, and failed", frozen: true, mayRelease: true, failure: failed},
		{name: "frozen, and freed since", frozen: true, mayRelease: true, failure: failed, freed: true, wantHelp: true},
		{name: "values, and failed before", values: true, mayRelease: true, failure: failed, wantHelp: true},
	} {
		h := newHeads(1 << 20)
		if test.values || test.frozen {
			h.active.Add("r", 1, 1, []byte("1"))
		}
		if test.frozen {
			h.freeze()
		}
		h.postFailure, h.freed = test.failure, test.freed
		helps := h.freezeToPost(test.mayRelease, test.canMakeRoom) != nil
		if helps != test.wantHelp || h.logRoomIsWanted() != test.wantRoom {
			t.Errorf("%s: it helps: %v, room is wanted: %v; want %v and %v", test.name, helps, h.logRoomIsWanted(),
				test.wantHelp, test.wantRoom)
		}
		if isFrozen := h.frozenHead() != nil; isFrozen != (test.frozen || test.values && test.wantHelp) {
			t.Errorf("%s: a head is frozen: %v", test.name, isFrozen)
		}
	}
}

// TestFreezeThrough freezes the active head only for values up to a number, and only once.
func TestFreezeThrough(t *testing.T) {
	h := newHeads(1 << 20)
	if !h.freezeThrough(9) {
		t.Error("empty heads: false; want true")
	}
	h.active.Add("r", 1, 7, []byte("1"))
	if !h.freezeThrough(6) || h.frozenHead() != nil {
		t.Error("only later values: they are frozen; want them to stay")
	}
	if h.freezeThrough(7) || h.frozenHead() == nil {
		t.Error("the last value: it is not frozen")
	}
	if h.freezeThrough(9) {
		t.Error("a frozen head: true; want false until it is posted")
	}
}

// TestNoMaximumWithoutMaxSize leaves the tree's file without a maximum.
func TestNoMaximumWithoutMaxSize(t *testing.T) {
	if got := (budget{}).maxTreeFile(sizes{file: 1 << 30}); got != 0 {
		t.Errorf("got %d; want 0", got)
	}
}

// TestPositionNotes decodes the positions of a tree, good and damaged ones.
func TestPositionNotes(t *testing.T) {
	good := received{stream: newStream([16]byte{1}, [16]byte{2}, "s"), position: daybook.Position{Through: 7}}
	storeless := good
	storeless.stream.store = [16]byte{}
	for _, test := range []struct {
		name    string
		r       received
		wantErr error
	}{{"good", good, nil}, {"of no store", storeless, daybook.ErrCorrupt}} {
		got, err := positionsIn(tree.Notes{test.r.note(): test.r.encodePosition(), "other": []byte("1")})
		if !errors.Is(err, test.wantErr) || err == nil && (len(got) != 1 || got[test.r.stream] != test.r.position) {
			t.Errorf("%s: got %v, %v; want %v", test.name, got, err, test.wantErr)
		}
	}
	if _, err := positionsIn(tree.Notes{good.note(): {1}}); !errors.Is(err, daybook.ErrCorrupt) {
		t.Errorf("a short note: got %v; want ErrCorrupt", err)
	}
}

// TestFreePaths looks for a free name among those that exist, and where the names cannot be read.
func TestFreePaths(t *testing.T) {
	dir := mustOpenDirectory(t, testenv.TempDir(t))
	touch := func(path string) {
		t.Helper()
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for n := range maxRetired {
		free, err := dir.freeRetiredPath()
		if want := dir.retiredPath(n + 1); free != want || err != nil {
			t.Fatalf("got %s, %v; want %s", free, err, want)
		}
		touch(free)
	}
	if free, err := dir.freeRetiredPath(); err == nil {
		t.Errorf("all names are taken: got %q, and no error", free)
	}
	touch(dir.file("daybook.corrupt-1.db"))
	if free, err := dir.freePath(TreeFile); free != dir.file("daybook.corrupt-2.db") || err != nil {
		t.Errorf("got %s, %v; want daybook.corrupt-2.db", free, err)
	}
	dir.fs = noLstat{dir.fs}
	if free, err := dir.freeRetiredPath(); free != "" || !errors.Is(err, syscall.EIO) {
		t.Errorf("a name cannot be looked up: got %q, %v; want EIO", free, err)
	}
	if free, err := dir.freePath(TreeFile); free != "" || !errors.Is(err, syscall.EIO) {
		t.Errorf("a name cannot be looked up: got %q, %v; want EIO", free, err)
	}
}

// noLstat is a file system that cannot look up names.
type noLstat struct{ disk.FS }

func (noLstat) Lstat(string) (fs.FileInfo, error) { return nil, syscall.EIO }

// TestScannerAfterAPlace begins records before, at and after the place where a query goes on.
func TestScannerAfterAPlace(t *testing.T) {
	s := scanner{all: codec.All, after: daybook.Place{RecordName: "b", StoredAt: 10, Ties: 2}}
	for record, want := range map[string]struct {
		wanted bool
		start  uint64
		ties   int
	}{"a": {false, 0, 0}, "b": {true, 10, 2}, "c": {true, 0, 0}} {
		if got := s.begin([]byte(record)); got != want.wanted || s.wanted.Start != want.start || s.ties != want.ties {
			t.Errorf("%s: got %v from %d without %d; want %+v", record, got, s.wanted.Start, s.ties, want)
		}
	}
}

// TestMatchedNamesAreBounded remembers one name more than the maximum. A name is a copy, because
// its memory may change.
func TestMatchedNamesAreBounded(t *testing.T) {
	all := newMatched(1)
	for i := range maxMatchedNames {
		all.names[fmt.Sprint(i)] = all
	}
	all.remember("one more", all)
	if len(all.names) != 1 || all.names["one more"] != all {
		t.Errorf("%d names; want the last one alone", len(all.names))
	}
}

// TestRecentIsEmptyOnceTaken takes the values that wait for watchers. The mark that there are some
// stays until none is found.
func TestRecentIsEmptyOnceTaken(t *testing.T) {
	r := &recentValues{}
	r.partFor(1, [16]byte{})
	r.filled.Store(true)
	for _, want := range []bool{true, false} {
		if _, part := r.take(); (part != nil) != want || r.filled.Load() != want {
			t.Errorf("a part: %v, filled: %v; want %v", part != nil, r.filled.Load(), want)
		}
	}
}

// TestBackupOfTooManyValues writes values after a tree until their length has no place in the
// trailer.
func TestBackupOfTooManyValues(t *testing.T) {
	for more, want := range map[int64]error{0: nil, 1: daybook.ErrReadOnly} {
		u := unpostedWriter{w: io.Discard, buffer: make([]byte, 100), written: math.MaxUint32 - 100 + more}
		if err := u.writeBuffer(10); !errors.Is(err, want) {
			t.Errorf("%d bytes too many: got %v; want %v", more, err, want)
		}
	}
}

// TestTrailerOfAnotherLength gives a trailer a length that is not that of the bytes before it,
// although their SHA-256 is right.
func TestTrailerOfAnotherLength(t *testing.T) {
	trailer := appendTrailer(nil, 100, 0, sha256.New())
	binary.LittleEndian.PutUint64(trailer[16:], 101)
	binary.LittleEndian.PutUint32(trailer[60:], crc32.Checksum(trailer[:60], codec.Castagnoli))
	if err := verifyTrailer(trailer, 100, sha256.New()); !errors.Is(err, daybook.ErrCorrupt) {
		t.Errorf("got %v; want ErrCorrupt", err)
	}
}

// TestSessionCannotBegin fails the steps that make the first file of a session. Nothing knows of it
// yet, so the daybook opens without it.
func TestSessionCannotBegin(t *testing.T) {
	for _, name := range []string{faultfs.Create, faultfs.Write, faultfs.Sync} {
		dir := testenv.TempDir(t)
		opts, err := (&Options{Logger: discard}).withDefaults()
		if err != nil {
			t.Fatal(err)
		}
		fsys := faultfs.NewSystem(disk.OS{})
		fsys.SetHook(failing(name, sessionName))
		db, err := open(dir, opts, fsys)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if db.session.file != nil {
			t.Errorf("%s fails: the session has a file", name)
		}
		if _, err := os.Stat(filepath.Join(dir, sessionName)); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s fails: %s is there: %v", name, sessionName, err)
		}
		fsys.SetHook(nil)
		mustClose(t, db)
	}
}

// TestNegativeSyncInterval is an error that names the option.
func TestNegativeSyncInterval(t *testing.T) {
	_, err := (&Options{Durability: DurabilityInterval, SyncInterval: -1}).withDefaults()
	if !errors.Is(err, daybook.ErrInvalidParams) || !strings.Contains(err.Error(), "SyncInterval") {
		t.Errorf("got %v; want ErrInvalidParams that names SyncInterval", err)
	}
}

// TestReplayRefusesFrames opens a log whose frames have the right checksums and are no batches of
// this program.
func TestReplayRefusesFrames(t *testing.T) {
	one := codec.NewBatchWriter(nil, 1)
	one.Add("r", 1, []byte("1"))
	missing := codec.NewBatchWriter(nil, 2)
	missing.Add("r", 1, []byte("1"))
	for _, test := range []struct {
		name  string
		frame wal.Frame
	}{
		{"no batch", wal.Frame{Payload: []byte{0xff, 0xff, 0xff}, Values: 1}},
		{"another number of values", wal.Frame{Payload: one.Bytes(), Values: 2}},
		{"a value is missing", wal.Frame{Payload: missing.Bytes(), Values: 2}},
		{"a section that is no position", wal.Frame{Payload: append(codec.AppendSection(nil, []byte("x")),
			one.Bytes()...), Values: 1}},
	} {
		dir := testenv.TempDir(t)
		db := mustOpen(t, dir, &Options{Logger: discard})
		_, err := db.log.Append([]wal.Frame{test.frame})
		if err = errors.Join(err, db.log.Sync(), db.abandon()); err != nil {
			t.Fatal(err)
		}
		opened, err := Open(dir, &Options{Logger: discard})
		if !errors.Is(err, daybook.ErrCorrupt) {
			t.Errorf("%s: got %v; want ErrCorrupt", test.name, err)
		}
		if err == nil {
			_ = opened.abandon()
		}
	}
}

// TestBackupFileFaults fails each step of the replacement of a backup by a new one, and of the
// removal of an old part.
func TestBackupFileFaults(t *testing.T) {
	for _, step := range []struct{ name, suffix string }{
		{faultfs.ReadDir, ""}, {faultfs.Create, ".part"}, {faultfs.Write, ".part"}, {faultfs.Sync, ".part"},
		{faultfs.Rename, "b"}, {faultfs.Rename, ".part"}, {faultfs.SyncDir, ""}, {faultfs.Remove, "old.part"},
	} {
		dir := t.TempDir()
		path := filepath.Join(dir, "b")
		if err := os.WriteFile(path, []byte("old"), 0o600); err != nil {
			t.Fatal(err)
		}
		oldPart, longAgo := filepath.Join(dir, ".b.old.part"), time.Now().Add(-2*maxPartAge)
		err := errors.Join(os.WriteFile(oldPart, nil, 0o600), os.Chtimes(oldPart, longAgo, longAgo))
		if err != nil {
			t.Fatal(err)
		}
		fsys := faultfs.NewSystem(disk.OS{})
		parent, err := fsys.OpenDirectory(dir)
		if err != nil {
			t.Fatal(err)
		}
		fsys.SetHook(failing(step.name, step.suffix))
		f := backupFile{fs: parent, path: path}
		err = f.replace(2, func(w io.Writer) error { _, err := io.WriteString(w, "new"); return err })
		if !errors.Is(err, syscall.EIO) {
			t.Errorf("%s of %q: got %v; want EIO", step.name, step.suffix, err)
		}
		fsys.SetHook(nil)
		if err := parent.Close(); err != nil {
			t.Error(err)
		}
		_ = os.Remove(oldPart)
		if parts, err := filepath.Glob(filepath.Join(dir, ".b.*.part")); len(parts) > 0 || err != nil {
			t.Errorf("%s of %q: %v are there, %v", step.name, step.suffix, parts, err)
		}
	}
}

// TestIdentityAfterABackupIsDamaged alters the facts after the tree of a backup.
func TestIdentityAfterABackupIsDamaged(t *testing.T) {
	fact := func(data []byte) []byte {
		u := unpostedWriter{buffer: append(make([]byte, unpostedHeaderLen), data...), w: io.Discard}
		if err := u.writeBuffer(0); err != nil {
			t.Fatal(err)
		}
		return u.buffer
	}
	known, _ := identity.Identity{}.BeginRandom(0, true)
	for name, facts := range map[string][]byte{
		"an identity": fact([]byte("none")),
		"a position":  append(fact(known.Append(nil)), fact([]byte("none"))...),
	} {
		if _, _, err := unposted(facts).facts(); !errors.Is(err, daybook.ErrCorrupt) {
			t.Errorf("%s: got %v; want ErrCorrupt", name, err)
		}
	}
}

// TestRestoreTellsTheFirstFailure fails the steps of a Restore on the file that it writes. The
// error is that of the step, and not that of a later one that met what was missing then.
func TestRestoreTellsTheFirstFailure(t *testing.T) {
	db := mustOpen(t, testenv.TempDir(t), nil)
	mustStore(t, db, "r", "1", 1)
	backup := mustBackup(t, db)
	for _, name := range []string{faultfs.Create, faultfs.Write, faultfs.Sync, faultfs.Rename} {
		fsys := faultfs.NewSystem(disk.OS{})
		fsys.SetHook(failing(name, restoredName))
		dir := filepath.Join(testenv.TempDir(t), "restored")
		if err := restore(ctx, dir, fsys, bytes.NewReader(backup)); !errors.Is(err, syscall.EIO) {
			t.Errorf("%s fails: got %v; want EIO", name, err)
		}
	}
}

// TestSalvageGivesUpACopy salvages a tree during a compaction, whose copy has the damage too, or
// the name that the salvaged tree needs.
func TestSalvageGivesUpACopy(t *testing.T) {
	db := mustOpen(t, testenv.TempDir(t), &Options{Logger: discard})
	mustStore(t, db, "r", "1", 1)
	mustCheckpointed(t, db)
	taken := mustBeginCopy(t, db)
	err := taken.salvage(ctx, daybook.ErrCorrupt)
	hasCopy := taken.copy != nil
	taken.end()
	mustGiveUpCopy(t, db)
	if !errors.Is(err, daybook.ErrCorrupt) || hasCopy {
		t.Errorf("got %v, and the copy is there: %v; want the damage, and no copy", err, hasCopy)
	}
}

// TestMissingQuarantinedFile removes a file that was removed meanwhile.
func TestMissingQuarantinedFile(t *testing.T) {
	dir := mustOpenDirectory(t, testenv.TempDir(t))
	path := dir.file("daybook.corrupt-1.db")
	if err := dir.removeQuarantined(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("remove: got %v; want fs.ErrNotExist", err)
	}
	if err := dir.checkNotInUse(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("whether it is open: got %v; want fs.ErrNotExist", err)
	}
}

// TestSyncEndsWithItsContext ends the context while the disk syncs, which takes until the call has
// returned.
func TestSyncEndsWithItsContext(t *testing.T) {
	db, fsys := openFaulty(t, testenv.TempDir(t), Options{Durability: DurabilityOS})
	mustStore(t, db, "r", "1", 1)
	syncing, end := context.WithCancel(ctx)
	returned := make(chan struct{})
	fsys.SetHook(func(op faultfs.Op) error {
		if op.Name == faultfs.Sync && inLog(op) {
			end()
			<-returned
		}
		return nil
	})
	err := db.Sync(syncing)
	close(returned)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v; want that the context has ended", err)
	}
}
