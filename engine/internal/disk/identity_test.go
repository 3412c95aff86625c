// SPDX-License-Identifier: Apache-2.0

package disk

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// TestUnverifiable opens a directory whose path leads to another one each time, as with a file
// system that gives one directory several identities. Nothing can be verified there.
func TestUnverifiable(t *testing.T) {
	at, another := t.TempDir(), t.TempDir()
	for _, test := range []struct {
		name  string
		opens []string // the directories that are opened, one after another
		want  bool     // the directory can be verified
	}{
		{"the same", []string{at}, true},
		{"the same in the end", []string{another, another, at}, true},
		{"always another", []string{another, another, another}, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			d, opened, roots := &directory{}, 0, []*os.Root(nil)
			err := d.addPlace(at, at, func() (*os.Root, error) {
				opened++
				root, err := os.OpenRoot(test.opens[opened-1])
				roots = append(roots, root)
				return root, err
			})
			if err != nil {
				t.Fatal(err)
			}
			defer d.Close()
			if opened != len(test.opens) || len(d.places) != 1 || d.places[0].unverifiable == test.want {
				t.Errorf("after %d of %d times: %+v", opened, len(test.opens), d.places)
			}
			if err := d.Verify(); err != nil {
				t.Errorf("Verify: %v", err)
			}
			for i, root := range roots {
				if _, err := root.Stat("."); (err == nil) != (i == len(roots)-1) {
					t.Errorf("directory %d of %d: %v; want the last one open, and no other", i, len(roots), err)
				}
			}
		})
	}
}

// TestPathCannotBeLookedUp verifies a directory whose path the system refuses to look up. That
// proves nothing.
func TestPathCannotBeLookedUp(t *testing.T) {
	root, err := os.OpenRoot(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	if runtime.GOOS != "windows" { // which says that there is no file of such a name
		tooLong := filepath.Join(root.Name(), strings.Repeat("x", 1<<12))
		if err := (place{absolute: tooLong, root: root}).verify(); err != nil {
			t.Errorf("a path that is too long: %v", err)
		}
	}
	_ = root.Close()
	if err := (place{absolute: t.TempDir(), root: root}).verify(); err != nil {
		t.Errorf("an open directory that does not tell what it is: %v", err)
	}
}

// TestDescribe gives errors the whole path. An error of another kind stays as it is.
func TestDescribe(t *testing.T) {
	broken := errors.New("the disk failed")
	if err := describe(broken, "path"); err != broken {
		t.Errorf("got %v; want %v", err, broken)
	}
	err := describe(fmt.Errorf("twice: %w", &fs.PathError{Op: "open", Path: "name", Err: broken}), "dir/name")
	if !errors.Is(err, broken) || err.Error() != "open dir/name: the disk failed" {
		t.Errorf("got %v; want the whole path", err)
	}
	if err := describe(nil, "path"); err != nil {
		t.Errorf("got %v; want no error", err)
	}
}

// TestAbsolute makes paths absolute that lead up from a symbolic link.
func TestAbsolute(t *testing.T) {
	working := t.TempDir()
	t.Chdir(working)
	paths := []string{"a", filepath.Join(working, "a")}
	if runtime.GOOS != "windows" { // there it is the path itself that leads up
		paths = append(paths, "link/../a", ".")
	}
	for _, path := range paths {
		got, err := Absolute(path)
		if err != nil || !filepath.IsAbs(got) || !strings.HasSuffix(got, path) {
			t.Errorf("%s is %s, %v", path, got, err)
		}
	}
	if runtime.GOOS == "windows" { // which does not remove the working directory
		return
	}
	if err := os.Remove(working); err != nil {
		t.Fatal(err)
	}
	if got, err := Absolute("a"); err == nil {
		t.Errorf("in a directory that was removed, a is %s", got)
	}
	if d, err := (OS{}).OpenDirectory("."); err == nil {
		t.Errorf("a directory that was removed was opened: %v", d)
	}
}
