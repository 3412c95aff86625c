// SPDX-License-Identifier: Apache-2.0

package tree

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"testing"

	"go.etcd.io/bbolt"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/codec"
	"github.com/daybook-db/daybook/engine/internal/pages"
	"github.com/daybook-db/daybook/index"
	"github.com/daybook-db/daybook/proof/testenv"
)

// changeHistory is a tree and its values in the order of their numbers.
type changeHistory struct {
	t      *testing.T
	random *rand.Rand
	tree   *Tree
	values []Change
	last   uint64
}

// post posts values of some records, with timestamps in another order than their numbers.
func (h *changeHistory) post(values, records int) {
	h.t.Helper()
	posted := make(history)
	if h.random.IntN(8) == 0 {
		h.last += 1 << 40 // numbers that were given to values that are lost
	}
	for range values {
		h.last++
		e := codec.Entry{Timestamp: h.last/8*8 + h.random.Uint64N(20), Sequence: h.last,
			Value: fmt.Appendf(nil, `{"number":%d,"text":"%0*d"}`, h.last, h.random.IntN(60), 7)}
		record := fmt.Sprintf("r%02d", h.random.IntN(records))
		posted[record] = append(posted[record], e)
		h.values = append(h.values, Change{record, e})
	}
	for _, entries := range posted {
		slices.SortFunc(entries, codec.Entry.Compare)
	}
	if err := posted.post(h.tree, h.last); err != nil {
		h.t.Fatal(err)
	}
}

// thin deletes most values of the records that a pattern matches.
func (h *changeHistory) thin(pattern *index.Pattern, before uint64) {
	h.t.Helper()
	if _, err := h.tree.Prune(ctx, pattern, Rule{OlderThan: before}, pruning(func([]Deletion) {})); err != nil {
		h.t.Fatal(err)
	}
	h.values = slices.DeleteFunc(h.values, func(c Change) bool {
		return c.Timestamp < before && pattern.Match(c.Record)
	})
}

// newer returns the values after a number up to another, of the records that a pattern matches.
func (h *changeHistory) newer(pattern *index.Pattern, after, through uint64) (newer []Change) {
	for _, c := range h.values {
		if c.Sequence > after && c.Sequence <= through && pattern.Match(c.Record) {
			newer = append(newer, c)
		}
	}
	return newer
}

// someNumbers returns two numbers with values between them: numbers of values, or others near them.
func (h *changeHistory) someNumbers() (after, through uint64) {
	if len(h.values) == 0 {
		return 0, h.last
	}
	at := h.random.IntN(len(h.values))
	after = h.values[at].Sequence - h.random.Uint64N(2)
	through = h.values[at+h.random.IntN(len(h.values)-at)].Sequence + h.random.Uint64N(2)
	return after, min(through, h.last)
}

func mustPattern(t *testing.T, text string) *index.Pattern {
	t.Helper()
	pattern, err := index.CompileGlob(text)
	if err != nil {
		t.Fatal(err)
	}
	return pattern
}

// TestChangeReader reads random histories with bounds so small that chunks are decoded several
// times, places are forgotten, and at last each batch reads all chunks. Between two batches the
// tree changes.
func TestChangeReader(t *testing.T) {
	for seed := range uint64(60) {
		h := &changeHistory{t: t, random: rand.New(rand.NewPCG(seed, 1))}
		h.tree = mustOpen(t, filepath.Join(t.TempDir(), "t.db"))
		records := 1 + h.random.IntN(40)
		for range 1 + h.random.IntN(6) {
			h.post(1+h.random.IntN(600), records)
			if h.random.IntN(3) == 0 {
				h.thin(mustPattern(t, []string{"*", "r1*"}[h.random.IntN(2)]), h.random.Uint64N(h.last+1))
			}
		}
		pattern := mustPattern(t, []string{"*", "*", "r0*", "*3", "r07", "none"}[h.random.IntN(6)])
		after, through := h.someNumbers()
		r := NewChangeReader(pattern, after)
		r.size = 1 + h.random.IntN(50)
		r.max = changeBounds{memory: 1 + h.random.IntN(10_000), values: 2 + h.random.IntN(100),
			places: 1 + h.random.IntN(30)}
		h.compareReads(seed, r, pattern, after, through)
	}
}

// TestChangeReaderOfAnotherTree goes on in another tree that has made as many commits, as after a
// compaction. Nothing that was known of the first tree may be believed of the second.
func TestChangeReaderOfAnotherTree(t *testing.T) {
	r, after := NewChangeReader(mustPattern(t, "*"), 0), uint64(0)
	r.size, r.max.values = 10, 40
	for n := range 2 {
		h := &changeHistory{t: t, random: rand.New(rand.NewPCG(uint64(n), 3))}
		h.tree = mustOpen(t, filepath.Join(t.TempDir(), "t.db"))
		h.post(100, 1+4*n)
		s, err := h.tree.Snapshot()
		if err != nil {
			t.Fatal(err)
		}
		got, err := r.Read(ctx, s, 100)
		s.Close()
		want := h.newer(mustPattern(t, "*"), after, r.After())
		if len(got) == 0 || !slices.EqualFunc(got, want, sameChange) {
			t.Errorf("tree %d, after %d through %d: got %d values, %v; want %d",
				n, after, r.After(), len(got), err, len(want))
		}
		if after = r.After(); n == 0 && after == 100 {
			t.Fatal("the first batch has all values")
		}
	}
	if r.Skip(after - 1); r.After() != after {
		t.Errorf("Skip went back to %d; want %d", r.After(), after)
	}
	if r.Skip(after + 7); r.After() != after+7 {
		t.Errorf("after Skip: %d; want %d", r.After(), after+7)
	}
}

func sameChange(a, b Change) bool { return a.Record == b.Record && sameEntry(a.Entry, b.Entry) }

// compareReads reads to the end, and compares with the model.
func (h *changeHistory) compareReads(seed uint64, r *ChangeReader, pattern *index.Pattern, after, through uint64) {
	h.t.Helper()
	var got []Change
	for reads := 0; r.After() < through; reads++ {
		s, err := h.tree.Snapshot()
		if err != nil {
			h.t.Fatal(err)
		}
		batch, err := r.Read(ctx, s, through)
		s.Close()
		if err != nil || reads > 100_000 {
			h.t.Fatalf("seed %d: after %d: %v in read %d", seed, r.After(), err, reads)
		}
		if len(r.places) >= 2*r.max.places {
			h.t.Fatalf("seed %d: %d places; want less than twice %d", seed, len(r.places), r.max.places)
		}
		if len(r.pool.values) > r.max.values+options().ChunkValues {
			h.t.Fatalf("seed %d: %d values in the pool; want at most %d", seed, len(r.pool.values), r.max.values)
		}
		bound := r.max.memory + options().ChunkBytes + options().ChunkValues*(valueSize+sourceSize)
		if size := sizeOfPool(&r.pool); size > bound {
			h.t.Fatalf("seed %d: %d bytes in the pool; want at most %d", seed, size, bound)
		}
		got = append(got, batch...)
		if h.random.IntN(10) == 0 {
			h.post(1+h.random.IntN(20), 3)
		}
	}
	want := h.newer(pattern, after, through)
	if !slices.EqualFunc(got, want, sameChange) {
		h.t.Fatalf("seed %d: after %d through %d, with %+v: got %d values; want %d", seed, after, through, r.max,
			len(got), len(want))
	}
}

// sizeOfPool returns the memory of a pool's values, with their sources.
func sizeOfPool(p *changePool) (size int) {
	for i := range p.values {
		size += valueSize + int(p.values[i].length)
	}
	for i := range p.sources {
		size += sourceSize + len(p.sources[i].record)
	}
	return size
}

// TestChangeReaderFollows reads a history that grows, always up to its last value at that time. The
// bounds are so small that each batch reads a window of the numbers.
func TestChangeReaderFollows(t *testing.T) {
	for seed := range uint64(10) {
		h := &changeHistory{t: t, random: rand.New(rand.NewPCG(seed, 5))}
		h.tree = mustOpen(t, filepath.Join(testenv.TempDir(t), "t.db"))
		everything := mustPattern(t, "*")
		r := NewChangeReader(everything, 0)
		r.size, r.max = 5, changeBounds{memory: 4000, values: 2 + h.random.IntN(40), places: 1}
		for range 8 {
			h.post(1+h.random.IntN(60), 8)
			h.compareReads(seed, r, everything, r.After(), h.last)
		}
	}
}

// TestChangesOfAnotherTreeWithAPool goes on in another tree while values of the first are waiting
// to be returned.
func TestChangesOfAnotherTreeWithAPool(t *testing.T) {
	const last = minBatch + 3*maxTaken
	opts := options()
	opts.ChunkValues, opts.ChunkBytes, opts.TransactionBytes = 256, 4096, 1<<20
	r, after := NewChangeReader(mustPattern(t, "*"), 0), uint64(0)
	for _, name := range []string{"first", "second"} {
		tree, err := openAt(t, filepath.Join(testenv.TempDir(t), "tree"), opts)
		if err != nil {
			t.Fatal(err)
		}
		defer tree.Close()
		h := make(history)
		for sequence := uint64(1); sequence <= last; sequence++ {
			h[name] = append(h[name], codec.Entry{Timestamp: sequence, Sequence: sequence, Value: []byte("1")})
		}
		if err := h.post(tree, last); err != nil {
			t.Fatal(err)
		}
		s := mustSnapshot(t, tree)
		for range 2 {
			batch, err := r.Read(ctx, s, last)
			if err != nil || len(batch) == 0 || batch[0].Record != name || batch[0].Sequence != after+1 {
				t.Errorf("the %s tree, after %d: got %d values, %v", name, after, len(batch), err)
			}
			after = r.After()
		}
		s.Close()
		if name == "first" && r.pool.isEmpty() {
			t.Error("no value of the first tree is waiting, so the test is too weak")
		}
	}
}

// TestChangesOfAnUnreadableKey reads the changes of a tree with a key that names no record. They
// end with the damage, which may hide any numbers.
func TestChangesOfAnUnreadableKey(t *testing.T) {
	tree := mustOpen(t, makeVerbTree(t))
	putElement(t, tree, valuesBucket, []byte("b key"), []byte("garbage"))
	s := mustSnapshot(t, tree)
	defer s.Close()
	_, last := verbHistory()
	r, damage := NewChangeReader(mustPattern(t, "*"), 0), (*DamagedChanges)(nil)
	batch, err := r.Read(ctx, s, last)
	if !errors.As(err, &damage) || damage.Record != "" || damage.From != 1 || damage.Through != last ||
		r.After() != last || len(batch) == 0 {
		t.Errorf("got %d values up to %d, %v; want all, and the damage", len(batch), r.After(), err)
	}
}

// TestPoolOfManyBlocks puts more values into a pool's memory than fit into a block.
func TestPoolOfManyBlocks(t *testing.T) {
	var blocks valueBlocks
	var places []blockPlace
	value := func(i int) []byte { return fmt.Appendf(nil, "%0*d", 1+i%300, i) }
	for i := range 2000 {
		places = append(places, blocks.add(value(i)))
	}
	for i, at := range places {
		if want := value(i); !bytes.Equal(blocks.get(at, uint32(len(want))), want) {
			t.Fatalf("value %d is %q; want %q", i, blocks.get(at, uint32(len(want))), want)
		}
	}
}

// TestChangeReaderCost reads chunks of which each has values of nearly all numbers. A chunk is
// visited once for its header, and then about as often as the pool is filled. Nothing is decoded
// before the first value but what comes with that.
func TestChangeReaderCost(t *testing.T) {
	const records, each, fills = 2000, 4, 3
	h := &changeHistory{t: t, random: rand.New(rand.NewPCG(1, 3))}
	h.tree = mustOpen(t, filepath.Join(t.TempDir(), "t.db"))
	posted := make(history)
	for i := range uint64(records * each) {
		record := fmt.Sprintf("r%04d", i*7%records)
		posted[record] = append(posted[record], codec.Entry{Timestamp: i, Sequence: i + 1, Value: []byte("1")})
		h.last = i + 1
	}
	if err := posted.post(h.tree, h.last); err != nil {
		t.Fatal(err)
	}
	s := mustSnapshot(t, h.tree)
	defer s.Close()
	r := NewChangeReader(mustPattern(t, "*"), 0)
	r.max.values, r.size = records*each/fills*16/15+16, 20
	if _, err := r.Read(ctx, s, h.last); err != nil || r.visited > records+30 {
		t.Errorf("%v, and %d chunks of %d were visited before the first value", err, r.visited, records)
	}
	for r.After() < h.last {
		if _, err := r.Read(ctx, s, h.last); err != nil {
			t.Fatal(err)
		}
	}
	if limit := (1 + 1 + fills + 1) * records; r.visited > limit {
		t.Errorf("%d chunks were visited %d times; want at most %d", records, r.visited, limit)
	}
}

// TestChangePool sorts values of which most are close together and a few far away, and keeps half
// of them. The others return to their places.
func TestChangePool(t *testing.T) {
	const count = 2000
	random := rand.New(rand.NewPCG(1, 4))
	p := changePool{max: changeBounds{values: count, memory: 1 << 20}}
	places := make(placeList, count/10)
	numbers := random.Perm(count)
	for i := range places {
		places[i] = place{from: noValue, through: noValue}
		var b codec.Buffer
		for _, n := range numbers[10*i : 10*i+10] {
			number := uint64(n) + 1
			if n%500 == 0 {
				number += uint64(n) << 40
			}
			e := codec.Entry{Sequence: number, Timestamp: number, Value: fmt.Append(nil, number)}
			b.Entries = append(b.Entries, e)
		}
		p.add(&b, changeSource{fmt.Sprint(i / 2), i}, 0, noValue)
	}
	last := p.shrink(places)
	least, returned := uint64(noValue), 0
	for i := range places {
		if places[i].from != noValue {
			least, returned = min(least, places[i].from), returned+int(places[i].values)
		}
	}
	if last != 1002 || least != 1003 || returned+len(p.values) != count {
		t.Errorf("kept %d values up to %d; returned %d from %d on", len(p.values), last, returned, least)
	}
	p.sort()
	before := uint64(0)
	for _, c := range p.take(noValue) {
		if c.Sequence <= before || c.Timestamp != c.Sequence || string(c.Value) != fmt.Sprint(c.Sequence) ||
			c.Record != fmt.Sprint(slices.Index(numbers, int(c.Sequence)-1)/20) {
			t.Errorf("after %d: got %v", before, c)
		}
		before = c.Sequence
	}
	if before != last || !p.isEmpty() {
		t.Errorf("the last value is %d; want %d", before, last)
	}
}

// TestChangeReaderDamage damages chunks of a tree. All other values come, and the ranges that the
// errors name cover those that are missing.
func TestChangeReaderDamage(t *testing.T) {
	for seed := range uint64(200) {
		path := filepath.Join(t.TempDir(), "t.db")
		h := &changeHistory{t: t, random: rand.New(rand.NewPCG(seed, 2))}
		h.tree = mustOpen(t, path)
		h.post(800, 12)
		if seed%2 == 0 {
			h.damageChunks(1 + h.random.IntN(3))
		} else {
			if err := h.tree.Close(); err != nil {
				t.Fatal(err)
			}
			damageLeaf(t, path, h.values[0].Record)
			h.tree = mustOpen(t, path)
		}
		got, damage := h.readDamaged(mustPattern(t, "*"))
		if len(damage) == 0 {
			t.Errorf("seed %d: no damage was met", seed)
		}
		for _, c := range h.values {
			at, found := slices.BinarySearchFunc(got, c, func(a, b Change) int {
				return cmp.Compare(a.Sequence, b.Sequence)
			})
			covered := slices.ContainsFunc(damage, func(d *DamagedChanges) bool {
				return c.Sequence >= d.From && c.Sequence <= d.Through && (d.Record == "" || d.Record == c.Record)
			})
			if !found && !covered {
				t.Fatalf("seed %d: value %d of %s is missing, and no error says so: %v",
					seed, c.Sequence, c.Record, damage)
			}
			if found && string(got[at].Value) != string(c.Value) {
				t.Fatalf("seed %d: value %d is %s; want %s", seed, c.Sequence, got[at].Value, c.Value)
			}
		}
		if missing := len(h.values) - len(got); missing > len(h.values)/2 {
			t.Errorf("seed %d: %d of %d values are missing", seed, missing, len(h.values))
		}
	}
}

// TestChangeReaderDamageAtOneEnd damages the chunks of two records, whose damaged ranges end at the
// same number. The one error that the reader returns covers the values of both.
func TestChangeReaderDamageAtOneEnd(t *testing.T) {
	h := &changeHistory{t: t, random: rand.New(rand.NewPCG(1, 5))}
	h.tree = mustOpen(t, filepath.Join(t.TempDir(), "t.db"))
	h.post(8, 2)
	chunks := h.chunks()
	for _, c := range chunks {
		c.Chunk[2] ^= 1 // the checksum of the header
	}
	h.put(chunks)
	got, damages := h.readDamaged(mustPattern(t, "*"))
	for _, damage := range damages {
		if damage.Record != "" || damage.From != 1 {
			t.Errorf("got %v; want a range for both records", damage)
		}
	}
	if len(got) > 0 || damages[len(damages)-1].Through != h.last {
		t.Errorf("got %d values, and %v; want none, and ranges through %d", len(got), damages, h.last)
	}
}

// damageChunks changes a byte of some chunks, as they are written.
func (h *changeHistory) damageChunks(count int) {
	h.t.Helper()
	chunks := h.chunks()
	h.random.Shuffle(len(chunks), func(i, j int) { chunks[i], chunks[j] = chunks[j], chunks[i] })
	for _, c := range chunks[:count] {
		c.Chunk[h.random.IntN(len(c.Chunk)-1)+1] ^= 1 // not the version
	}
	h.put(chunks[:count])
}

// put writes chunks to the tree.
func (h *changeHistory) put(chunks []codec.EncodedChunk) {
	h.t.Helper()
	if err := h.tree.update(func(w *writeTx) error { return w.putAll(chunks) }); err != nil {
		h.t.Fatal(err)
	}
	if err := h.tree.seal(); err != nil {
		h.t.Fatal(err)
	}
}

// chunks returns all chunks.
func (h *changeHistory) chunks() (chunks []codec.EncodedChunk) {
	h.t.Helper()
	err := h.tree.view(func(_ *bbolt.Tx, image *pages.Image) error {
		values, err := image.Bucket(valuesBucket)
		if err != nil {
			return err
		}
		return values.Walk(func(key, chunk []byte) error {
			chunks = append(chunks, codec.EncodedChunk{Key: bytes.Clone(key), Chunk: bytes.Clone(chunk)})
			return nil
		}, func(err error) error { return err })
	})
	if err != nil {
		h.t.Fatal(err)
	}
	return chunks
}

// readDamaged reads everything, and steps over damage.
func (h *changeHistory) readDamaged(pattern *index.Pattern) (got []Change, met []*DamagedChanges) {
	h.t.Helper()
	r := NewChangeReader(pattern, 0)
	r.max.values, r.max.places = 50+h.random.IntN(2000), 1+h.random.IntN(300)
	for r.After() < h.last {
		s, err := h.tree.Snapshot()
		if err != nil {
			h.t.Fatal(err)
		}
		through := min(h.last, r.After()+1+h.random.Uint64N(h.last))
		batch, err := r.Read(ctx, s, through)
		s.Close()
		if r.After() > through {
			h.t.Fatalf("after %d; want at most %d", r.After(), through)
		}
		got = append(got, batch...)
		if !slices.IsSortedFunc(got, func(a, b Change) int { return cmp.Or(cmp.Compare(a.Sequence, b.Sequence), -1) }) {
			h.t.Fatalf("after %d: a value comes twice, or too early", r.After())
		}
		var damage *DamagedChanges
		if errors.As(err, &damage) && errors.Is(err, daybook.ErrCorrupt) && damage.Through == r.After() &&
			damage.From <= damage.Through {
			met = append(met, damage)
			r = NewChangeReader(pattern, damage.Through)
		} else if err != nil {
			h.t.Fatalf("after %d: %v", r.After(), err)
		}
	}
	return got, met
}
