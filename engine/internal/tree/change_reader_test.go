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
		pattern := mustPattern(t, []string{"*", "r0*", "*3", "r07", "none"}[h.random.IntN(5)])
		after := h.random.Uint64N(h.last + 1)
		through := after + h.random.Uint64N(h.last-after+1)
		r := NewChangeReader(pattern, after)
		r.size = 1 + h.random.IntN(50)
		r.max = changeBounds{bytes: 1 + h.random.IntN(4000), values: 2 + h.random.IntN(100),
			places: 1 + h.random.IntN(60), placeBytes: 1 + h.random.IntN(2000)}
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
		if len(batch) > r.max.values+options().ChunkValues {
			h.t.Fatalf("seed %d: %d values in a batch; want at most %d", seed, len(batch), r.max.values)
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

// TestChangeReaderDamage damages chunks of a tree. All other values come, and the ranges that the
// errors name cover those that are missing.
func TestChangeReaderDamage(t *testing.T) {
	for seed := range uint64(40) {
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
			at, found := slices.BinarySearchFunc(got, c, compareSequences)
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

// damageChunks changes a byte of some chunks, as they are written.
func (h *changeHistory) damageChunks(count int) {
	h.t.Helper()
	var chunks []codec.EncodedChunk
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
	h.random.Shuffle(len(chunks), func(i, j int) { chunks[i], chunks[j] = chunks[j], chunks[i] })
	for _, c := range chunks[:count] {
		c.Chunk[h.random.IntN(len(c.Chunk)-1)+1] ^= 1 // not the version
	}
	if err := h.tree.update(func(w *writeTx) error { return w.putAll(chunks[:count]) }); err != nil {
		h.t.Fatal(err)
	}
	if err := h.tree.seal(); err != nil {
		h.t.Fatal(err)
	}
}

// readDamaged reads everything, and steps over damage.
func (h *changeHistory) readDamaged(pattern *index.Pattern) (got []Change, met []*DamagedChanges) {
	h.t.Helper()
	r := NewChangeReader(pattern, 0)
	r.max.values = 50 + h.random.IntN(2000)
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
