// SPDX-License-Identifier: Apache-2.0

//go:build amd64 || arm64

package fusedisk_test

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.etcd.io/bbolt"
	"golang.org/x/sys/unix"

	"github.com/daybook-db/daybook/proof/fusedisk"
	"github.com/daybook-db/daybook/proof/journal"
	_ "github.com/daybook-db/daybook/proof/testenv" // go test ./proof/... -long gives the flag to all packages
)

func TestMain(m *testing.M) { fusedisk.Main(m) }

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// lines returns the operations of the journal from a place on, a line for each.
func lines(t *testing.T, d *fusedisk.Disk, from int) (lines []string) {
	t.Helper()
	ops, err := d.Journal(from)
	must(t, err)
	for _, op := range ops {
		lines = append(lines, strings.Join(strings.Fields(op.String()), " "))
	}
	return lines
}

func mark(t *testing.T, d *fusedisk.Disk) (at int) {
	t.Helper()
	at, err := d.Mark("here")
	must(t, err)
	return at
}

func create(t *testing.T, d *fusedisk.Disk, name string) *os.File {
	t.Helper()
	file, err := os.OpenFile(filepath.Join(d.Dir(), name), os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	must(t, err)
	t.Cleanup(func() { _ = file.Close() })
	return file
}

func write(t *testing.T, file *os.File, offset int64, data string) {
	t.Helper()
	_, err := file.WriteAt([]byte(data), offset)
	must(t, err)
}

// TestJournal compares the journal after one operation of each kind and a mark.
func TestJournal(t *testing.T) {
	d := fusedisk.MountFor(t)
	dir := filepath.Join(d.Dir(), "db")
	from := mark(t, d)
	must(t, os.Mkdir(dir, 0o700))
	file := create(t, d, "db/a")
	write(t, file, 3, "hello")
	must(t, file.Truncate(10))
	must(t, unix.Fdatasync(int(file.Fd())))
	must(t, file.Sync())
	_, err := d.Mark("done")
	must(t, err)
	must(t, os.Rename(file.Name(), filepath.Join(dir, "b")))
	syncDir(t, dir)
	must(t, os.Remove(filepath.Join(dir, "b")))
	write(t, file, 0, "\x00\x00") // the file is open, but has no name
	must(t, os.Remove(dir))
	want := []string{
		"mkdir db", "create db/a", "write db/a 3+5", "truncate db/a to 10",
		fmt.Sprintf("sync db/a (begun at %d)", from+4), fmt.Sprintf("sync db/a (begun at %d)", from+5),
		"mark done", "rename db/a to db/b", fmt.Sprintf("syncdir db (begun at %d)", from+8),
		"unlink db/b", "write db/b 0+2 of zeros", "rmdir db",
	}
	if diff := cmp.Diff(want, lines(t, d, from)); diff != "" {
		t.Errorf("the journal (-want +got):\n%s", diff)
	}
}

func syncDir(t *testing.T, path string) {
	t.Helper()
	dir, err := os.Open(path)
	must(t, err)
	defer dir.Close()
	must(t, dir.Sync())
}

// TestReadBack reads files that were written, lengthened and cut off, and an image that was loaded.
func TestReadBack(t *testing.T) {
	d := fusedisk.MountFor(t)
	file := create(t, d, "f")
	write(t, file, 0, strings.Repeat("x", 3*fusedisk.MaxWrite+7))
	must(t, file.Truncate(10))
	must(t, file.Truncate(5000))
	write(t, file, 9000, "end")
	want := append(append([]byte(strings.Repeat("x", 10)), make([]byte, 8990)...), "end"...)
	if got, err := os.ReadFile(file.Name()); err != nil || !bytes.Equal(got, want) {
		t.Errorf("read %d bytes, %v; want %d bytes, at least one of them different", len(got), err, len(want))
	}
	if _, err := os.OpenFile(file.Name(), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600); !errors.Is(err, fs.ErrExist) {
		t.Errorf("creating an existing file: got %v; want ErrExist", err)
	}
	must(t, file.Close())

	image := journal.Image{
		Dirs:  []string{"d", "d/e"},
		Files: map[string][]byte{"d/e/f": []byte("deep"), "g": make([]byte, 10000)},
	}
	_, err := d.Load(image)
	must(t, err)
	readFiles := func() (journal.Image, error) { return journal.ReadImage(d.Dir()) }
	for _, read := range []func() (journal.Image, error){d.Image, readFiles} {
		if got, err := read(); err != nil || !cmp.Equal(got, image) {
			t.Errorf("after Load: got %v, %v; want %v", got, err, image)
		}
	}
}

// TestFallocate gives a file its size, and fails where there is no room.
func TestFallocate(t *testing.T) {
	d := fusedisk.MountFor(t)
	file, from := create(t, d, "f"), mark(t, d)
	write(t, file, 0, "begin")
	must(t, unix.Fallocate(int(file.Fd()), 0, 0, fusedisk.MaxWrite+100))
	must(t, unix.Fallocate(int(file.Fd()), 0, 0, 7)) // it is longer
	want := []string{"write f 0+5", "write f 5+1048576 of zeros", "write f 1048581+95 of zeros"}
	if diff := cmp.Diff(want, lines(t, d, from)); diff != "" {
		t.Errorf("the journal (-want +got):\n%s", diff)
	}
	content := append([]byte("begin"), make([]byte, fusedisk.MaxWrite+95)...)
	if got, err := os.ReadFile(file.Name()); err != nil || !bytes.Equal(got, content) {
		t.Errorf("read %d bytes, %v; want %d", len(got), err, len(content))
	}
	if err := unix.Fallocate(int(file.Fd()), unix.FALLOC_FL_KEEP_SIZE, 0, 1<<22); err != unix.EOPNOTSUPP {
		t.Errorf("a mode: got %v; want EOPNOTSUPP", err)
	}
	must(t, d.SetCapacity(fusedisk.MaxWrite+200))
	if err := unix.Fallocate(int(file.Fd()), 0, 0, 1<<22); err != unix.ENOSPC {
		t.Errorf("on a full disk: got %v; want ENOSPC", err)
	}
}

// TestListing lists a directory that is too large for one read.
func TestListing(t *testing.T) {
	d := fusedisk.MountFor(t)
	var want []string
	for i := range 1000 {
		name := fmt.Sprintf("a-rather-long-name-of-a-file-%04d", i)
		must(t, create(t, d, name).Close())
		want = append(want, name)
	}
	entries, err := os.ReadDir(d.Dir())
	must(t, err)
	var got []string
	for _, entry := range entries {
		got = append(got, entry.Name())
	}
	if !slices.Equal(got, want) {
		t.Errorf("listed %d names; want %d", len(got), len(want))
	}
}

// TestMapping shows that a shared mapping has the bytes that are written later. bbolt relies on
// that.
func TestMapping(t *testing.T) {
	d := fusedisk.MountFor(t)
	file := create(t, d, "f")
	write(t, file, 0, strings.Repeat("a", 8192))
	mapped, err := unix.Mmap(int(file.Fd()), 0, 1<<20, unix.PROT_READ, unix.MAP_SHARED)
	must(t, err)
	defer func() { must(t, unix.Munmap(mapped)) }()
	if mapped[0] != 'a' || mapped[5000] != 'a' {
		t.Fatal("the mapping does not have the file's bytes")
	}
	write(t, file, 4990, "bbbbbbbbbbbbbbbbbbbb")
	must(t, file.Truncate(16384))
	write(t, file, 16383, "c")
	if mapped[5000] != 'b' || mapped[4989] != 'a' || mapped[12000] != 0 || mapped[16383] != 'c' {
		t.Errorf("the mapping does not have the bytes that were written: %q %q %q %q",
			mapped[5000], mapped[4989], mapped[12000], mapped[16383])
	}
}

// TestLocks shows that the advisory lock of one open file excludes that of another.
func TestLocks(t *testing.T) {
	d := fusedisk.MountFor(t)
	one := create(t, d, "f")
	other, err := os.Open(one.Name())
	must(t, err)
	defer other.Close()
	must(t, syscall.Flock(int(one.Fd()), syscall.LOCK_EX|syscall.LOCK_NB))
	if err := syscall.Flock(int(other.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); !errors.Is(err, syscall.EWOULDBLOCK) {
		t.Errorf("the second lock: got %v; want EWOULDBLOCK", err)
	}
	must(t, syscall.Flock(int(one.Fd()), syscall.LOCK_UN))
	must(t, syscall.Flock(int(other.Fd()), syscall.LOCK_EX|syscall.LOCK_NB))
}

// TestBolt writes with bbolt, and reads and checks the file on the disk and in the disk's image.
func TestBolt(t *testing.T) {
	d := fusedisk.MountFor(t)
	path := filepath.Join(d.Dir(), "bolt.db")
	db, err := bbolt.Open(path, 0o600, nil)
	must(t, err)
	for i := range 200 {
		must(t, db.Update(func(tx *bbolt.Tx) error {
			b, err := tx.CreateBucketIfNotExists([]byte("b"))
			if err != nil {
				return err
			}
			return b.Put(fmt.Appendf(nil, "%d", i), bytes.Repeat([]byte{'v'}, 1000))
		}))
	}
	must(t, db.Close())
	image, err := d.Image()
	must(t, err)
	copied := t.TempDir()
	must(t, image.WriteTo(copied))
	for _, path := range []string{path, filepath.Join(copied, "bolt.db")} {
		again, err := bbolt.Open(path, 0o600, &bbolt.Options{ReadOnly: true})
		must(t, err)
		must(t, again.View(func(tx *bbolt.Tx) error {
			if got := tx.Bucket([]byte("b")).Stats().KeyN; got != 200 {
				t.Errorf("%s has %d keys; want 200", path, got)
			}
			for err := range tx.Check() {
				t.Errorf("%s: %v", path, err)
			}
			return nil
		}))
		must(t, again.Close())
	}
}

// TestUnmountInUse shows that Unmount only detaches a disk that is in use, whose mappings can still
// be read.
func TestUnmountInUse(t *testing.T) {
	dir := t.TempDir()
	d, err := fusedisk.Mount(dir)
	if err != nil {
		d = fusedisk.MountFor(t) // skips the test, and says why
	}
	file := create(t, d, "f")
	write(t, file, 0, strings.Repeat("a", 1<<20))
	mapped, err := unix.Mmap(int(file.Fd()), 0, 1<<20, unix.PROT_READ, unix.MAP_SHARED)
	must(t, err)
	if err := d.Unmount(); !errors.Is(err, syscall.EBUSY) {
		t.Errorf("Unmount: got %v; want EBUSY", err)
	}
	for at := 0; at < len(mapped); at += 4096 {
		if mapped[at] != 'a' {
			t.Fatalf("the mapping has %q at %d; want 'a'", mapped[at], at)
		}
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) > 0 {
		t.Errorf("the directory still has %d files, %v; want none", len(entries), err)
	}
	must(t, unix.Munmap(mapped))
}
