// SPDX-License-Identifier: Apache-2.0

package tree

import (
	"errors"
	"math"
	"path/filepath"
	"testing"

	"github.com/daybook-db/daybook"
)

// TestOpenTwice opens a file that is open for writing: it is locked until it is closed.
func TestOpenTwice(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tree")
	tree := mustOpen(t, path)
	mustPost(t, tree, 0)
	readOnly := options()
	readOnly.ReadOnly = true
	for name, opts := range map[string]Options{"for writing": options(), "for reading": readOnly} {
		if _, err := openAt(t, path, opts); !errors.Is(err, daybook.ErrLocked) {
			t.Errorf("%s: got %v; want ErrLocked", name, err)
		}
	}
	if err := tree.Close(); err != nil {
		t.Fatal(err)
	}
	wantReadOnly(t, path, 1)
	wantRounds(t, mustOpen(t, path), 1)
}

// TestMaxBytes posts until the file may not grow any more. Then a post changes nothing, and the
// next one works as soon as the file may grow.
func TestMaxBytes(t *testing.T) {
	opts := options()
	opts.MaxBytes = 1 << 20
	tree, err := openAt(t, filepath.Join(t.TempDir(), "tree"), opts)
	if err != nil {
		t.Fatal(err)
	}
	defer tree.Close()
	posted := 0
	for {
		h, watermark := round(posted)
		if err = h.post(tree, watermark); err != nil {
			break
		}
		if posted++; posted > 100 {
			t.Fatal("the file has no maximum")
		}
	}
	if !errors.Is(err, daybook.ErrNoSpace) || !IsAtMaxBytes(err) || tree.Failure() != nil {
		t.Errorf("post %d: got %v, and later writes fail with %v; want ErrNoSpace at the maximum, and none",
			posted, err, tree.Failure())
	}
	if file, _, err := tree.Size(); file > opts.MaxBytes || posted < 2 || err != nil {
		t.Errorf("the file has %d bytes after %d posts, %v; want at most %d", file, posted, err, opts.MaxBytes)
	}
	wantRounds(t, tree, posted)
	tree.SetMaxBytes(math.MaxInt64)
	mustPost(t, tree, posted)
	wantRounds(t, tree, posted+1)
}
