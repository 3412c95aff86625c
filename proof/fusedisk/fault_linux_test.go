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

// TestFaults fails the second operation of each kind, and only that one.
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
			other := filepath.Join(dir, "g")
			return errors.Join(os.Rename(file.Name(), other), os.Rename(other, file.Name()))
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
			if c.kind == journal.Rename { // do makes two renames
				skip = 2
			}
			must(t, d.Inject(fusedisk.Fault{Kinds: []journal.OpKind{c.kind}, Skip: skip, Times: 1, Errno: syscall.EIO}))
			for i, want := range []error{nil, syscall.EIO, nil} {
				if err := c.do(d.Dir(), file); !errors.Is(err, want) {
					t.Errorf("call %d: got %v; want %v", i, err, want)
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

// TestFaultPersists fails all operations on some paths, and compares the counts of faults that only
// count.
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
			t.Errorf("write %d: got %v; want %v", i, err, want)
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

// TestFaultyWrite has a write that fails after some bytes and one that is short. A read returns the
// bytes that are on the disk.
func TestFaultyWrite(t *testing.T) {
	d := fusedisk.MountFor(t)
	file := create(t, d, "f")
	write(t, file, 0, "aaaaaaaa")
	fault := fusedisk.Fault{Kinds: []journal.OpKind{journal.Write}, Times: 1, Errno: syscall.EIO, Written: 3}
	must(t, d.Inject(fault))
	if _, err := file.WriteAt([]byte("bbbbbb"), 0); !errors.Is(err, syscall.EIO) {
		t.Errorf("the write: got %v; want EIO", err)
	}
	wantFile(t, file, "bbbaaaaa")
	fault.Errno, fault.Short = syscall.ENOSPC, true
	must(t, d.Inject(fault))
	if n, err := unix.Pwrite(int(file.Fd()), []byte("cccccc"), 2); n != 3 || err != nil {
		t.Errorf("the short write: got %d, %v; want 3", n, err)
	}
	wantFile(t, file, "bbcccaaa")
}

func wantFile(t *testing.T, file *os.File, want string) {
	t.Helper()
	if got, err := os.ReadFile(file.Name()); err != nil || string(got) != want {
		t.Errorf("the file has %q, %v; want %q", got, err, want)
	}
}

// TestCapacity fills a disk and removes a file, after which there is room again.
func TestCapacity(t *testing.T) {
	d := fusedisk.MountFor(t)
	one, other := create(t, d, "one"), create(t, d, "other")
	must(t, d.SetCapacity(10))
	write(t, one, 0, "123456")
	if n, err := unix.Pwrite(int(other.Fd()), []byte("123456"), 0); n != 4 || err != nil {
		t.Errorf("a write beyond the capacity: got %d, %v; want 4", n, err)
	}
	if _, err := other.WriteAt([]byte("5"), 4); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("a write on a full disk: got %v; want ENOSPC", err)
	}
	if err := one.Truncate(7); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("a truncation on a full disk: got %v; want ENOSPC", err)
	}
	write(t, one, 0, "654321") // overwriting takes no space
	must(t, os.Remove(one.Name()))
	write(t, other, 4, "56")
}
