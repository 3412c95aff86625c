// SPDX-License-Identifier: Apache-2.0

package tree

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/codec"
	"github.com/daybook-db/daybook/engine/internal/disk"
	"github.com/daybook-db/daybook/proof/testenv"
)

// stuckFinder finds no neighbours of a chunk.
type stuckFinder struct{ chunkFinder }

var errStuck = errors.New("the neighbour cannot be read")

func (stuckFinder) previous(string, *chunk) (*chunk, error) { return nil, errStuck }
func (stuckFinder) next(string, *chunk) (*chunk, error)     { return nil, errStuck }

// TestMergeMeetsAnError posts a value that is merged with the chunk before or after it, of which
// the neighbour cannot be read.
func TestMergeMeetsAnError(t *testing.T) {
	inUpdate(t, func(w *writeTx) {
		c, err := w.next("one.100", nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, test := range []struct {
			gap gap
			at  uint64
		}{{gap{"one.100", c, nil, 1000}, c.First + 1}, {gap{"one.100", nil, c, 1000}, c.First - 1}} {
			piece := []codec.Entry{{Timestamp: test.at, Sequence: 10_000, Value: []byte(`"another"`)}}
			if err := w.insertPiece(stuckFinder{w}, test.gap, piece, true); !errors.Is(err, errStuck) {
				t.Errorf("a value at %d beside a chunk at %d: got %v; want its error", test.at, c.First, err)
			}
		}
	})
}

// TestRaiseOrdinalsMeetsFailedReads lets each read of a page fail while many chunks get other
// ordinals.
func TestRaiseOrdinalsMeetsFailedReads(t *testing.T) {
	opts, h := options(), make(history)
	opts.ChunkValues = 1
	tree, err := openAt(t, filepath.Join(testenv.TempDir(t), "tree"), opts)
	if err != nil {
		t.Fatal(err)
	}
	defer tree.Close()
	for sequence := uint64(1); sequence <= 12; sequence++ { // two chunks in a leaf
		h["r"] = append(h["r"], longNoiseAt(5, sequence))
	}
	if err := h.post(tree, 12); err != nil {
		t.Fatal(err)
	}
	failed := 0
	for n, all := 0, false; !all; n++ {
		err := tree.update(func(w *writeTx) error {
			first, err := w.next("r", nil)
			if err != nil {
				return err
			}
			lift := failRead(n)
			err = w.raiseOrdinals("r", first, codec.Key{Record: "r", Timestamp: 5, Ordinal: 20})
			if all = lift(); all != (err == nil) || err != nil && !namesFault(err) {
				t.Errorf("read %d failed: got %v; want that fault", n, err)
			}
			return errNothing
		})
		if failed++; !errors.Is(err, errNothing) {
			t.Fatal(err)
		}
	}
	if failed < 3 {
		t.Errorf("%d reads failed; want more", failed)
	}
}

// damagedBody returns a copy of a chunk with another body.
func damagedBody(encoded []byte) []byte {
	damaged := bytes.Clone(encoded)
	damaged[len(damaged)-6] ^= 4
	return damaged
}

// chunkAt returns the first chunk of record a that starts at a timestamp, and its key.
func chunkAt(t *testing.T, tree *Tree, timestamp uint64) (key, encoded []byte) {
	t.Helper()
	return elementOf(t, tree, func(key, _ []byte) bool {
		record, at, _, err := codec.SplitKey(key)
		return err == nil && string(record) == "a" && at == timestamp
	})
}

func wantDamagedChunk(t *testing.T, err error) {
	t.Helper()
	var damage *Damage
	if !errors.As(err, &damage) || damage.Bucket != valuesBucket || damage.Record != "a" {
		t.Errorf("got %v; want the damage of a chunk of record a", err)
	}
}

// TestNewestInADamagedChunk deletes the newest values of a record. The chunk that has the newest
// one then is damaged.
func TestNewestInADamagedChunk(t *testing.T) {
	tree := mustOpen(t, makeVerbTree(t))
	key, encoded := chunkAt(t, tree, 2) // the last one with values up to 3
	putElement(t, tree, valuesBucket, key, damagedBody(encoded))
	deleted, err := tree.Prune(ctx, mustPattern(t, "a"), Rule{NewerThan: 3}, pruning(func([]Deletion) {}))
	if wantDamagedChunk(t, err); deleted != 0 {
		t.Errorf("%d values were deleted; want none", deleted)
	}
}

// TestCopyMeetsDamagedChunks lets each part of a copy that decodes a chunk meet a damaged one.
func TestCopyMeetsDamagedChunks(t *testing.T) {
	tree := mustOpen(t, makeVerbTree(t))
	key, encoded := chunkAt(t, tree, 0) // ends at 1, when the next one starts
	putElement(t, tree, valuesBucket, key, damagedBody(encoded))
	inUpdate(t, func(w *writeTx) {
		first, err := w.next("a", nil)
		if err != nil {
			t.Fatal(err)
		}
		after, err := w.next("a", first)
		if err != nil {
			t.Fatal(err)
		}
		first.encoded = damagedBody(first.encoded)
		wantDamagedChunk(t, second(w.tail("a", first, 1)))

		r := recordCopy{source: &copySource{chunkReader: w.chunkReader}, tx: w, record: "a"}
		_, err = r.ruleBetween(first, after)
		wantDamagedChunk(t, err)
		r.pending = []*chunk{first, after}
		_, err = r.join(first.key)
		wantDamagedChunk(t, err)
	})
	tree.opts.TransactionBytes = 1 // then a copy stops after each chunk
	_, err := copyAll(ctx, tree)
	wantDamagedChunk(t, err)
}

// TestCopyLacksDeletedValues repeats on a copy the deletion of more values than the copy has.
func TestCopyLacksDeletedValues(t *testing.T) {
	tree := mustOpen(t, makeVerbTree(t))
	c := mustCopy(t, tree, func(*Copy) {})
	err := c.Prune([]Deletion{{Record: "a", Values: 5, Among: 2, After: math.MaxUint64}})
	if !errors.Is(err, daybook.ErrCorrupt) {
		t.Errorf("got %v; want ErrCorrupt", err)
	}
}

// TestReaderBesideFindsThePinTaken opens a reader beside a writer that looks for readers all the
// time. The reader goes without the lock, and keeps no file open for it.
func TestReaderBesideFindsThePinTaken(t *testing.T) {
	p := newPinTest(t)
	lock, err := os.Open(disk.PinPath(p.options().Log, p.path))
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Close()
	if !disk.TryLock(lock, disk.OfPin) {
		t.Fatal("the lock is taken already")
	}
	before := len(testenv.OpenFiles(t, ""))
	reader, _ := p.openReader()
	if now := len(testenv.OpenFiles(t, "")); reader.mapped.beside.pin != nil || now > before+1 {
		t.Errorf("%d files are open, before it were %d; the reader has a pin: %v",
			now, before, reader.mapped.beside.pin != nil)
	}
	if err := reader.Close(); err != nil {
		t.Error(err)
	}
}

// TestOpenPanics opens a file for writing whose list of free pages makes bbolt panic. The lock must
// be free after that.
func TestOpenPanics(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("the mapping remains, so the file cannot be removed there")
	}
	path := makeVerbTree(t)
	kind := freelistOf(mustRead(t, path)) + 8
	good := mustRead(t, path)[kind : kind+2]
	overwrite(t, path, binary.NativeEndian.AppendUint16(nil, 0x40), kind)
	tree := &Tree{mapped: mappedFile{fs: openDirectory(t, filepath.Dir(path)), path: path}, opts: options()}
	if _, err := tree.openBolt(false); !errors.Is(err, daybook.ErrCorrupt) {
		t.Fatalf("got %v; want ErrCorrupt", err)
	}
	overwrite(t, path, good, kind)
	if err := mustOpen(t, path).Close(); err != nil {
		t.Error(err)
	}
}

// TestChangesOfANamelessKey reads the changes of some records when a key names no record. It may
// have been one of theirs.
func TestChangesOfANamelessKey(t *testing.T) {
	tree := mustOpen(t, makeVerbTree(t))
	_, encoded := chunkAt(t, tree, 0)
	putElement(t, tree, valuesBucket, []byte("b-without-an-end"), encoded)
	s := mustSnapshot(t, tree)
	defer s.Close()
	r := NewChangeReader(mustPattern(t, "*c"), 0)
	_, last := verbHistory()
	for r.After() < last {
		batch, err := r.Read(ctx, s, last)
		if err != nil {
			if !errors.Is(err, daybook.ErrCorrupt) {
				t.Errorf("got %v; want ErrCorrupt", err)
			}
			return
		}
		if len(batch) == 0 {
			break
		}
	}
	t.Error("got no error; want ErrCorrupt")
}

// TestChangesOfANewerChunk reads the changes of a record of which a newer program wrote a chunk.
// The reader must say so. The chunk may not be passed over as damage.
func TestChangesOfANewerChunk(t *testing.T) {
	tree := mustOpen(t, makeVerbTree(t))
	key, encoded := chunkAt(t, tree, 0)
	newer := bytes.Clone(encoded)
	newer[0] = math.MaxInt8
	if _, err := codec.ReadHeader(key, newer); !errors.Is(err, codec.ErrVersion) {
		t.Fatalf("the header: got %v; want ErrVersion", err)
	}
	putElement(t, tree, valuesBucket, key, newer)
	s := mustSnapshot(t, tree)
	defer s.Close()
	_, last := verbHistory()
	batch, err := NewChangeReader(mustPattern(t, "*"), 0).Read(ctx, s, last)
	var damage *DamagedChanges
	if !errors.Is(err, daybook.ErrVersion) || errors.As(err, &damage) || len(batch) > 0 {
		t.Errorf("got %d values, %v; want ErrVersion", len(batch), err)
	}
}
