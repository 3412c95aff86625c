// SPDX-License-Identifier: Apache-2.0

package tree

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.etcd.io/bbolt"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/codec"
	"github.com/daybook-db/daybook/engine/internal/pages"
	"github.com/daybook-db/daybook/proof/testenv"
)

// TestNewestValueIsACopy looks where the newest value in a catalogue entry is. Callers read it
// after the snapshot is closed, when the file may not be mapped.
func TestNewestValueIsACopy(t *testing.T) {
	tree := mustOpen(t, makeVerbTree(t))
	s := mustSnapshot(t, tree)
	defer s.Close()
	r := s.Records(mustPattern(t, "one.*"))
	name, entry, found, err := r.Next(ctx)
	if err != nil || !found || len(entry.NewestValue) == 0 {
		t.Fatalf("got %+v, %v, %v; want an entry with a newest value", entry, found, err)
	}
	if &name[0] != &r.buffer[0] || &entry.NewestValue[0] != &r.buffer[len(name)] {
		t.Error("the newest value is not in the reader's buffer")
	}
}

// TestSkipPastThePool lets a reader go on after numbers of which it has already collected some.
func TestSkipPastThePool(t *testing.T) {
	opts := options()
	opts.ChunkValues, opts.ChunkBytes = 256, 4096
	tree, err := openAt(t, filepath.Join(testenv.TempDir(t), "tree"), opts)
	if err != nil {
		t.Fatal(err)
	}
	defer tree.Close()
	const last = minBatch + 2*maxTaken
	h := make(history)
	for sequence := uint64(1); sequence <= last; sequence++ {
		h["r"] = append(h["r"], codec.Entry{Timestamp: sequence, Sequence: sequence, Value: []byte("1")})
	}
	if err := h.post(tree, last); err != nil {
		t.Fatal(err)
	}
	s := mustSnapshot(t, tree)
	defer s.Close()
	r := NewChangeReader(mustPattern(t, "*"), 0)
	for range 2 {
		if _, err := r.Read(ctx, s, last); err != nil {
			t.Fatal(err)
		}
	}
	if r.pool.isEmpty() {
		t.Fatal("the pool is empty, which is too early for this test")
	}
	r.Skip(last - 3)
	batch, err := r.Read(ctx, s, last)
	if err != nil || len(batch) != 3 || batch[0].Sequence != last-2 || r.After() != last {
		t.Errorf("got %d values, %v, and is after %d; want the last three", len(batch), err, r.After())
	}
}

// TestLongChangesEndWithTheirContext ends the context at each time that a reader of many chunks
// asks for its error.
func TestLongChangesEndWithTheirContext(t *testing.T) {
	tree, h := mustOpen(t, filepath.Join(testenv.TempDir(t), "tree")), make(history)
	const last = 2*chunksPerCheck + 10
	for sequence := uint64(1); sequence <= last; sequence++ {
		h[fmt.Sprintf("r%04d", sequence)] = []codec.Entry{{Sequence: sequence, Value: []byte("1")}}
	}
	if err := h.post(tree, last); err != nil {
		t.Fatal(err)
	}
	s := mustSnapshot(t, tree)
	defer s.Close()
	for n := 0; ; n++ {
		end := &countdown{ctx, n}
		batch, err := NewChangeReader(mustPattern(t, "*"), 0).Read(end, s, last)
		if err == nil {
			if len(batch) != last || end.left < 0 || n < 3 {
				t.Errorf("the context ended after %d checks: got %d values, and no error", n, len(batch))
			}
			return
		}
		if end.left >= 0 || len(batch) > 0 {
			t.Errorf("the context ended after %d checks: got %d values, %v", n, len(batch), err)
		}
	}
}

// TestChangesOfADamagedKey damages the key of a chunk after a reader has noted where it is. The
// reader must say so, and not take another chunk for it.
func TestChangesOfADamagedKey(t *testing.T) {
	h, last := make(history), uint64(0)
	for i := range uint64(24) {
		for _, record := range []string{"a", "z"} {
			last++
			h[record] = append(h[record], noiseAt(i, last))
		}
	}
	tree := mustOpen(t, filepath.Join(testenv.TempDir(t), "tree"))
	if err := h.post(tree, last); err != nil {
		t.Fatal(err)
	}
	s := mustSnapshot(t, tree)
	defer s.Close()
	r := NewChangeReader(mustPattern(t, "*"), 0)
	r.size = 20
	if batch, err := r.Read(ctx, s, last); err != nil || len(batch) == 0 || r.After() > last/2 {
		t.Fatalf("got %d values, %v; want some, and not all", len(batch), err)
	}
	from := r.After()
	at := -1
	for i := range r.places {
		if key := r.places[i].key.in(s.image); at < 0 && codec.HasRecord(key, "a") && r.places[i].from > from {
			at = int(s.image.Offset(key))
		}
	}
	if at < 0 {
		t.Fatal("no place of record a is left")
	}
	overwrite(t, tree.mapped.path, []byte("y"), at) // the reader looks for it in another leaf
	var err error
	for err == nil && r.After() < last {
		var batch []Change
		batch, err = r.Read(ctx, s, last)
		for _, c := range batch {
			if from++; c.Record == "a" != (c.Sequence%2 == 1) {
				t.Errorf("record %q has the value %d", c.Record, c.Sequence)
			}
		}
	}
	if !errors.Is(err, daybook.ErrCorrupt) {
		t.Errorf("got %d values, %v; want ErrCorrupt", from, err)
	}
}

// TestCutoffOfAllTimes looks for the cut among chunks that reach from one end of time to the other.
func TestCutoffOfAllTimes(t *testing.T) {
	tree, h := mustOpen(t, filepath.Join(testenv.TempDir(t), "tree")), make(history)
	for i, at := range []uint64{0, 10, 20, math.MaxUint64} {
		one := codec.Entry{Timestamp: at, Sequence: uint64(2*i + 1), Value: []byte("1")}
		next := codec.Entry{Timestamp: max(at, at+1), Sequence: uint64(2*i + 2), Value: []byte("1")}
		h["a"], h["b"] = append(h["a"], one), append(h["b"], next)
	}
	if err := h.post(tree, 8); err != nil {
		t.Fatal(err)
	}
	rule, skipped, err := tree.Cutoff(ctx, mustPattern(t, "*"), ByTime, func(uint64) uint64 { return 3 },
		nil, 0, slices.Values([]codec.Entry(nil)))
	if want := (Rule{OlderThan: 20, StoredBefore: 6}); rule != want || skipped != nil || err != nil {
		t.Errorf("got %+v, %v, %v; want %+v", rule, skipped, err, want)
	}
}

// TestCutoffOfADamagedChunk damages the body of a chunk of which a hold spares a part.
func TestCutoffOfADamagedChunk(t *testing.T) {
	tree := mustOpen(t, makeVerbTree(t))
	key, encoded := elementOf(t, tree, func(key, _ []byte) bool { return codec.HasRecord(key, "a") })
	damaged := bytes.Clone(encoded)
	damaged[len(damaged)-6] ^= 4
	putElement(t, tree, valuesBucket, key, damaged)
	_, skipped, err := tree.Cutoff(ctx, mustPattern(t, "a"), ByTime, func(all uint64) uint64 { return all / 2 },
		Holds{{Pattern: mustPattern(t, "a"), At: 3, From: 4}}, 0, slices.Values([]codec.Entry(nil)))
	if err != nil || !errors.Is(skipped, daybook.ErrCorrupt) {
		t.Errorf("got %v, %v; want the damage", skipped, err)
	}
}

// elementOf returns the first chunk that is wanted, and its key.
func elementOf(t *testing.T, tree *Tree, isWanted func(key, encoded []byte) bool) (key, encoded []byte) {
	t.Helper()
	err := tree.view(func(_ *bbolt.Tx, image *pages.Image) error {
		values, err := image.Bucket(valuesBucket)
		if err != nil {
			return err
		}
		return values.Walk(func(k, v []byte) error {
			if key == nil && isWanted(k, v) {
				key, encoded = bytes.Clone(k), bytes.Clone(v)
			}
			return nil
		}, func(err error) error { return err })
	})
	if err != nil || key == nil {
		t.Fatalf("no chunk is wanted: %v", err)
	}
	return key, encoded
}

// TestCopyOfADamagedChunk copies a chunk whose body is damaged, and which gets another key.
func TestCopyOfADamagedChunk(t *testing.T) {
	tree, h := mustOpen(t, filepath.Join(testenv.TempDir(t), "tree")), make(history)
	for sequence := uint64(1); sequence <= 12; sequence++ { // three chunks
		h["r"] = append(h["r"], codec.Entry{Timestamp: 5, Sequence: sequence, Value: []byte(`"a value"`)})
	}
	if err := h.post(tree, 12); err != nil {
		t.Fatal(err)
	}
	_, err := tree.Prune(ctx, mustPattern(t, "*"), Rule{StoredThrough: 4}, pruning(func([]Deletion) {}))
	if err != nil {
		t.Fatal(err)
	}
	key, encoded := elementOf(t, tree, func([]byte, []byte) bool { return true })
	if _, _, ordinal, err := codec.SplitKey(key); err != nil || ordinal == 0 {
		t.Fatalf("the first chunk has the ordinal %d, %v; want another one", ordinal, err)
	}
	if text, err := copyAll(ctx, tree); err != nil {
		t.Fatalf("a copy of the undamaged tree: %v %s", err, text)
	}
	encoded[len(encoded)-6] ^= 4
	putElement(t, tree, valuesBucket, key, encoded)
	var damage *Damage
	_, err = copyAll(ctx, tree)
	if !errors.As(err, &damage) || !bytes.Equal(damage.Key, key) || damage.Path != tree.mapped.path {
		t.Errorf("got %v; want the damage of the chunk, before it is in the copy", err)
	}
}

// TestCopyOfADamagedEntry copies a record whose catalogue entry is damaged. The error must name it,
// and not only that the counts differ.
func TestCopyOfADamagedEntry(t *testing.T) {
	tree := mustOpen(t, makeVerbTree(t))
	putElement(t, tree, recordsBucket, []byte("b"), []byte("damaged"))
	var damage *Damage
	_, err := copyAll(ctx, tree)
	if !errors.As(err, &damage) || damage.Record != "b" || damage.Bucket != recordsBucket {
		t.Errorf("got %v; want the damage of the entry of record b", err)
	}
}

// TestCommitOnABrokenTree commits when bbolt can begin no transaction.
func TestCommitOnABrokenTree(t *testing.T) {
	tree := mustOpen(t, makeVerbTree(t))
	tree.broken.Store(true)
	err := tree.commitMapped(func(*bbolt.Tx) error { return nil })
	tree.broken.Store(false)
	if !errors.Is(err, daybook.ErrCorrupt) || tree.Failure() != nil {
		t.Errorf("got %v, and later writes fail with %v; want ErrCorrupt alone", err, tree.Failure())
	}
}

// TestFailureOfAFinishedCopy lets a complete copy fail. It is a tree like any other.
func TestFailureOfAFinishedCopy(t *testing.T) {
	tree := mustOpen(t, makeVerbTree(t))
	c, err := tree.Copy(copyPath(tree))
	if err != nil {
		t.Fatal(err)
	}
	if err := c.to.Fail(errors.New("a fault")); errors.Is(err, daybook.ErrFailed) {
		t.Errorf("an incomplete copy: got %v; want no ErrFailed", err)
	}
	c.to.failure.Store(nil)
	for done := false; !done; {
		if done, err = stepOn(ctx, c); err != nil {
			t.Fatal(err)
		}
	}
	complete, err := c.Finish()
	if err != nil {
		t.Fatal(err)
	}
	if err := complete.Fail(errors.New("a fault")); !errors.Is(err, daybook.ErrFailed) {
		t.Errorf("a complete copy: got %v; want ErrFailed", err)
	}
	_ = complete.Close()
}

// TestSizeOfAClosedCopy asks for the size of a copy whose file cannot be asked.
func TestSizeOfAClosedCopy(t *testing.T) {
	tree := mustOpen(t, makeVerbTree(t))
	c, err := tree.Copy(copyPath(tree))
	if err != nil {
		t.Fatal(err)
	}
	if err := c.to.bolt.Close(); err != nil || c.Size() != 0 {
		t.Errorf("got %d, %v; want 0", c.Size(), err)
	}
}

// TestCheckComparesTheSavedTable saves the checksums of an earlier commit, which match their own.
func TestCheckComparesTheSavedTable(t *testing.T) {
	tree := mustOpen(t, filepath.Join(testenv.TempDir(t), "tree"))
	mustPost(t, tree, 0)
	earlier := tree.committed.Load().table
	mustPost(t, tree, 1)
	err := tree.commit(0, func(tx *bbolt.Tx) error {
		for index := range uint64(2) {
			bucket, key := tx.Bucket([]byte(pagesBucket)), []byte{0, 0, 0, 0, 0, 0, 0, byte(index)}
			err := bucket.Delete(key)
			if block := earlier.Block(index); block != nil {
				err = bucket.Put(key, block)
			}
			if err != nil {
				return err
			}
		}
		return putSummary(tx, tree.generation, earlier)
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := tree.Check(ctx); err == nil || !strings.Contains(err.Error(), "differ from those in use") {
		t.Errorf("Check: got %v; want that the saved checksums differ", err)
	}
}

// TestStateOfADamagedPart changes each byte of the state of a post in parts.
func TestStateOfADamagedPart(t *testing.T) {
	whole := (&PartialPost{Through: "record", Watermark: 7}).encode()
	var p PartialPost
	if !p.decode(whole) || p != (PartialPost{Through: "record", Watermark: 7}) {
		t.Fatalf("got %+v", p)
	}
	for length := range whole {
		if p = (PartialPost{}); p.decode(whole[:length]) || p != (PartialPost{}) {
			t.Errorf("cut off to %d bytes: got %+v", length, p)
		}
		whole[length] ^= 4
		if p = (PartialPost{}); p.decode(whole) || p != (PartialPost{}) {
			t.Errorf("byte %d has changed: got %+v", length, p)
		}
		whole[length] ^= 4
	}
}

// TestPostWithDamagedNotes posts values with a note to a tree whose sum of the notes is damaged.
func TestPostWithDamagedNotes(t *testing.T) {
	tree := mustOpen(t, makeVerbTree(t))
	putMeta(t, tree, notesSumKey, []byte("garbage"))
	h, last := laterVerbHistory()
	p := h.posting(last)
	p.Notes = Notes{"a": []byte("note")}
	if _, err := tree.Post(p); !errors.Is(err, daybook.ErrCorrupt) {
		t.Errorf("got %v; want ErrCorrupt", err)
	}
	if text, err := readAll(ctx, tree); err != nil || text != allVerbHistory() {
		t.Errorf("after that the tree has other values, %v", err)
	}
}

// TestEraseUnfinishedFails looks at a file that does not exist, and at one that need not be erased,
// which must be closed again.
func TestEraseUnfinishedFails(t *testing.T) {
	path := makeVerbTree(t)
	f := mappedFile{fs: openDirectory(t, filepath.Dir(path)), path: path}
	before := len(testenv.OpenFiles(t, ""))
	if erased, err := eraseUnfinished(f); erased || err != nil {
		t.Errorf("a tree: erased it: %t, %v; want neither", erased, err)
	}
	if now := len(testenv.OpenFiles(t, "")); now != before {
		t.Errorf("%d files are open; before it were %d", now, before)
	}
	f.path += ".missing"
	if erased, err := eraseUnfinished(f); erased || !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a missing file: erased it: %t, %v; want ErrNotExist", erased, err)
	}
}

// TestPlaceOfADamagedPage looks at the beginning of the text of a damaged page.
func TestPlaceOfADamagedPage(t *testing.T) {
	key := codec.Key{Record: "r", Timestamp: 5}.Append(nil)
	for _, test := range []struct {
		bucket string
		key    []byte
		want   string
	}{
		{recordsBucket, []byte("r"), `catalogue entries from record "r" on: page 7`},
		{recordsBucket, key, fmt.Sprintf("catalogue entries from record %q on: page 7", key)},
		{valuesBucket, key, fmt.Sprintf(`chunks from record "r", key %x, on: page 7`, key)},
		{valuesBucket, []byte("r"), "values from key 72 on: page 7"},
		{metaBucket, nil, "page 7"},
		{"", key, "page 7"},
	} {
		page := &pages.DamagedPage{Bucket: test.bucket, Page: 7, FirstKey: test.key}
		damage := Damage{Kind: daybook.ErrCorrupt, Path: "tree", Bucket: test.bucket, Key: test.key, cause: page}
		want := fmt.Sprintf("%v: tree: %s", daybook.ErrCorrupt, test.want)
		if got := damage.Error(); !strings.HasPrefix(got, want) {
			t.Errorf("the bucket %q and the key %q: got %q; want %q", test.bucket, test.key, got, want)
		}
	}
}

// TestSpanOfAMiscountedRecord deletes by a span of time all values of a record whose catalogue
// entry says that it has one more.
func TestSpanOfAMiscountedRecord(t *testing.T) {
	for _, by := range []uint64{1, math.MaxUint64} {
		tree := mustOpen(t, makeVerbTree(t))
		changeEntry(t, tree, "one.100", func(e *codec.CatalogueEntry) { e.Count += by })
		_, err := tree.Prune(ctx, mustPattern(t, "one.100"), Rule{NewerThan: 1}, pruning(func([]Deletion) {}))
		if !errors.Is(err, daybook.ErrCorrupt) {
			t.Errorf("the entry says %d more: got %v; want ErrCorrupt", int64(by), err)
		}
	}
}

// TestDamagedRecordsText looks at the error of several damaged records.
func TestDamagedRecordsText(t *testing.T) {
	var d damagedRecords
	for i, want := range []string{
		"a fault", "a fault; 1 more records are damaged", "a fault; 2 more records are damaged",
	} {
		if !d.add(&recordDamage{fmt.Sprint(i), errors.New("a fault")}) || d.err().Error() != want {
			t.Errorf("after %d records: got %q; want %q", i+1, d.err(), want)
		}
	}
}
