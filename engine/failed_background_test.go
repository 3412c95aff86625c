// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/engine/internal/disk/faultfs"
	"github.com/daybook-db/daybook/proof/testenv"
)

// TestCompactionByItselfFails makes a compaction in the background fail. Nobody called it, so Stats
// must tell, and the next one waits.
func TestCompactionByItselfFails(t *testing.T) {
	db, _ := openFaulty(t, testenv.TempDir(t), Options{})
	mustStore(t, db, "r", "1", 1)
	taken := mustTakeTurn(t, db)
	db.heads.freeze()
	_ = taken.tree().Fail(syscall.EIO) // so the frozen head cannot be posted
	taken.end()
	db.compactor.nudge()
	for end := time.Now().Add(10 * time.Second); mustStats(t, db).CompactionFailure == nil; {
		if time.Now().After(end) {
			t.Fatal("Stats tells no failure")
		}
		time.Sleep(time.Millisecond)
	}
	if err := db.withTurn(ctx, func(turn *turn) error { // which the background gives back after its note
		if turn.pace.wait != minCompactWait || time.Until(turn.pace.until) <= 0 {
			t.Errorf("the next compaction waits for %v; want %v", turn.pace.wait, minCompactWait)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
}

// TestRetryWithoutSalvage calls what met damage only once more if the tree was salvaged. A tree in
// which a check finds no damage is not.
func TestRetryWithoutSalvage(t *testing.T) {
	db := mustOpen(t, testenv.TempDir(t), &Options{OnCorruption: OnCorruptionQuarantine, Logger: discard})
	mustStore(t, db, "r", "1", 1)
	taken := mustTakeTurn(t, db)
	defer taken.end()
	err := taken.retrySalvaged(ctx, daybook.ErrCorrupt, func() error { t.Error("it was called again"); return nil })
	if !errors.Is(err, daybook.ErrCorrupt) {
		t.Errorf("got %v; want the damage", err)
	}
}

// TestBackupCannotBeWritten fails the writer of a backup after each part of it: within the tree, in
// the values that follow it, and in the trailer.
func TestBackupCannotBeWritten(t *testing.T) {
	dir := testenv.TempDir(t)
	killed := mustOpen(t, dir, nil)
	storeInTreeAndLog(t, killed)
	if err := killed.abandon(); err != nil {
		t.Fatal(err)
	}
	db := mustOpen(t, dir, &Options{ReadOnly: true})
	whole := &limitedWriter{room: 1 << 30}
	if err := db.Backup(ctx, whole); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(filepath.Join(dir, TreeFile))
	if err != nil || int64(whole.written) <= info.Size()+trailerLen {
		t.Fatalf("the backup has %d bytes, the tree %d, %v; want values after it", whole.written, info.Size(), err)
	}
	tree := int(info.Size())
	for _, room := range []int{0, tree - 1, tree, tree + 1, whole.written - trailerLen - 1, whole.written - 1} {
		if err := db.Backup(ctx, &limitedWriter{room: room}); !errors.Is(err, syscall.EIO) {
			t.Errorf("the writer fails after %d bytes of %d: got %v; want EIO", room, whole.written, err)
		}
	}
}

// limitedWriter fails once it has more than room bytes.
type limitedWriter struct{ room, written int }

func (w *limitedWriter) Write(p []byte) (int, error) {
	if w.written+len(p) > w.room {
		return 0, syscall.EIO
	}
	w.written += len(p)
	return len(p), nil
}

// TestCutUnpostedRefuses cuts more off a backup than it has.
func TestCutUnpostedRefuses(t *testing.T) {
	dir := mustOpenDirectory(t, testenv.TempDir(t))
	if err := os.WriteFile(dir.file(restoredName), []byte("12345"), 0o600); err != nil {
		t.Fatal(err)
	}
	if rest, err := dir.cutUnposted(5, 6); !errors.Is(err, daybook.ErrCorrupt) {
		t.Errorf("6 of 5 bytes: got %q, %v; want ErrCorrupt", rest, err)
	}
	if rest, err := dir.cutUnposted(5, 2); string(rest) != "45" || err != nil {
		t.Errorf("2 of 5 bytes: got %q, %v; want the last two", rest, err)
	}
	if info, err := os.Stat(dir.file(restoredName)); err != nil || info.Size() != 3 {
		t.Errorf("the file has %v, %v; want 3 bytes", info, err)
	}
}

// TestClaimOfADirectory claims a tree where a directory has its name.
func TestClaimOfADirectory(t *testing.T) {
	dir := mustOpenDirectory(t, testenv.TempDir(t))
	if err := os.Mkdir(dir.file(TreeFile), 0o700); err != nil {
		t.Fatal(err)
	}
	if claim, err := dir.claimTree(); err == nil || claim != nil {
		t.Errorf("got %v, %v; want the operating system's error", claim, err)
	}
}

// TestQuarantinedCannotBeRemoved fails the removal of a file, and then the sync after it.
func TestQuarantinedCannotBeRemoved(t *testing.T) {
	dir, files := quarantineLogAndTree(t)
	db, fsys := openFaulty(t, dir, Options{})
	for _, file := range files {
		fsys.SetHook(failing(faultfs.Remove, file.Name))
		if err := db.RemoveQuarantined(ctx, file.Name); !errors.Is(err, syscall.EIO) {
			t.Errorf("the removal of %s fails: got %v; want EIO", file.Name, err)
		}
		if _, err := os.Stat(file.Path); err != nil {
			t.Error(err)
		}
		fsys.SetHook(failing(faultfs.SyncDir, ""))
		if err := db.RemoveQuarantined(ctx, file.Name); !errors.Is(err, syscall.EIO) {
			t.Errorf("the sync after the removal of %s fails: got %v; want EIO", file.Name, err)
		}
		if _, err := os.Stat(file.Path); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s is there: %v", file.Path, err)
		}
	}
}

// TestRecentSize counts the memory of the values that wait for watchers.
func TestRecentSize(t *testing.T) {
	p := &recentPart{values: make([]recentValue, 3), bytes: make([]byte, 5)}
	want := 5 + 3*int(unsafe.Sizeof(recentValue{}))
	if got, all := p.size(), (&recentValues{parts: []*recentPart{p, p}}).size(); got != want || all != 2*want {
		t.Errorf("a part has %d bytes, two have %d; want %d and %d", got, all, want, 2*want)
	}
}

// TestCopyGivesTheTurnBack copies for no time. The copy must not go on, because others wait.
func TestCopyGivesTheTurnBack(t *testing.T) {
	db := mustOpen(t, testenv.TempDir(t), nil)
	mustStore(t, db, "r", "1", 1)
	mustCheckpointed(t, db)
	taken := mustBeginCopy(t, db)
	defer taken.end()
	if done, err := taken.copyFor(ctx, 0); done || err != nil {
		t.Errorf("for no time: got %v, %v; want a copy that is not complete", done, err)
	}
	if done, err := taken.copyFor(ctx, time.Minute); !done || err != nil {
		t.Errorf("for a minute: got %v, %v; want a complete copy", done, err)
	}
	taken.giveUpCopy(nil)
}

// TestDropByCopyFails fails the rename that would put the copy in the tree's place.
func TestDropByCopyFails(t *testing.T) {
	db, fsys := openFaulty(t, testenv.TempDir(t), Options{MaxSize: MinMaxSize, WhenFull: WhenFullDropOldest})
	for n := range uint64(10) {
		mustStore(t, db, "r", "1", n)
	}
	mustCheckpointed(t, db)
	before := db.trees.get()
	fsys.SetHook(func(op faultfs.Op) error {
		if op.Name == faultfs.Rename {
			return syscall.EIO
		}
		return nil
	})
	taken := mustTakeTurn(t, db)
	deleted, err := taken.dropByCopy(ctx)
	taken.end()
	fsys.SetHook(nil)
	if deleted != 0 || !errors.Is(err, syscall.EIO) || db.trees.get() != before {
		t.Errorf("dropByCopy = %d, %v; want EIO, and the tree that it was", deleted, err)
	}
	if got := len(mustQuery(t, db, "r", daybook.QueryParams{})); got != 10 {
		t.Errorf("%d values remain; want 10", got)
	}
	if _, left := filesIn(t, db.dir.path)[copyName]; left {
		t.Error("the copy is still there")
	}
}

// TestUnreadableRestore checks a restored file that is no tree.
func TestUnreadableRestore(t *testing.T) {
	dir := mustOpenDirectory(t, testenv.TempDir(t))
	for _, content := range []string{"", "no tree at all"} {
		if err := os.WriteFile(dir.file(restoredName), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := dir.checkRestored(ctx); !errors.Is(err, daybook.ErrCorrupt) {
			t.Errorf("%q: got %v; want ErrCorrupt", content, err)
		}
	}
}

// TestArriveForgetsOldSamples adds an arrival to a hold whose samples are older than its MaxAge.
func TestArriveForgetsOldSamples(t *testing.T) {
	now := time.UnixMilli(100 * time.Hour.Milliseconds())
	h := &hold{Hold: daybook.Hold{MaxAge: time.Hour}}
	for n := range uint64(9) {
		h.samples = append(h.samples, holdSample{Time: int64(n) * time.Hour.Milliseconds(), Sequence: n + 1})
	}
	h.arrive([]holdSample{{Time: now.UnixMilli(), Sequence: 20}}, now)
	if n := len(h.samples); n != 2 || h.samples[0].Sequence != 9 || h.samples[1].Sequence != 20 {
		t.Errorf("the samples are %+v; want the last old one, and the new one", h.samples)
	}
}
