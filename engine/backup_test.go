// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/engine/internal/disk"
	"github.com/daybook-db/daybook/engine/internal/disk/faultfs"
	"github.com/daybook-db/daybook/proof/testenv"
)

func mustBackup(t *testing.T, db *DB) []byte {
	t.Helper()
	var backup bytes.Buffer
	if err := db.Backup(ctx, &backup); err != nil {
		t.Fatal(err)
	}
	return backup.Bytes()
}

func mustRestore(t *testing.T, backup []byte) (dir string) {
	t.Helper()
	dir = filepath.Join(testenv.TempDir(t), "a", "restored")
	if err := Restore(ctx, dir, bytes.NewReader(backup)); err != nil {
		t.Fatal(err)
	}
	return dir
}

// TestBackup backs up values in the tree, in the head, and in both, and goes on in the restored
// directory.
func TestBackup(t *testing.T) {
	tests := []struct {
		name   string
		stored int
		posted int
	}{{"empty", 0, 0}, {"in the head", 5, 0}, {"in the tree", 5, 5}, {"in both", 9, 5},
		{"of many pages", 20_000, 15_000}}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			db := mustOpen(t, testenv.TempDir(t), &Options{Durability: DurabilityOS})
			for i := range test.stored {
				mustStore(t, db, fmt.Sprintf("r%d", i%100), fmt.Sprintf(`"%d %s"`, i, digits(20)), uint64(i))
				if i+1 == test.posted {
					if err := db.Checkpoint(ctx); err != nil {
						t.Fatal(err)
					}
				}
			}
			want := mustQuery(t, db, "*", daybook.QueryParams{})
			backup := mustBackup(t, db)
			mustStore(t, db, "later", "1", 1)
			restored := mustOpen(t, mustRestore(t, backup), nil)
			wantRows(t, mustQuery(t, restored, "*", daybook.QueryParams{}), want...)
			mustStore(t, restored, "restored", "1", 1)
			if got := mustChange(t, restored, restored.cursorAt(uint64(test.stored))); len(got) != 1 ||
				got[0].Cursor.Sequence != uint64(test.stored)+1 {
				t.Errorf("sequence numbers do not go on: %v", got)
			}
			// The first part of a backup is the file of the tree, so that opens without Restore
			// too.
			dir := testenv.TempDir(t)
			write(t, filepath.Join(dir, TreeFile), string(backup))
			wantRows(t, mustQuery(t, mustOpen(t, dir, nil), "*", daybook.QueryParams{}), want...)
		})
	}
}

// slowly is a Writer that calls a function after each write.
type slowly struct {
	bytes.Buffer
	between func()
}

func (s *slowly) Write(p []byte) (int, error) {
	for len(p) > 64<<10 {
		_, _ = s.Buffer.Write(p[:64<<10])
		p = p[64<<10:]
		s.between()
	}
	s.between()
	_, err := s.Buffer.Write(p)
	return len(p), err
}

// TestBackupWhileStoring stores, checkpoints, deletes and compacts while a backup is written. The
// backup has all values that were acknowledged before, and a prefix of those that were stored
// later.
func TestBackupWhileStoring(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("there a Backup holds up a checkpoint as an open scan does: TestStoreWithinAScan")
	}
	db := mustOpen(t, testenv.TempDir(t),
		&Options{Durability: DurabilityOS, Tuning: Tuning{HeadSize: 64 << 10, TransactionSize: 64 << 10}})
	var acknowledged atomic.Int64
	done := make(chan struct{})
	var writing sync.WaitGroup
	writing.Go(func() {
		for i := int64(1); ; i++ {
			select {
			case <-done:
				return
			default:
			}
			if err := db.Store(ctx, fmt.Sprintf("r%d", i%10), json.RawMessage(fmt.Sprintf(`"%s"`, digits(200))),
				uint64(i)); err != nil {
				t.Error(err)
				return
			}
			acknowledged.Store(i)
		}
	})
	for acknowledged.Load() < 20_000 {
	}
	for round := range 3 {
		minimum := acknowledged.Load()
		written := 0
		w := &slowly{between: func() {
			if written++; written == 4 && round > 0 {
				if err := db.Compact(ctx); err != nil {
					t.Error(err)
				}
				if _, err := db.Cleanup(ctx, uint64(minimum/2)); err != nil {
					t.Error(err)
				}
			}
		}}
		oldest := uint64(0)
		if first := mustChange(t, db, daybook.Cursor{}); len(first) > 0 {
			oldest = first[0].Cursor.Sequence
		}
		if err := db.Backup(ctx, w); err != nil {
			t.Fatal(err)
		}
		restored := mustOpen(t, mustRestore(t, w.Bytes()), nil)
		next := oldest
		for _, change := range mustChange(t, restored, daybook.Cursor{}) {
			if change.Cursor.Sequence != next || change.StoredAt != next {
				t.Fatalf("got value %d; want %d", change.Cursor.Sequence, next)
			}
			next++
		}
		if next <= uint64(minimum) {
			t.Errorf("the last value is %d; %d had been acknowledged", next-1, minimum)
		}
		mustClose(t, restored)
	}
	close(done)
	writing.Wait()
}

// TestRestoreRefuses cuts a backup off at every place, changes every part of it, and adds bytes to
// it.
func TestRestoreRefuses(t *testing.T) {
	db := mustOpen(t, testenv.TempDir(t), &Options{Durability: DurabilityOS})
	for i := range 50 {
		mustStore(t, db, fmt.Sprintf("r%d", i%5), fmt.Sprint(i), uint64(i))
	}
	whole := mustBackup(t, db)
	refused := func(what string, backup []byte) {
		t.Helper()
		dir := filepath.Join(testenv.TempDir(t), "restored")
		err := Restore(ctx, dir, bytes.NewReader(backup))
		if !errors.Is(err, daybook.ErrCorrupt) && !errors.Is(err, daybook.ErrVersion) {
			t.Errorf("%s: got %v; want ErrCorrupt", what, err)
		}
		if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: the directory is there (%v)", what, err)
		}
	}
	for cut := 0; cut < len(whole); cut += 1 + cut/50 {
		refused(fmt.Sprintf("cut off after %d of %d bytes", cut, len(whole)), whole[:cut])
	}
	refused("cut off by one byte", whole[:len(whole)-1])
	for at := 0; at < len(whole); at += 97 {
		altered := bytes.Clone(whole)
		altered[at] ^= 1 << (at % 8)
		refused(fmt.Sprintf("altered at %d of %d", at, len(whole)), altered)
	}
	for at := len(whole) - trailerLen; at < len(whole); at++ {
		altered := bytes.Clone(whole)
		altered[at] ^= 0x10
		refused(fmt.Sprintf("altered at %d of %d", at, len(whole)), altered)
	}
	refused("with a byte more", append(bytes.Clone(whole), 0))
	refused("twice", append(bytes.Clone(whole), whole...))
	refused("something else", []byte(strings.Repeat("no backup ", 1000)))
}

// TestRestoreTarget restores into directories that are not empty, which stay as they were.
func TestRestoreTarget(t *testing.T) {
	db := mustOpen(t, t.TempDir(), nil)
	mustStore(t, db, "r", "1", 1)
	whole := mustBackup(t, db)
	dir := t.TempDir()
	if err := Restore(ctx, dir, bytes.NewReader(whole[:100])); !errors.Is(err, daybook.ErrCorrupt) {
		t.Errorf("cut off: got %v", err)
	}
	write(t, filepath.Join(dir, restoredName), "what a power cut left")
	if err := Restore(ctx, dir, bytes.NewReader(whole)); err != nil {
		t.Errorf("an empty directory: %v", err)
	}
	before, err := os.ReadFile(filepath.Join(dir, TreeFile))
	if err != nil {
		t.Fatal(err)
	}
	if err := Restore(ctx, dir, bytes.NewReader(whole)); !errors.Is(err, fs.ErrExist) {
		t.Errorf("a directory that holds a daybook: got %v; want fs.ErrExist", err)
	}
	if after, err := os.ReadFile(filepath.Join(dir, TreeFile)); err != nil || !bytes.Equal(before, after) {
		t.Errorf("the daybook that was there has changed (%v)", err)
	}
	if err := Restore(ctx, filepath.Join(dir, TreeFile), bytes.NewReader(whole)); err == nil {
		t.Error("restored into a file")
	}
	cancelled, cancel := context.WithCancel(ctx)
	cancel()
	fresh := filepath.Join(t.TempDir(), "fresh")
	if err := Restore(cancelled, fresh, bytes.NewReader(whole)); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: got %v", err)
	}
	broken := io.MultiReader(bytes.NewReader(whole[:5000]), &failingReader{})
	if err := Restore(ctx, fresh, broken); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("a reader that fails: got %v", err)
	}
	if _, err := os.Stat(fresh); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the directory is there (%v)", err)
	}
}

type failingReader struct{}

func (failingReader) Read([]byte) (int, error) { return 0, io.ErrClosedPipe }

// TestRestoreFaults fails each operation in turn. After an error there is no daybook. After a
// crash, which keeps the operations before it, there is none or a complete one.
func TestRestoreFaults(t *testing.T) {
	db := mustOpen(t, t.TempDir(), &Options{Durability: DurabilityOS})
	mustStore(t, db, "r", "1", 1)
	backup, want := mustBackup(t, db), mustQuery(t, db, "*", daybook.QueryParams{})
	for step := 0; ; step++ {
		fsys, done := faultfs.NewSystem(disk.OS{}), 0
		fsys.SetHook(func(faultfs.Op) error {
			if done++; done == step+1 {
				return faultfs.ErrInjected
			}
			return nil
		})
		dir := filepath.Join(t.TempDir(), "restored")
		err := restore(ctx, dir, fsys, bytes.NewReader(backup))
		if err == nil && done <= step {
			if step < 8 {
				t.Fatalf("only %d operations were seen", step)
			}
			return
		}
		_, missing := os.Stat(filepath.Join(dir, TreeFile))
		if err == nil || !errors.Is(missing, fs.ErrNotExist) {
			t.Errorf("step %d: got %v, and the daybook is there (%v)", step, err, missing)
		}
		// A crash: no later operation takes place.
		dir = filepath.Join(t.TempDir(), "restored")
		failAfter(fsys, step)
		_ = restore(ctx, dir, fsys, bytes.NewReader(backup))
		if exists, err := Exists(dir); err != nil {
			t.Fatal(err)
		} else if !exists { // an empty file with the tree's name may be there
			if err := Restore(ctx, dir, bytes.NewReader(backup)); err != nil {
				t.Errorf("step %d: once more: %v", step, err)
			}
		}
		restored := mustOpen(t, dir, nil)
		wantRows(t, mustQuery(t, restored, "*", daybook.QueryParams{}), want...)
		mustClose(t, restored)
	}
}

// TestBackupRefuses backs up damaged values, into a failing writer, and from a directory that is
// open read-only with values in its log.
func TestBackupRefuses(t *testing.T) {
	dir := t.TempDir()
	db := mustOpen(t, dir, nil)
	mustStore(t, db, "r", "1", 1)
	var backup bytes.Buffer
	cancelled, cancel := context.WithCancel(ctx)
	cancel()
	if err := db.Backup(cancelled, &backup); !errors.Is(err, context.Canceled) || backup.Len() > 0 {
		t.Errorf("cancelled: got %v, and %d bytes", err, backup.Len())
	}
	reader, writer := io.Pipe()
	_ = reader.Close()
	if err := db.Backup(ctx, writer); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("a writer that fails: got %v", err)
	}
	mustStore(t, db, "r", "2", 2)
	if err := db.abandon(); err != nil {
		t.Fatal(err)
	}
	reading := mustOpen(t, dir, &Options{ReadOnly: true})
	restored := mustOpen(t, mustRestore(t, mustBackup(t, reading)), nil)
	if diff := cmp.Diff(mustQuery(t, reading, "*", daybook.QueryParams{}),
		mustQuery(t, restored, "*", daybook.QueryParams{})); diff != "" {
		t.Errorf("backed up read-only (-want +got):\n%s", diff)
	}
	mustClose(t, reading)
	for _, bucket := range []string{"values", "records"} {
		damaged := t.TempDir()
		copyFile(t, filepath.Join(dir, TreeFile), filepath.Join(damaged, TreeFile))
		damage(t, damaged, bucket, func(value []byte) { value[len(value)-1] ^= 1 })
		backup.Reset()
		wantCorrupt(t, bucket, openDamaged(t, damaged, Options{}).Backup(ctx, &backup))
		if backup.Len() > 0 {
			t.Errorf("%s: %d bytes were written of a damaged store", bucket, backup.Len())
		}
	}
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	data, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	write(t, to, string(data))
}

// TestRestoreBesideOpen opens the directory while it is being restored into. The Open must be told
// so, and must not make an empty daybook in the place of the restored one.
func TestRestoreBesideOpen(t *testing.T) {
	source := mustOpen(t, t.TempDir(), nil)
	mustStore(t, source, "restored", "1", 1)
	var backup bytes.Buffer
	if err := source.Backup(ctx, &backup); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	var opened error
	opening := readerFunc(func(p []byte) (int, error) {
		if opened == nil {
			_, opened = Open(dir, &Options{LockTimeout: -1})
		}
		return backup.Read(p)
	})
	if err := Restore(ctx, dir, opening); err != nil {
		t.Errorf("Restore: %v", err)
	}
	if !errors.Is(opened, daybook.ErrLocked) {
		t.Errorf("Open during a Restore: %v; want ErrLocked", opened)
	}
	db := mustOpen(t, dir, nil)
	wantRows(t, mustQuery(t, db, "*", daybook.QueryParams{}), row{"restored", "1", 1})
}

type readerFunc func(p []byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

// panickingReader panics in Read.
type panickingReader struct{}

func (panickingReader) Read([]byte) (int, error) { panic("the reader's own") }

// TestRestorePanic restores from a reader that panics: no file and no directory is left.
func TestRestorePanic(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "b")
	func() {
		defer func() { _ = recover() }()
		_ = Restore(ctx, dir, panickingReader{})
	}()
	if _, err := os.Stat(filepath.Dir(dir)); !os.IsNotExist(err) {
		t.Errorf("the directory above is there: %v", err)
	}
}
