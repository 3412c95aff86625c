// SPDX-License-Identifier: Apache-2.0

//go:build amd64 || arm64

package fusedisk_test

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/daybook-db/daybook/proof/fusedisk"
	"github.com/daybook-db/daybook/proof/journal"
)

// TestFaults fails one operation of each kind, the second that matches, and nothing else.
func TestFaults(t *testing.T) {
	d := fusedisk.MountFor(t)
	for _, c := range []struct {
		kind journal.OpKind
		do   func(dir string, file *os.File) error
	}{
		{journal.Create, func(dir string, _ *os.File) error {
			file, err := os.Create(filepath.Join(dir, "new"))
			return errors.Join(err, file.Close(), os.Remove(filepath.Join(dir, "new")))
		}},
		{journal.Mkdir, func(dir string, _ *os.File) error {
			return errors.Join(os.Mkdir(filepath.Join(dir, "sub"), 0o700), os.Remove(filepath.Join(dir, "sub")))
		}},
		{journal.Write, func(_ string, file *os.File) error { _, err := file.WriteAt([]byte("x"), 0); return err }},
		{journal.Truncate, func(_ string, file *os.File) error { return file.Truncate(100) }},
		{journal.Rename, func(dir string, file *os.File) error {
			return errors.Join(os.Rename(file.Name(), filepath.Join(dir, "g")), os.Rename(filepath.Join(dir, "g"), file.Name()))
		}},
		{journal.Sync, func(_ string, file *os.File) error { return file.Sync() }},
		{journal.Sync, func(_ string, file *os.File) error { return unix.Fdatasync(int(file.Fd())) }},
		{journal.SyncDir, func(dir string, _ *os.File) error {
			opened, err := os.Open(dir)
			return errors.Join(err, opened.Sync(), opened.Close())
		}},
		{journal.Open, func(_ string, file *os.File) error {
			opened, err := os.Open(file.Name())
			return errors.Join(err, opened.Close())
		}},
	} {
		t.Run(c.kind.String(), func(t *testing.T) {
			_, err := d.Load(journal.Image{})
			must(t, err)
			file := create(t, d, "f")
			skip := 1
			if c.kind == journal.Rename { // do renames twice
				skip = 2
			}
			must(t, d.Inject(fusedisk.Fault{Kinds: []journal.OpKind{c.kind}, Skip: skip, Times: 1, Errno: syscall.EIO}))
			for i, want := range []error{nil, syscall.EIO, nil} {
				if err := c.do(d.Dir(), file); !errors.Is(err, want) {
					t.Errorf("time %d: %v; want %v", i, err, want)
				}
			}
			if c.kind != journal.Open {
				ops, err := d.Journal(0)
				must(t, err)
				failed := 0
				for _, op := range ops {
					if op.Errno == syscall.EIO && op.Kind == c.kind {
						failed++
					}
				}
				if failed != 1 {
					t.Errorf("the journal has %d failed operations; want 1", failed)
				}
			}
		})
	}
}

// TestFaultPersists shows a fault that stays, on some names only, and the counts of one that only counts.
func TestFaultPersists(t *testing.T) {
	d := fusedisk.MountFor(t)
	must(t, os.Mkdir(filepath.Join(d.Dir(), "wal"), 0o700))
	log, other := create(t, d, "wal/1.log"), create(t, d, "other.db")
	must(t, d.Inject(
		fusedisk.Fault{Glob: "wal/*.log", Skip: 1, Times: -1, Errno: syscall.ENOSPC},
		fusedisk.Fault{Kinds: []journal.OpKind{journal.Write}},
		fusedisk.Fault{Glob: "*.db"},
	))
	for i, want := range []error{nil, syscall.ENOSPC, syscall.ENOSPC} {
		if _, err := log.WriteAt([]byte("abc"), 0); !errors.Is(err, want) {
			t.Errorf("write %d: %v; want %v", i, err, want)
		}
		write(t, other, 0, "abc")
	}
	got, err := d.Counts()
	must(t, err)
	if diff := cmp.Diff([]fusedisk.Counts{{Matched: 3, Failed: 2}, {Matched: 6}, {Matched: 3}}, got); diff != "" {
		t.Errorf("counts (-want +got):\n%s", diff)
	}
	must(t, d.Inject())
	write(t, log, 0, "abc")
}

// TestFaultyWrite shows a write that fails after some bytes, and one that is only short. What is read
// afterwards is what is on the disk.
func TestFaultyWrite(t *testing.T) {
	d := fusedisk.MountFor(t)
	file := create(t, d, "f")
	write(t, file, 0, "aaaaaaaa")
	must(t, d.Inject(fusedisk.Fault{Kinds: []journal.OpKind{journal.Write}, Times: 1, Errno: syscall.EIO, Written: 3}))
	if _, err := file.WriteAt([]byte("bbbbbb"), 0); !errors.Is(err, syscall.EIO) {
		t.Errorf("the write: %v; want EIO", err)
	}
	wantFile(t, file, "bbbaaaaa")
	must(t, d.Inject(fusedisk.Fault{Kinds: []journal.OpKind{journal.Write}, Times: 1, Errno: syscall.ENOSPC, Written: 3, Short: true}))
	if n, err := unix.Pwrite(int(file.Fd()), []byte("cccccc"), 2); n != 3 || err != nil {
		t.Errorf("the short write: %d, %v; want 3", n, err)
	}
	wantFile(t, file, "bbcccaaa")
}

func wantFile(t *testing.T, file *os.File, want string) {
	t.Helper()
	if got, err := os.ReadFile(file.Name()); err != nil || string(got) != want {
		t.Errorf("the file is %q, %v; want %q", got, err, want)
	}
}

// TestCapacity shows a disk that is full, and is not any more once something is removed.
func TestCapacity(t *testing.T) {
	d := fusedisk.MountFor(t)
	one, other := create(t, d, "one"), create(t, d, "other")
	must(t, d.SetCapacity(10))
	write(t, one, 0, "123456")
	if n, err := unix.Pwrite(int(other.Fd()), []byte("123456"), 0); n != 4 || err != nil {
		t.Errorf("the write that does not fit: %d, %v; want 4", n, err)
	}
	if _, err := other.WriteAt([]byte("5"), 4); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("the write on a full disk: %v; want ENOSPC", err)
	}
	if err := one.Truncate(7); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("the truncation on a full disk: %v; want ENOSPC", err)
	}
	write(t, one, 0, "654321") // overwriting takes no space
	must(t, os.Remove(one.Name()))
	write(t, other, 4, "56")
}
