// SPDX-License-Identifier: Apache-2.0

package disk

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestPlaceOnLinux compares the place of a directory with what the system tells of its path.
func TestPlaceOnLinux(t *testing.T) {
	at := t.TempDir()
	file, err := os.Open(at)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	var stat unix.Stat_t
	var volume unix.Statfs_t
	if err := unix.Stat(at, &stat); err != nil {
		t.Fatal(err)
	}
	if err := unix.Statfs(at, &volume); err != nil {
		t.Fatal(err)
	}
	id := binary.BigEndian.AppendUint32(nil, uint32(volume.Fsid.Val[0]))
	id = binary.BigEndian.AppendUint32(id, uint32(volume.Fsid.Val[1]))
	var more unix.Statx_t
	if err := unix.Statx(unix.AT_FDCWD, at, 0, unix.STATX_BTIME, &more); err != nil {
		t.Fatal(err)
	}
	born := time.Unix(more.Btime.Sec, int64(more.Btime.Nsec)).UnixNano() // 0 if the file system does not have it
	if got := PlaceOf(file); got.File != stat.Ino || got.Volume != binary.BigEndian.Uint64(id) ||
		got.Born != uint64(born) {
		t.Errorf("got %+v; want file %d, made at %d, on file system %x", got, stat.Ino, born, id)
	}
	_ = file.Close()
	if got := PlaceOf(file); got != (Place{Machine: machine()}) {
		t.Errorf("the place of a closed file is %+v; want nothing but the machine", got)
	}
}

// TestFirstText reads the identity of a machine from the first file that has one.
func TestFirstText(t *testing.T) {
	at := t.TempDir()
	missing, empty := filepath.Join(at, "missing"), filepath.Join(at, "empty")
	first, second := filepath.Join(at, "first"), filepath.Join(at, "second")
	for path, text := range map[string]string{empty: "", first: "first", second: "second"} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, test := range []struct {
		paths []string
		want  string
	}{
		{[]string{first, second}, "first"}, {[]string{missing, second}, "second"}, {[]string{empty, second}, "second"},
		{[]string{missing, empty}, ""}, {nil, ""},
	} {
		if got := firstText(test.paths...); got != test.want {
			t.Errorf("%v: got %q; want %q", test.paths, got, test.want)
		}
	}
}

// TestChangedAt asks when a file was written to. That must be between two looks at the clock, which
// the kernel reads for files only some times a second.
func TestChangedAt(t *testing.T) {
	const coarse = 100 * time.Millisecond
	path := filepath.Join(t.TempDir(), "file")
	before := time.Now().Add(-coarse)
	if err := os.WriteFile(path, []byte("1"), 0o600); err != nil {
		t.Fatal(err)
	}
	past := time.Unix(1_000_000_000, 0) // a program can set only the other times
	if err := os.Chtimes(path, past, past); err != nil {
		t.Fatal(err)
	}
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	got, after := int64(ChangedAt(file)), time.Now().Add(coarse)
	if got < before.UnixNano() || got > after.UnixNano() {
		t.Errorf("got %d; want %d to %d", got, before.UnixNano(), after.UnixNano())
	}
	_ = file.Close()
	if got := ChangedAt(file); got != 0 {
		t.Errorf("a closed file: got %d; want 0", got)
	}
}
