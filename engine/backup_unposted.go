// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"iter"
	"math"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/codec"
	"github.com/daybook-db/daybook/engine/internal/identity"
	"github.com/daybook-db/daybook/engine/internal/tree"
)

// A backup of a daybook that could not post its heads has their values after the tree's file. They
// are chunks, in the order of the record names, one after another. Before them, with empty keys, is
// what the tree may not know yet about these values: first the identity of the store with their
// epochs, and then the positions of the streams whose batches they are, as in the frames of the
// log.
//
//	0  key length    uint32, little-endian
//	4  chunk length  uint32, little-endian
//	8  key, chunk    as package codec draws them; the ordinal has no meaning
const unpostedHeaderLen = 8

// unpostedWriter writes the chunks of the heads' values.
type unpostedWriter struct {
	w        io.Writer
	tuning   Tuning
	identity identity.Identity // zero: the directory has none
	received []received        // positions that the values moved
	coder    *codec.Coder
	buffer   []byte
	written  int64
}

// writeAll writes the values of captured heads.
func (u *unpostedWriter) writeAll(ctx context.Context, heads capturedHeads) error {
	var older, newer []codec.Entry
	for {
		r, found, err := heads.next(ctx)
		if err != nil || !found {
			return err
		}
		older = r.views[0].Entries(older[:0], codec.All)
		newer = r.views[1].Entries(newer[:0], codec.All)
		if err := u.writeRecord(string(r.name), codec.Merge(older, newer, codec.Entry.Compare)); err != nil {
			return err
		}
	}
}

func (u *unpostedWriter) writeRecord(record string, entries []codec.Entry) error {
	for len(entries) > 0 {
		n, size := 1, len(entries[0].Value)
		for n < min(len(entries), u.tuning.ChunkValues) && size+len(entries[n].Value) <= u.tuning.ChunkBytes {
			size += len(entries[n].Value)
			n++
		}
		if err := u.writeChunk(codec.Key{Record: record, Timestamp: entries[0].Timestamp}, entries[:n]); err != nil {
			return err
		}
		entries = entries[n:]
	}
	return nil
}

func (u *unpostedWriter) writeChunk(key codec.Key, entries []codec.Entry) error {
	if u.written == 0 && !u.identity.IsZero() {
		if err := u.writeFacts(); err != nil {
			return err
		}
	}
	encodedKey := key.Append(nil)
	u.buffer = append(append(u.buffer[:0], make([]byte, unpostedHeaderLen)...), encodedKey...)
	u.buffer = u.coder.AppendChunk(u.buffer, encodedKey, entries)
	return u.writeBuffer(len(encodedKey))
}

// writeFacts writes the identity and the positions.
func (u *unpostedWriter) writeFacts() error {
	facts := [][]byte{u.identity.Append(nil)}
	for _, r := range u.received {
		facts = append(facts, r.encode())
	}
	for _, fact := range facts {
		u.buffer = append(append(u.buffer[:0], make([]byte, unpostedHeaderLen)...), fact...)
		if err := u.writeBuffer(0); err != nil {
			return err
		}
	}
	return nil
}

// writeBuffer writes the buffer, which has a key and a chunk after the place for their lengths.
func (u *unpostedWriter) writeBuffer(keyLen int) error {
	binary.LittleEndian.PutUint32(u.buffer, uint32(keyLen))
	binary.LittleEndian.PutUint32(u.buffer[4:], uint32(len(u.buffer)-unpostedHeaderLen-keyLen))
	if u.written += int64(len(u.buffer)); u.written > math.MaxUint32 {
		return fmt.Errorf("%w: the log holds more values than a backup takes: open the daybook for writing first",
			daybook.ErrReadOnly)
	}
	_, err := u.w.Write(u.buffer)
	return err
}

// unposted are the values after the tree's file of a backup, as they were written.
type unposted []byte

// postTo posts the values to the tree of the backup.
func (u unposted) postTo(restored *tree.Tree) error {
	state, err := restored.State()
	if err != nil || len(u) == 0 {
		return err
	}
	known, notes, err := u.facts()
	if err != nil {
		return err
	}
	if !known.IsZero() {
		restored.SetIdentity(known)
	}
	last := state.MaxPosted()
	for _, entries := range u.runs(&err) {
		for _, e := range entries {
			last = max(last, e.Sequence)
		}
	}
	if err != nil {
		return err
	}
	runs := func(after string) iter.Seq[tree.Run] {
		return func(yield func(tree.Run) bool) {
			for record, entries := range u.runs(&err) {
				if record > after && !yield(tree.Run{Record: record, Values: entries}) {
					return
				}
			}
		}
	}
	_, err = restored.Post(tree.Posting{ // the runs are whole: all of them have been read above
		Runs: runs, Watermark: last, LastSegment: state.LastSegment, Notes: notes, AllowParts: true,
		UseAllProcessors: func() bool { return true },
	})
	return err
}

// facts returns the identity, and the notes of the positions. The identity is zero if the directory
// had none.
func (u unposted) facts() (known identity.Identity, notes tree.Notes, err error) {
	for rest := u; ; {
		key, fact, ok := rest.cutChunk()
		if !ok || len(key) > 0 {
			return known, notes, nil
		}
		rest = rest[unpostedHeaderLen+len(fact):]
		if known.IsZero() {
			if known, ok = identity.Decode(fact); !ok {
				err = fmt.Errorf("%w: the identity after the tree of the backup is damaged", daybook.ErrCorrupt)
				return known, nil, err
			}
			notes = tree.Notes{}
			continue
		}
		r, err := decodeReceived(fact)
		if err != nil {
			return known, nil, err
		}
		notes[r.note()] = r.encodePosition()
	}
}

// runs yields the values of each record. Damage ends it, and is assigned to *damage.
func (u unposted) runs(damage *error) iter.Seq2[string, []codec.Entry] {
	return func(yield func(string, []codec.Entry) bool) {
		var record string
		var entries []codec.Entry
		coder := codec.NewCoder()
		for rest := u; len(rest) > 0; {
			key, chunk, ok := rest.cutChunk()
			if !ok {
				*damage = fmt.Errorf("%w: a value after the tree of the backup is cut off", daybook.ErrCorrupt)
				return
			}
			rest = rest[unpostedHeaderLen+len(key)+len(chunk):]
			if len(key) == 0 { // not of a record: see facts
				continue
			}
			var b codec.Buffer
			name, _, _, err := codec.SplitKey(key)
			if err == nil {
				err = coder.Decode(&b, key, chunk)
			}
			if err != nil {
				*damage = fmt.Errorf("%w: after the tree of the backup: %w", daybook.ErrCorrupt, err)
				return
			}
			if string(name) != record {
				if len(entries) > 0 && !yield(record, entries) {
					return
				}
				record, entries = string(name), nil
			}
			entries = append(entries, b.Entries...)
		}
		if len(entries) > 0 {
			yield(record, entries)
		}
	}
}

// cutChunk returns the first chunk and its key, and false if they are cut off.
func (u unposted) cutChunk() (key, chunk []byte, ok bool) {
	if len(u) < unpostedHeaderLen {
		return nil, nil, false
	}
	keyLen, chunkLen := uint64(binary.LittleEndian.Uint32(u)), uint64(binary.LittleEndian.Uint32(u[4:]))
	if uint64(len(u)) < unpostedHeaderLen+keyLen+chunkLen {
		return nil, nil, false
	}
	return u[unpostedHeaderLen:][:keyLen], u[unpostedHeaderLen+keyLen:][:chunkLen], true
}
