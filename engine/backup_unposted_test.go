// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/codec"
	"github.com/daybook-db/daybook/engine/internal/disk"
	"github.com/daybook-db/daybook/engine/internal/disk/faultfs"
	"github.com/daybook-db/daybook/proof/testenv"
)

// storeInTreeAndLog stores values, of which some are posted.
func storeInTreeAndLog(t *testing.T, db *DB) {
	t.Helper()
	random := rand.New(rand.NewPCG(3, 4))
	for i := range uint64(2000) {
		record := fmt.Sprintf("r%d", random.IntN(40))
		mustStore(t, db, record, fmt.Sprintf(`"%d %s"`, i, digits(random.IntN(300))), random.Uint64N(500))
		if i == 900 {
			if err := db.Checkpoint(ctx); err != nil {
				t.Fatal(err)
			}
		}
	}
	if db.heads.activeEmpty() {
		t.Fatal("the heads are empty; the test wants values that are in the log alone")
	}
}

// storedOrder returns all values in the order in which they were stored, with their cursors.
func storedOrder(t *testing.T, db *DB) (changes []string) {
	t.Helper()
	for c, err := range db.Changes(ctx, daybook.ChangesParams{}) {
		if err != nil {
			t.Fatal(err)
		}
		if !c.IsPlace() {
			changes = append(changes, fmt.Sprint(c.Cursor, c.RecordName, c.StoredAt, string(c.Value)))
		}
	}
	return changes
}

// wantRestored restores a backup, and compares all values.
func wantRestored(t *testing.T, backup []byte, want []string) {
	t.Helper()
	restored := mustOpen(t, mustRestore(t, backup), nil)
	if diff := cmp.Diff(want, storedOrder(t, restored)); diff != "" {
		t.Errorf("restored (-want +got):\n%s", diff)
	}
	mustStore(t, restored, "more", "1", 1)
	mustClose(t, restored)
}

// TestBackupReadOnly backs up a directory as a killed process leaves it, on a disk that refuses
// each write. The values that are in the log alone are in the backup too.
func TestBackupReadOnly(t *testing.T) {
	dir := testenv.TempDir(t)
	db := mustOpen(t, dir, nil)
	storeInTreeAndLog(t, db)
	want := storedOrder(t, db)
	if err := db.abandon(); err != nil {
		t.Fatal(err)
	}
	fsys := faultfs.NewSystem(disk.OS{})
	fsys.SetHook(func(op faultfs.Op) error {
		if slices.Contains([]string{faultfs.Read, faultfs.ReadDir, faultfs.Open}, op.Name) {
			return nil
		}
		t.Errorf("%s %s", op.Name, op.Path)
		return faultfs.ErrInjected
	})
	options, err := (&Options{ReadOnly: true}).withDefaults()
	if err != nil {
		t.Fatal(err)
	}
	reading, err := open(dir, options, fsys)
	if err != nil {
		t.Fatal(err)
	}
	backup := mustBackup(t, reading)
	mustClose(t, reading)
	wantRestored(t, backup, want)
}

// TestBackupHasPositions backs up batches of another store that are in the log alone. After Restore
// their sender must not have to send them again.
func TestBackupHasPositions(t *testing.T) {
	dir := testenv.TempDir(t)
	db := mustOpen(t, dir, nil)
	first, second := newSender("a", 8), newSender("b", 4) // the next batch has no values
	if err := errors.Join(first.send(db), second.send(db), db.abandon()); err != nil {
		t.Fatal(err)
	}
	reading := mustOpen(t, dir, &Options{ReadOnly: true})
	want, backup := storedOrder(t, reading), mustBackup(t, reading)
	mustClose(t, reading)
	restored := mustOpen(t, mustRestore(t, backup), nil)
	for _, s := range []*sender{first, second} {
		last := s.batches[len(s.batches)-1]
		at, err := restored.Position(ctx, last.Store, last.Epoch, last.Stream)
		if err != nil || at != last.Position() {
			t.Errorf("restored, stream %s is at %v, %v; want %v", last.Stream, at, err, last.Position())
		}
	}
	if err := errors.Join(first.send(restored), second.send(restored)); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, storedOrder(t, restored)); diff != "" {
		t.Errorf("sent again (-want +got):\n%s", diff)
	}
}

// TestBackupWithoutRoom backs up a daybook whose tree cannot grow, not even into the reserve.
func TestBackupWithoutRoom(t *testing.T) {
	db := mustOpen(t, testenv.TempDir(t), &Options{Logger: discard})
	storeInTreeAndLog(t, db)
	want := storedOrder(t, db)
	taken := mustTakeTurn(t, db)
	taken.tree().SetMaxBytes(1)
	taken.end()
	backup := mustBackup(t, db)
	taken = mustTakeTurn(t, db)
	taken.tree().SetMaxBytes(0)
	taken.end()
	if db.heads.activeEmpty() && db.heads.frozenHead() == nil {
		t.Error("the heads were posted; the test wants no room for that")
	}
	wantRestored(t, backup, want)
}

// mustWriteUnposted returns the values of the heads as a backup has them after its tree.
func mustWriteUnposted(t *testing.T, db *DB) []byte {
	t.Helper()
	taken := mustTakeTurn(t, db)
	heads, err := taken.captureUnposted(allRecords)
	taken.end()
	var all bytes.Buffer
	u := unpostedWriter{w: &all, tuning: db.opts.Tuning, coder: codec.NewCoder()}
	if err = errors.Join(err, u.writeAll(ctx, heads)); err != nil {
		t.Fatal(err)
	}
	return all.Bytes()
}

// TestUnpostedDamage cuts the values after the tree of a backup anywhere, and alters them. Restore
// verifies the SHA-256 first; this is what it does after a mistake of the program that wrote it.
func TestUnpostedDamage(t *testing.T) {
	db := mustOpen(t, testenv.TempDir(t), nil)
	for i := range uint64(20) {
		mustStore(t, db, fmt.Sprintf("r%d", i%3), fmt.Sprint(i), i)
	}
	all := mustWriteUnposted(t, db)
	read := func(data []byte) (values int, err error) {
		for _, entries := range unposted(data).runs(&err) {
			values += len(entries)
		}
		return values, err
	}
	if values, err := read(all); values != 20 || err != nil {
		t.Fatalf("read %d values, %v; want 20", values, err)
	}
	for n := range len(all) {
		if values, err := read(all[:n]); values < 20 && err == nil && n > 0 && !isWhole(all[:n]) {
			t.Errorf("cut off after %d bytes of %d: %d values, %v", n, len(all), values, err)
		}
		altered := bytes.Clone(all)
		altered[n] ^= 1
		if values, err := read(altered); !errors.Is(err, daybook.ErrCorrupt) {
			t.Errorf("byte %d altered: %d values, %v", n, values, err)
		}
	}
}

// isWhole reports whether the values end with a whole chunk.
func isWhole(u unposted) bool {
	for len(u) > 0 {
		key, chunk, ok := u.cutChunk()
		if !ok {
			return false
		}
		u = u[unpostedHeaderLen+len(key)+len(chunk):]
	}
	return true
}
