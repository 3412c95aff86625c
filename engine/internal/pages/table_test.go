// SPDX-License-Identifier: Apache-2.0

package pages

import (
	"bytes"
	"errors"
	"testing"
)

// checkTable compares the table with one that is made in one step, and with one that is read from
// the saved blocks.
func (f *testFile) checkTable() {
	f.t.Helper()
	f.view(nil, func(im *Image) {
		inOneStep, _, err := NewTable(large, small).Advance(im)
		if err != nil {
			f.t.Fatal(err)
		}
		if !f.table.Equal(inOneStep) {
			f.t.Fatal("the table that was advanced commit by commit differs from one made in one step")
		}
		again, err := ReadTable(im, f.table.Summary(), f.blocks())
		if err != nil || !again.Equal(f.table) {
			f.t.Fatalf("the table read from its blocks: %v, equal: %v", err, err == nil && again.Equal(f.table))
		}
	})
}

// TestReadTable damages the saved blocks in several ways.
func TestReadTable(t *testing.T) {
	f := grownFile(t, t.TempDir())
	defer f.bolt.Close()
	read := func(what string) {
		t.Helper()
		f.view(nil, func(im *Image) {
			if _, err := ReadTable(im, f.table.Summary(), f.blocks()); !errors.Is(err, ErrCorrupt) {
				t.Errorf("%s: got %v; want ErrCorrupt", what, err)
			}
		})
	}
	good := f.saved[0]
	f.saved[0] = bytes.Clone(good)
	f.saved[0][17] ^= 4
	read("a flipped bit")
	f.saved[0] = good[:len(good)-1]
	read("a short block")
	f.saved[0] = nil
	read("a lost block")
	f.saved[0] = good
	f.saved[1<<40] = good
	read("a block of pages that do not exist")
	delete(f.saved, 1<<40)
	// The sum is that of a table with the block, so that its index alone is wrong.
	f.view(nil, func(im *Image) {
		next := im.pages()/pagesPerBlock + 1
		f.saved[next] = good
		summary := f.table.Summary()
		summary.Sum += blockSum(next, good)
		if _, err := ReadTable(im, summary, f.blocks()); !errors.Is(err, ErrCorrupt) {
			t.Errorf("a block right after the last page: got %v; want ErrCorrupt", err)
		}
		delete(f.saved, next)
	})
	f.checkTable()
	broken := errors.New("the blocks cannot be read")
	f.view(nil, func(im *Image) {
		next := func() (uint64, []byte, error) { return 0, nil, broken }
		if _, err := ReadTable(im, f.table.Summary(), next); err != broken {
			t.Errorf("blocks that cannot be read: got %v; want %v", err, broken)
		}
	})
}
