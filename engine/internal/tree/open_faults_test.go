// SPDX-License-Identifier: Apache-2.0

package tree

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"go.etcd.io/bbolt"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/codec"
	"github.com/daybook-db/daybook/engine/internal/disk"
	"github.com/daybook-db/daybook/engine/internal/pages"
	"github.com/daybook-db/daybook/proof/testenv"
)

// reopening is a directory in which the nth opening of a file fails.
type reopening struct {
	disk.FS
	left int
}

var errOpening = errors.New("the file cannot be opened")

func (r *reopening) OpenFile(path string, flag int, mode os.FileMode) (*os.File, error) {
	if r.left--; r.left == 0 {
		return nil, errOpening
	}
	return r.FS.OpenFile(path, flag, mode)
}

// TestOpenUnfinishedFails opens a file whose creation was interrupted. The nth opening of it fails,
// among them the one that is to erase it.
func TestOpenUnfinishedFails(t *testing.T) {
	dir := testenv.TempDir(t)
	path := filepath.Join(dir, "tree")
	for n := 1; ; n++ {
		copyOf(t, path, make([]byte, 4*pageSize))
		fsys := &reopening{openDirectory(t, dir), n}
		tree, err := Open(fsys, path, options())
		if fsys.left > 0 {
			if err != nil || n < 4 {
				t.Errorf("without a fault, after %d: %v", n-1, err)
			}
			if err == nil {
				_ = tree.Close()
			}
			return
		}
		if !errors.Is(err, errOpening) {
			t.Errorf("opening %d fails: got %v; want its error", n, err)
		}
	}
}

// TestConfirmFails confirms the last commit of a file that cannot be written to.
func TestConfirmFails(t *testing.T) {
	tree := mustOpen(t, makeVerbTree(t))
	reading, err := os.Open(tree.mapped.path)
	if err != nil {
		t.Fatal(err)
	}
	defer reading.Close()
	writing := tree.file
	tree.file = reading
	err = tree.confirm()
	tree.file = writing
	if err == nil {
		t.Error("the write failed; got no error")
	}
}

// TestReadsOfAClosedFile reads a tree whose file is closed. That is no damage.
func TestReadsOfAClosedFile(t *testing.T) {
	tree := mustOpen(t, makeVerbTree(t))
	open := tree.file
	closed, err := os.Open(tree.mapped.path)
	if err := errors.Join(err, closed.Close()); err != nil {
		t.Fatal(err)
	}
	tree.file = closed
	_, err = tree.State()
	tree.file = open
	if !errors.Is(err, os.ErrClosed) || errors.Is(err, daybook.ErrCorrupt) {
		t.Errorf("got %v; want ErrClosed alone", err)
	}
}

// TestPruneOfNothing prunes when a hold spares each value that the rule would delete. No commit is
// made.
func TestPruneOfNothing(t *testing.T) {
	tree := mustOpen(t, makeVerbTree(t))
	before := tree.committed.Load().to
	with := pruning(func(d []Deletion) { t.Errorf("deleted %+v", d) })
	with.Holds = Holds{{Pattern: mustPattern(t, "*")}}
	with.Lost, with.NotesOf = func([]uint64) {}, func([]uint64) Notes { return nil }
	deleted, err := tree.Prune(ctx, mustPattern(t, "*"), Rule{OlderThan: 10}, with)
	if after := tree.committed.Load().to; deleted != 0 || err != nil || after != before {
		t.Errorf("got %d, %v, and transaction %d after %d; want none", deleted, err, after, before)
	}
}

// TestSignOfAClosedFile asks whether a sign is on when its file cannot be asked.
func TestSignOfAClosedFile(t *testing.T) {
	path := makeVerbTree(t)
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	fsys, s := openDirectory(t, filepath.Dir(path)), &sign{file: file}
	if !s.isOn(fsys, path) || s.isOn(fsys, path+".missing") {
		t.Error("the sign is on the file, and on no other")
	}
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
	if s.isOn(fsys, path) {
		t.Error("the sign is on though its file is closed")
	}
}

// TestShrinkOneValue shrinks a pool whose only value exceeds its memory.
func TestShrinkOneValue(t *testing.T) {
	p := changePool{max: changeBounds{values: 10, memory: 1}}
	p.addSource(changeSource{"r", noPlace})
	p.values = append(p.values, pooledValue{sequence: 7, json: p.json.add([]byte("1")), length: 1})
	if last := p.shrink(nil); last != 7 || len(p.values) != 1 {
		t.Errorf("got %d values, the last of which is %d; want one, 7", len(p.values), last)
	}
}

// TestMinPruneChunks prunes a record with many chunks when each transaction is full at once. It
// deletes minPruneChunks of them, and no more.
func TestMinPruneChunks(t *testing.T) {
	for _, rule := range []Rule{{OlderThan: 40}, {NewerThan: 2, OlderThan: 40}} {
		opts := options()
		opts.ChunkValues = 1
		tree, err := openAt(t, filepath.Join(testenv.TempDir(t), "tree"), opts)
		if err != nil {
			t.Fatal(err)
		}
		h := make(history)
		for i := range uint64(50) {
			h["r"] = append(h["r"], codec.Entry{Timestamp: i, Sequence: i + 1, Value: []byte("1")})
		}
		if err := h.post(tree, 50); err != nil {
			t.Fatal(err)
		}
		tree.opts.TransactionBytes = 1
		var each []uint64
		pauses, with := uint64(0), pruning(func(d []Deletion) { each = append(each, d[0].Values) })
		with.Pause = func() { pauses++ }
		deleted, err := tree.Prune(ctx, mustPattern(t, "*"), rule, with)
		if err = errors.Join(err, tree.Close()); err != nil || len(each) < 3 || each[0] != minPruneChunks {
			t.Errorf("%+v: got deletions of %d values, %v; want %d at first", rule, each, err, minPruneChunks)
		}
		if pauses < deleted {
			t.Errorf("%+v: %d pauses for %d chunks; want as many", rule, pauses, deleted)
		}
	}
}

// TestCheckSize cuts off the file of an open tree. That must be found before a page is missing.
func TestCheckSize(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows does not cut off a file while it is mapped")
	}
	tree := mustOpen(t, makeVerbTree(t))
	whole := mustRead(t, tree.mapped.path)
	check := func() error {
		return tree.view(func(_ *bbolt.Tx, image *pages.Image) error { return tree.checkSize(image) })
	}
	if err := check(); err != nil {
		t.Errorf("the file is whole: %v", err)
	}
	if err := os.Truncate(tree.mapped.path, 5*pageSize); err != nil {
		t.Fatal(err)
	}
	err := check()
	copyOf(t, tree.mapped.path, whole)
	if !errors.Is(err, daybook.ErrCorrupt) || !strings.Contains(err.Error(), "its pages take") {
		t.Errorf("the file is cut off: got %v; want ErrCorrupt", err)
	}
}

// TestHoldUpInTests compares how long a commit waits for snapshots: in tests a tenth of the time.
func TestHoldUpInTests(t *testing.T) {
	small := Tree{opts: Options{SmallMapping: true}}
	if got := new(Tree).maxHoldUp(); got != maxHoldUp || 10*small.maxHoldUp() != got {
		t.Errorf("got %v, in tests %v; want %v, and a tenth", got, small.maxHoldUp(), maxHoldUp)
	}
}

// TestOpenUnsealedWithoutRoom opens an unsealed file that may not grow. Open needs no seal.
func TestOpenUnsealedWithoutRoom(t *testing.T) {
	path, h := filepath.Join(testenv.TempDir(t), "tree"), make(history)
	tree := mustOpen(t, path)
	for i := range 1000 { // the table of their pages does not fit into the free ones
		h[fmt.Sprintf("r%d", i)] = []codec.Entry{{Timestamp: 1, Sequence: 1, Value: []byte("1")}}
	}
	posting := h.posting(1)
	err := tree.update(func(w *writeTx) error {
		_, _, err := w.postPart(&posting)
		return err
	})
	if err := errors.Join(err, tree.bolt.Close()); err != nil { // without a seal
		t.Fatal(err)
	}
	opts := options()
	opts.MaxBytes = pageSize
	if tree, err = openAt(t, path, opts); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(tree.Check(ctx), tree.Close()); err != nil || tree.sealed {
		t.Errorf("got %v; sealed: %t; want no seal", err, tree.sealed)
	}
}

// TestChunkBytes looks at the chunks of long values. None has more bytes than Options say, unless
// it has one value.
func TestChunkBytes(t *testing.T) {
	tree := mustOpen(t, makeNoiseTree(t))
	chunks := 0
	_, _ = elementOf(t, tree, func(key, encoded []byte) bool {
		h, err := codec.ReadHeader(key, encoded)
		if err != nil || h.Count > 1 && h.ValueBytes > uint64(options().ChunkBytes) {
			t.Errorf("%d values of %d bytes, %v; want at most %d", h.Count, h.ValueBytes, err, options().ChunkBytes)
		}
		chunks++
		return chunks == 15
	})
}
