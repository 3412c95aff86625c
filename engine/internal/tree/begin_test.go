// SPDX-License-Identifier: Apache-2.0

package tree

import (
	"errors"
	"math"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/engine/internal/pages"
	"github.com/daybook-db/daybook/proof/testenv"
)

// commitUnpublished makes a commit that changes values as Tree.commit does, up to the moment when
// bbolt shows it to readers. It returns the pending table, which the tree does not know.
func commitUnpublished(t *testing.T, tree *Tree) *pendingTable {
	t.Helper()
	tree.limitFile(math.MaxInt64)
	tx, err := tree.beginBolt(true)
	if err != nil {
		t.Fatal(err)
	}
	pending := &pendingTable{id: uint64(tx.ID()), before: tree.committed.Load()}
	w, err := tree.newWriteTx(tx)
	if err != nil {
		t.Fatal(err)
	}
	h, watermark := round(1)
	posting := h.posting(watermark)
	_, _, err = w.postPart(&posting)
	w.state.Generation++
	if err := errors.Join(err, putState(tx, w.state), putKeys(tx), tx.Commit()); err != nil {
		t.Fatal(err)
	}
	return pending
}

// TestBeginDuringTheLastSync begins to read when bbolt shows a commit whose last sync goes on. The
// reader must see the commit, and verify its pages.
func TestBeginDuringTheLastSync(t *testing.T) {
	tree := mustOpen(t, filepath.Join(testenv.TempDir(t), "tree"))
	mustPost(t, tree, 0)
	pending := commitUnpublished(t, tree)
	tree.pending.Store(pending)
	_, watermark := round(1)
	testenv.EndsWithin(t, 4*time.Second, func() {
		if state, err := tree.State(); err != nil || state.Watermark != watermark {
			t.Errorf("during the sync: %+v, %v; want the watermark %d", state, err, watermark)
		}
	})
	err := tree.view(func(_ *bbolt.Tx, image *pages.Image) error {
		defer pages.FailReads(func(uint64) string { return "a fault" })()
		_, _, err := dataBuckets(image)
		return err
	})
	if !errors.Is(err, daybook.ErrCorrupt) {
		t.Errorf("a damaged page during the sync: %v; want ErrCorrupt", err)
	}
	tree.generation++
	tree.sealed = false
	if err := tree.publish(); err != nil {
		t.Fatal(err)
	}
	tree.pending.Store(nil)
	wantRounds(t, tree, 2)
}

// TestBeginBeforeTheTable begins to read when bbolt shows a commit that has no table yet. The
// reader must wait for it.
func TestBeginBeforeTheTable(t *testing.T) {
	tree := mustOpen(t, filepath.Join(testenv.TempDir(t), "tree"))
	mustPost(t, tree, 0)
	pending := commitUnpublished(t, tree)
	published := make(chan error)
	go func() {
		time.Sleep(200 * time.Millisecond)
		tree.pending.Store(pending)
		err := tree.publish()
		tree.pending.Store(nil)
		published <- err
	}()
	_, watermark := round(1)
	state, err := tree.State()
	if publishErr := <-published; publishErr != nil || err != nil || state.Watermark != watermark {
		t.Errorf("got %+v, %v, %v; want the watermark %d", state, err, publishErr, watermark)
	}
}

// TestBeginAtAnEarlierCommit reads at a commit after which another one changed only other pages.
// Those of the reader's commit are not known any more, and must not be compared with the new ones.
func TestBeginAtAnEarlierCommit(t *testing.T) {
	tree := mustOpen(t, filepath.Join(testenv.TempDir(t), "tree"))
	var others *pages.OtherPages
	for number := range 2 {
		others = tree.committed.Load().others
		mustPost(t, tree, number)
	}
	now := tree.committed.Load()
	later := newCommittedTable(now.table)
	later.from, later.to, later.others = now.from, now.to+1, others
	tree.committed.Store(later)
	_, watermark := round(1)
	if state, err := tree.State(); err != nil || state.Watermark != watermark {
		t.Errorf("got %+v, %v; want the watermark %d", state, err, watermark)
	}
	tree.committed.Store(now)
}

// TestLostCommit makes the newer meta page of an open tree unreadable, so that bbolt shows an
// earlier commit. Neither a reader nor a writer may take that for the last one.
func TestLostCommit(t *testing.T) {
	tree := mustOpen(t, filepath.Join(testenv.TempDir(t), "tree"))
	h, watermark := round(0)
	posting := h.posting(watermark)
	err := tree.update(func(w *writeTx) error {
		_, _, err := w.postPart(&posting)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	newer := int(tree.committed.Load().to % 2)
	overwrite(t, tree.mapped.path, []byte{1}, newer*pageSize+16+48) // its number
	for name, do := range map[string]func() error{
		"State":    func() error { return second(tree.State()) },
		"Snapshot": func() error { return second(tree.Snapshot()) },
		"PutNotes": func() error { return tree.PutNotes(Notes{"a": []byte("note")}) },
	} {
		err := do()
		if !errors.Is(err, daybook.ErrCorrupt) || !strings.Contains(err.Error(), "the newer meta page") {
			t.Errorf("%s: got %v; want ErrCorrupt that names the newer meta page", name, err)
		}
	}
}

// TestReadsFailAfterAFullDisk fails each read of a commit that comes after one without space, which
// looks at more pages than others.
func TestReadsFailAfterAFullDisk(t *testing.T) {
	path := makeVerbTree(t)
	for n, all := 0, false; !all; n++ {
		tree := mustOpen(t, path)
		tree.lastFull = errors.New("no space")
		lift := failRead(n)
		err := tree.commit(0, func(*bbolt.Tx) error { return nil })
		if all = lift(); all != (err == nil) || err != nil && !errors.Is(err, daybook.ErrCorrupt) {
			t.Errorf("read %d failed: got %v; want ErrCorrupt", n, err)
		}
		if err := tree.bolt.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestIsVisible asks whether transactions are visible: the last one, and the next one.
func TestIsVisible(t *testing.T) {
	tree := mustOpen(t, makeVerbTree(t))
	last := int(tree.committed.Load().to)
	if !tree.isVisible(last) || tree.isVisible(last+1) {
		t.Errorf("the last transaction is visible: %t; the next one: %t", tree.isVisible(last), tree.isVisible(last+1))
	}
	tree.broken.Store(true)
	if !tree.isVisible(last + 1) {
		t.Error("what cannot be known counts as invisible")
	}
	tree.broken.Store(false)
}

// TestStateOfEachCommit begins snapshots before and after a commit. What one of them keeps for
// those that follow must not be the state of the other commit.
func TestStateOfEachCommit(t *testing.T) {
	tree := mustOpen(t, filepath.Join(testenv.TempDir(t), "tree"))
	for number := range 3 {
		mustPost(t, tree, number)
		_, watermark := round(number)
		for range 2 {
			s := mustSnapshot(t, tree)
			if s.State.Watermark != watermark {
				t.Errorf("commit %d: the watermark is %d; want %d", number, s.State.Watermark, watermark)
			}
			s.Close()
		}
	}
}
