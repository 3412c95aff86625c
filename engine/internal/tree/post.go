// SPDX-License-Identifier: Apache-2.0

package tree

import (
	"bytes"
	"fmt"
	"iter"
	"math"
	"slices"

	"go.etcd.io/bbolt"

	"github.com/daybook-db/daybook/codec"
	"github.com/daybook-db/daybook/engine/internal/pages"
)

const (
	// Chunks are written once and read often, so leaves are filled. bbolt puts two chunks into a leaf at
	// the least, whatever their size.
	valuesFill  = 1.0
	recordsFill = 0.9
)

// Run is what there is to post of one record.
type Run struct {
	Record  string
	Values  []codec.Entry // in order, with sequence numbers above all that the tree holds of the record
	LeftOut int           // how many more there were that are not worth posting
}

// Posting is what Post posts.
type Posting struct {
	Runs             func(after string) iter.Seq[Run] // by record name, those behind a name
	Watermark        uint64                           // that moves when all are in the tree
	LastSegment      uint64                           // greatest number of a segment of the log
	AllowParts       bool                             // the log is durable up to the watermark
	UseAllProcessors func() bool                      // asked now and then: nobody stores meanwhile, so take all processors
}

// Post puts runs of new values into their records' chunks and moves the watermark. It returns how many values
// it left out for good, with an error too.
//
// What a transaction changes is in memory until it is over, so if it can, Post takes several, and the tree says how
// far it has come. Called again after an error or a crash, it goes on from there.
func (t *Tree) Post(p Posting) (leftOut uint64, err error) {
	for more := true; more; {
		var n uint64
		err := t.update(func(w *writer) (err error) {
			n, more, err = w.postPart(&p)
			return err
		})
		if err != nil {
			return leftOut, err
		}
		leftOut += n
	}
	// The values are there, whether or not this works. What cannot be sealed now is with the next commit,
	// and a disk that failed is reported by it.
	_ = t.seal()
	return leftOut, nil
}

// postPart posts as much as one transaction takes, from where the one before ended, and reports whether there is
// more. A part is only ever left standing where a run is left to post: so what is replayed after a crash is never
// nothing, and the checkpoint of it ends the part.
func (w *writer) postPart(p *Posting) (leftOut uint64, more bool, err error) {
	w.alone = p.UseAllProcessors
	part := &w.state.Partial
	mine := part.Watermark == p.Watermark
	inParts := p.AllowParts && (mine || *part == PartialPost{}) // another's must end with this transaction
	after := ""
	if mine {
		after = part.Through
	}
	for run := range p.Runs(after) {
		if inParts && part.Through > after && w.full() {
			return leftOut, true, w.putDeferred()
		}
		if len(run.Values) > 0 {
			if err := w.post(run.Record, run.Values); err != nil {
				return 0, false, err
			}
		}
		leftOut += uint64(run.LeftOut)
		if inParts {
			*part = PartialPost{Through: run.Record, Watermark: p.Watermark}
		}
	}
	*part = PartialPost{}
	w.state.Watermark = p.Watermark
	w.state.LastSegment = max(w.state.LastSegment, p.LastSegment)
	return leftOut, false, w.putDeferred()
}

// full reports whether the transaction changes as much as one is to. It counts the leaves that it has looked at, of which
// it changes most.
func (w *writer) full() bool {
	return w.aroundChunks.LeafBytes()+w.aroundNames.LeafBytes()+w.added >= w.opts.TransactionBytes
}

// writer changes records within one write transaction. What it reads through bbolt is held against the
// checksums first: bbolt writes again what it has read, and a fault would become a part of the tree.
type writer struct {
	reader
	opts      Options
	values    *bbolt.Bucket
	chunks    *bbolt.Cursor
	catalogue catalogue
	state     State

	before         *pages.Image // the tree as it was when the transaction began
	recordsBefore  *pages.Bucket
	chunksBefore   *pages.Cursor
	aroundChunks   *pages.Guard
	aroundNames    *pages.Guard
	added          int    // bytes of chunks
	yield          func() // of a prune
	alone          func() bool
	deferred       deferred
	scratch, bound []byte
}

func (t *Tree) writer(tx *bbolt.Tx) (*writer, error) {
	last := t.committed.Load()
	before := pages.NewImage(tx, last.table, last.rest)
	state, err := readState(before)
	if err != nil {
		return nil, err
	}
	valuesBefore, recordsBefore, err := buckets(before)
	if err != nil {
		return nil, err
	}
	values, records := tx.Bucket([]byte(valuesBucket)), tx.Bucket([]byte(recordsBucket))
	values.FillPercent, records.FillPercent = valuesFill, recordsFill
	return &writer{
		reader:        reader{guard: t.guard, coder: t.coder},
		opts:          t.opts,
		values:        values,
		chunks:        values.Cursor(),
		catalogue:     catalogue{records},
		state:         state,
		before:        before,
		recordsBefore: recordsBefore,
		chunksBefore:  valuesBefore.Cursor(),
		aroundChunks:  valuesBefore.Guard(),
		aroundNames:   recordsBefore.Guard(),
	}, nil
}

// entry returns a record's catalogue entry, and whether there is one.
func (w *writer) entry(record string) (entry codec.CatalogueEntry, found bool, err error) {
	if err := w.aroundNames.VerifyAround([]byte(record)); err != nil {
		return codec.CatalogueEntry{}, false, err
	}
	entry, found, err = w.catalogue.get(record)
	return entry, found, w.guard.fault(err, "catalogue")
}

// post adds a run to a record and to its catalogue entry.
func (w *writer) post(record string, run []codec.Entry) error {
	entry, found, err := w.entry(record)
	if err != nil {
		return err
	}
	first, last := run[0], run[len(run)-1]
	if !found {
		w.state.Records++
		entry = codec.CatalogueEntry{Oldest: first.Timestamp}
	}
	// On a tie the run's value was stored later.
	if !found || last.Timestamp >= entry.Newest {
		entry.SetNewest(last.Timestamp, last.Sequence, last.Value)
	}
	entry.Oldest = min(entry.Oldest, first.Timestamp)
	entry.Count += uint64(len(run))
	size := valueBytes(run)
	entry.Bytes += size
	w.state.Values += uint64(len(run))
	w.state.Bytes += size
	if err := w.place(record, run); err != nil {
		return err
	}
	return w.catalogue.put(record, &entry)
}

func valueBytes(entries []codec.Entry) (total uint64) {
	for _, e := range entries {
		total += uint64(len(e.Value))
	}
	return total
}

// startingBy returns the last chunk that starts at timestamp or before; nil if there is none.
func (w *writer) startingBy(record string, timestamp uint64) (*chunk, error) {
	w.bound = codec.AppendUpperBound(w.bound[:0], record, timestamp)
	if err := w.aroundChunks.VerifyAround(w.bound); err != nil {
		return nil, err
	}
	key, encoded := w.chunks.Seek(w.bound)
	switch {
	case key == nil:
		key, encoded = w.chunks.Last()
	case string(key) != string(w.bound):
		key, encoded = w.chunks.Prev()
	}
	return w.read(record, key, encoded)
}

// preceding returns the chunk before c; nil if there is none.
func (w *writer) preceding(record string, c *chunk) (*chunk, error) {
	if err := w.aroundChunks.VerifyAround(c.key); err != nil {
		return nil, err
	}
	w.chunks.Seek(c.key)
	key, encoded := w.chunks.Prev()
	return w.read(record, key, encoded)
}

// after returns the chunk behind c, or record's first one if c is nil; nil if there is none.
func (w *writer) after(record string, c *chunk) (*chunk, error) {
	if c == nil {
		w.bound = codec.AppendLowerBound(w.bound[:0], record, 0)
		if err := w.aroundChunks.VerifyAround(w.bound); err != nil {
			return nil, err
		}
		key, encoded := w.chunks.Seek(w.bound)
		return w.read(record, key, encoded)
	}
	if err := w.aroundChunks.VerifyAround(c.key); err != nil {
		return nil, err
	}
	w.chunks.Seek(c.key)
	key, encoded := w.chunks.Next()
	return w.read(record, key, encoded)
}

func (w *writer) put(key, encoded []byte) error {
	if err := w.aroundChunks.VerifyAround(key); err != nil {
		return err
	}
	w.added += len(key) + len(encoded)
	return w.values.Put(key, encoded)
}

func (w *writer) delete(key []byte) error {
	if err := w.aroundChunks.VerifyAround(key); err != nil {
		return err
	}
	return w.values.Delete(key)
}

// place puts a run where it belongs: cut at the starts of the chunks that are there, each part goes
// into, or behind, the chunk before it.
func (w *writer) place(record string, run []codec.Entry) error {
	for len(run) > 0 {
		left, err := w.startingBy(record, run[0].Timestamp)
		if err != nil {
			return err
		}
		right, err := w.after(record, left)
		if err != nil {
			return err
		}
		part := run
		if right != nil && right.First <= run[len(run)-1].Timestamp {
			part = between(run, 0, right.First-1)
		}
		run = run[len(part):]
		if err := w.insert(record, left, right, part, len(run) == 0); err != nil {
			return err
		}
	}
	return nil
}

// insert writes part, which lies between the starts of left and right (nil: none). Chunks that part cuts
// into are merged with it, and so are short neighbours, so that a record does not end up as many short
// chunks: a value is written again only into a chunk half as long again, so O(log n) times.
func (w *writer) insert(record string, left, right *chunk, part []codec.Entry, last bool) (err error) {
	count, size := len(part), valueBytes(part)
	var before, behind []*chunk // what is absorbed, nearest first
	for left != nil && (left.Last > part[0].Timestamp || w.absorbs(left, count, size)) {
		before = append(before, left)
		count += left.Count
		size += left.ValueBytes
		if left, err = w.preceding(record, left); err != nil {
			return err
		}
	}
	for last && right != nil && w.absorbs(right, count, size) {
		behind = append(behind, right)
		count += right.Count
		size += right.ValueBytes
		if right, err = w.after(record, right); err != nil {
			return err
		}
	}
	if len(before) > 0 && len(behind) == 0 && w.chunksFor(count, size) == 1 {
		if joined, err := w.join(record, left, right, before, part); joined || err != nil {
			return err
		}
	}
	absorbed := append(before, behind...)
	entries := part
	for _, c := range absorbed {
		if entries, err = w.absorb(record, c, entries); err != nil {
			return err
		}
	}
	return w.write(record, left, right, entries, keysOf(absorbed))
}

func keysOf(chunks []*chunk) (keys [][]byte) {
	for _, c := range chunks {
		keys = append(keys, c.key)
	}
	return keys
}

// join writes absorbed chunks, nearest first, and part behind them as one chunk without decoding them, if that
// can be done.
func (w *writer) join(record string, left, right *chunk, absorbed []*chunk, part []codec.Entry) (joined bool, err error) {
	var chunks []codec.EncodedChunk
	for _, c := range slices.Backward(absorbed) {
		chunks = append(chunks, codec.EncodedChunk{Key: c.key, Chunk: c.encoded})
	}
	key := behind(record, left, absorbed[len(absorbed)-1].First)
	encodedKey := key.Append(nil)
	chunk, err := w.coder.Join(encodedKey, chunks, part)
	if chunk == nil || err != nil || key.Ordinal == math.MaxUint32 {
		return false, nil // what is damaged is found, and named, when it is decoded
	}
	return true, w.replace(record, right, []keyed{{encodedKey, chunk}}, key, keysOf(absorbed))
}

// behind is the key of a chunk that starts at timestamp and stands behind left; nil: before all others.
func behind(record string, left *chunk, timestamp uint64) codec.Key {
	if left == nil {
		return codec.Key{Record: record, Timestamp: timestamp}
	}
	return following(codec.Key{Record: record, Timestamp: left.First, Ordinal: left.ordinal}, timestamp, true)
}

// absorbs reports whether a run of count values of size bytes takes in its neighbour: a chunk that is not
// full, less than twice the run, and spared by it. Where as many chunks would be left as there were, nothing is
// written again. What is damaged stays where it is.
func (w *writer) absorbs(c *chunk, count int, size uint64) bool {
	full := c.Count >= w.opts.ChunkValues || c.ValueBytes >= uint64(w.opts.ChunkBytes)
	return !full && c.Count < 2*count && c.ValueBytes < 2*size &&
		w.chunksFor(count+c.Count, size+c.ValueBytes) <= w.chunksFor(count, size) && codec.Verify(c.key, c.encoded) == nil
}

// chunksFor is about how many chunks values take.
func (w *writer) chunksFor(count int, size uint64) int {
	byCount := (count + w.opts.ChunkValues - 1) / w.opts.ChunkValues
	bySize := (size + uint64(w.opts.ChunkBytes) - 1) / uint64(w.opts.ChunkBytes)
	return max(byCount, int(bySize))
}

// absorb returns entries merged with a chunk's.
func (w *writer) absorb(record string, c *chunk, entries []codec.Entry) ([]codec.Entry, error) {
	mine, err := w.decode(record, c)
	if err != nil {
		return nil, err
	}
	return codec.Merge(mine, entries, codec.Entry.Compare), nil
}

// write puts entries between left and right, in place of the chunks that stand there under absorbed.
func (w *writer) write(record string, left, right *chunk, entries []codec.Entry, absorbed [][]byte) error {
	pieces := w.split(entries)
	encoded := make([]keyed, len(pieces))
	atEnd := right == nil && len(absorbed) == 0 // then nothing of the record is looked at any more
	later := atEnd && w.alone != nil && w.alone()
	key := codec.Key{Record: record}
	if left != nil {
		key.Timestamp, key.Ordinal = left.First, left.ordinal
	}
	for i, piece := range pieces {
		if key = following(key, piece[0].Timestamp, left != nil || i > 0); key.Ordinal == math.MaxUint32 {
			return fmt.Errorf("record %q: too many chunks start at timestamp %d", record, key.Timestamp)
		}
		encoded[i].key = key.Append(nil)
		if later {
			w.deferred.add(encoded[i].key, piece)
			continue
		}
		w.scratch = w.coder.AppendChunk(w.scratch[:0], encoded[i].key, piece)
		encoded[i].chunk = bytes.Clone(w.scratch)
	}
	switch {
	case !later:
		return w.replace(record, right, encoded, key, absorbed)
	case w.deferred.size >= min(mostDeferred, w.opts.TransactionBytes):
		return w.putDeferred()
	}
	return nil
}

// replace puts encoded chunks, the last of which is that under key, before right and in place of those that
// stand there under absorbed.
func (w *writer) replace(record string, right *chunk, encoded []keyed, key codec.Key, absorbed [][]byte) error {
	for _, old := range absorbed {
		if err := w.delete(old); err != nil {
			return err
		}
	}
	if right != nil && right.First == key.Timestamp && right.ordinal <= key.Ordinal {
		if err := w.shift(record, right, key); err != nil {
			return err
		}
	}
	for _, e := range encoded {
		if err := w.put(e.key, e.chunk); err != nil {
			return err
		}
	}
	return nil
}

type keyed struct{ key, chunk []byte }

// following is the key of a chunk that starts at timestamp and stands behind the one under key.
func following(key codec.Key, timestamp uint64, behind bool) codec.Key {
	if behind && key.Timestamp == timestamp {
		key.Ordinal++
		return key
	}
	return codec.Key{Record: key.Record, Timestamp: timestamp}
}

// split cuts entries into the runs of which each becomes a chunk.
func (w *writer) split(entries []codec.Entry) (pieces [][]codec.Entry) {
	for start, i, size := 0, 0, 0; i < len(entries); i++ {
		size += len(entries[i].Value)
		next := i + 1
		if next == len(entries) || next-start >= w.opts.ChunkValues || size+len(entries[next].Value) > w.opts.ChunkBytes {
			pieces = append(pieces, entries[start:next])
			start, size = next, 0
		}
	}
	return pieces
}

// shift gives right, and the chunks behind it that start at the same timestamp, ordinals behind key's.
func (w *writer) shift(record string, right *chunk, key codec.Key) error {
	var moved []keyed
	timestamp := right.First
	for c := right; c != nil && c.First == timestamp; {
		if key.Ordinal == math.MaxUint32 {
			return fmt.Errorf("record %q: too many chunks start at timestamp %d", record, timestamp)
		}
		key.Ordinal++
		newKey := key.Append(nil)
		rekeyed, err := codec.Rekey(c.key, c.encoded, newKey)
		if err != nil {
			return w.chunkFault(err, record, c)
		}
		moved = append(moved, keyed{newKey, rekeyed})
		next, err := w.after(record, c)
		if err != nil {
			return err
		}
		if err := w.delete(c.key); err != nil {
			return err
		}
		c = next
	}
	for _, m := range moved {
		if err := w.put(m.key, m.chunk); err != nil {
			return err
		}
	}
	return nil
}
