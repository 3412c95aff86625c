// SPDX-License-Identifier: Apache-2.0

package journal

import (
	"errors"
	"fmt"
	"hash/maphash"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	_ "github.com/daybook-db/daybook/proof/testenv" // go test ./proof/... -long gives the flag to all packages
)

// TestImage writes an image with holes to a directory and reads it back. Every byte and name
// changes the sum.
func TestImage(t *testing.T) {
	image := Image{Dirs: []string{"d", "d/e"}, Files: map[string][]byte{
		"empty":  {},
		"zeros":  make([]byte, 3*zeroRun+5),
		"d/e/f":  []byte("text"),
		"sparse": append(append(make([]byte, 2*zeroRun), "data"...), make([]byte, 2*zeroRun)...),
	}}
	dir := t.TempDir()
	if err := image.WriteTo(dir); err != nil {
		t.Fatal(err)
	}
	got, err := ReadImage(dir)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(image, got); diff != "" {
		t.Errorf("read back (-want +got):\n%s", diff)
	}
	seed := maphash.MakeSeed()
	sum := image.Sum(seed)
	if got.Sum(seed) != sum {
		t.Error("equal images have different sums")
	}
	got.Files["sparse"][0] = 1
	if got.Sum(seed) == sum {
		t.Error("the sum does not change with a byte")
	}
	delete(image.Files, "empty")
	if image.Sum(seed) == sum {
		t.Error("the sum does not change when a file is missing")
	}
}

// TestImageOfAnOpenDirectory reads a directory while log segments are made, renamed and removed in
// it. Of each file the image has all bytes under one name.
func TestImageOfAnOpenDirectory(t *testing.T) {
	for round := range 20 {
		from, to := t.TempDir(), filepath.Join(t.TempDir(), "copy")
		if err := os.Mkdir(filepath.Join(from, "wal"), 0o700); err != nil {
			t.Fatal(err)
		}
		begun, made := make(chan struct{}), make(chan error, 1)
		go func() { made <- makeSegments(filepath.Join(from, "wal"), sync.OnceFunc(func() { close(begun) })) }()
		<-begun
		if err := CopyOpenDir(to, from); err != nil {
			t.Errorf("round %d: %v", round, err)
		}
		if err := <-made; err != nil {
			t.Fatal(err)
		}
		image, err := ReadImage(to)
		if err != nil {
			t.Fatal(err)
		}
		if segments := len(image.Files); segments > 2 {
			t.Errorf("round %d: the image has %d files; want those of one moment, at most 2", round, segments)
		}
	}
}

// makeSegments makes 200 files, one after the other, and gives each its name when it is written.
// Before it makes one it removes the last but one. It calls begun when it has made some.
func makeSegments(dir string, begun func()) error {
	defer begun()
	name := func(number int) string { return filepath.Join(dir, fmt.Sprintf("%d.log", number)) }
	for number := range 200 {
		if number == 10 {
			begun()
		}
		if number > 1 {
			if err := os.Remove(name(number - 2)); err != nil {
				return err
			}
		}
		temporary := filepath.Join(dir, fmt.Sprintf("%d.new.log", number))
		err := os.WriteFile(temporary, make([]byte, 64<<10), 0o600)
		if err := errors.Join(err, os.Rename(temporary, name(number))); err != nil {
			return err
		}
	}
	return nil
}

// TestOpString compares the lines that a failing test prints.
func TestOpString(t *testing.T) {
	for _, c := range []struct {
		op   Op
		want string
	}{
		{Op{Kind: Create, Path: "d/f"}, "create d/f"},
		{Op{Kind: Write, Path: "f", Offset: 512, Data: []byte("abc")}, "write f 512+3"},
		{Op{Kind: Write, Path: "f", Data: make([]byte, 9)}, "write f 0+9 of zeros"},
		{Op{Kind: Truncate, Path: "f", Size: 7}, "truncate f to 7"},
		{Op{Kind: Rename, Path: "d/f", NewName: "g"}, "rename d/f to d/g"},
		{Op{Kind: SyncDir, Path: "d", Began: 4, Errno: syscall.EIO}, "syncdir d (begun at 4): input/output error"},
		{Op{Kind: Mark, Mark: "done 3"}, "mark done 3"},
		{Op{Kind: 99}, "OpKind(99)"},
	} {
		if got := strings.Join(strings.Fields(c.op.String()), " "); got != c.want {
			t.Errorf("got %q; want %q", got, c.want)
		}
	}
}
