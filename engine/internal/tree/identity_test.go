// SPDX-License-Identifier: Apache-2.0

package tree

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/engine/internal/identity"
)

func mustIdentity(t *testing.T, tree *Tree) identity.Identity {
	t.Helper()
	i, err := tree.Identity()
	if err != nil {
		t.Fatal(err)
	}
	return i
}

func wantIdentity(t *testing.T, tree *Tree, want identity.Identity) {
	t.Helper()
	if got := mustIdentity(t, tree); !got.Equal(want) {
		t.Errorf("got identity %v; want %v", got, want)
	}
}

// TestIdentityIsSavedWithAPost crashes before a post, between its commit and the seal, and after
// that. The watermark and the epoch must be there together.
func TestIdentityIsSavedWithAPost(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tree")
	tree := mustOpen(t, path)
	before := mustIdentity(t, tree)
	if before.IsZero() || len(before.Epochs) != 1 {
		t.Errorf("a new tree has identity %v; want a store with one epoch", before)
	}
	after, _ := before.BeginRandom(0, true)
	reopen := func() {
		t.Helper()
		if err := tree.bolt.Close(); err != nil {
			t.Fatal(err)
		}
		tree = mustOpen(t, path)
	}
	tree.SetIdentity(after)
	if tree.IdentitySaved() || !tree.NextIdentity().Equal(after) {
		t.Error("an identity that was only set counts as saved")
	}
	reopen()
	wantIdentity(t, tree, before)

	tree.SetIdentity(after)
	h, watermark := round(0)
	err := tree.update(func(w *writeTx) error {
		posting := h.posting(watermark)
		_, _, err := w.postPart(&posting)
		return err
	})
	if err != nil || !tree.IdentitySaved() {
		t.Errorf("the post: %v; is the identity saved? %v", err, tree.IdentitySaved())
	}
	reopen()
	wantIdentity(t, tree, after)
	if state, err := tree.State(); state.Watermark != watermark || err != nil {
		t.Errorf("got watermark %d, %v; want %d", state.Watermark, err, watermark)
	}
}

// TestIdentityInBothMetaPages loses the newer of bbolt's meta pages after the identity was saved.
func TestIdentityInBothMetaPages(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tree")
	tree := mustOpen(t, path)
	mustPost(t, tree, 0)
	want, _ := mustIdentity(t, tree).BeginRandom(1, true)
	tree.SetIdentity(want)
	if err := errors.Join(tree.SaveIdentity(), tree.Close()); err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for meta := range 2 {
		data := bytes.Clone(whole)
		clear(data[meta*pageSize:][:pageSize])
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		tree := mustOpen(t, path)
		wantIdentity(t, tree, want)
		if err := tree.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestCopyHasItsOwnPlace copies a tree whose identity is set and not saved.
func TestCopyHasItsOwnPlace(t *testing.T) {
	dir := t.TempDir()
	tree := mustOpen(t, filepath.Join(dir, "tree"))
	mustPost(t, tree, 0)
	want, _ := mustIdentity(t, tree).BeginRandom(1, true)
	tree.SetIdentity(want)
	for _, path := range []string{filepath.Join(dir, "copy"), filepath.Join(dir, "salvaged")} {
		var err error
		if strings.HasSuffix(path, "salvaged") {
			var salvaged *Tree
			if salvaged, err = tree.Salvage(ctx, path); err == nil {
				err = salvaged.Close()
			}
		} else {
			err = copyTree(tree, path)
		}
		if err != nil {
			t.Fatal(err)
		}
		copied := mustOpen(t, path)
		wantIdentity(t, copied, want)
		if copied.IsElsewhere() {
			t.Errorf("%s takes itself for a copy of another file", path)
		}
		data, err := os.ReadFile(path)
		if err = errors.Join(err, copied.Close()); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path+"2", data, 0o600); err != nil {
			t.Fatal(err)
		}
		if other := mustOpen(t, path+"2"); other.identity.here.File != 0 && !other.IsElsewhere() {
			t.Errorf("a copy of %s does not know that it is one", path)
		}
	}
}

func copyTree(tree *Tree, path string) error {
	c, err := tree.Copy(path)
	for done := false; err == nil && !done; {
		done, err = c.Step(ctx)
	}
	if err != nil {
		return err
	}
	copied, err := c.Finish()
	if err != nil {
		return err
	}
	return copied.Close()
}

// TestIdentityDamage changes each byte of the identity and of the place, on disk and under an open
// tree.
func TestIdentityDamage(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tree")
	tree := mustOpen(t, path)
	mustPost(t, tree, 0)
	encoded := mustIdentity(t, tree).Append(nil)
	place := tree.identity.here
	places := encodeFields(place.Fields())
	if err := tree.Close(); err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range [][]byte{encoded, places} {
		for at := 0; at < len(part); at += 5 {
			data := bytes.Clone(whole)
			for from := 0; ; from += len(part) {
				next := bytes.Index(data[from:], part)
				if next < 0 {
					break
				}
				from += next
				data[from+at] ^= 0x20
			}
			if err := os.WriteFile(path, data, 0o600); err != nil {
				t.Fatal(err)
			}
			tree, err := openAt(t, path, options())
			if err != nil {
				t.Fatalf("byte %d: Open: %v; want an error of Identity alone", at, err)
			}
			var damage *Damage
			if _, err := tree.Identity(); !errors.As(err, &damage) || damage.Kind != daybook.ErrCorrupt {
				t.Errorf("byte %d: Identity: got %v; want ErrCorrupt", at, err)
			}
			if err := tree.Check(ctx); !errors.Is(err, daybook.ErrCorrupt) {
				t.Errorf("byte %d: Check: got %v; want ErrCorrupt", at, err)
			}
			if err := tree.Close(); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// TestCheckTellsIdentityDamageOfOpen has an identity that Open could not read, and that can be read
// afterwards. Check must say why Open could not, and not that the store has become another one.
func TestCheckTellsIdentityDamageOfOpen(t *testing.T) {
	tree := mustOpen(t, makeVerbTree(t))
	damage := fmt.Errorf("%w: of a passing kind", daybook.ErrCorrupt)
	tree.identity.saved, tree.identity.damage = identity.Identity{}, damage
	if err := tree.Check(ctx); !errors.Is(err, damage) || strings.Contains(err.Error(), "differs") {
		t.Errorf("Check: got %v; want %v", err, damage)
	}
}
