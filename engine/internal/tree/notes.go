// SPDX-License-Identifier: Apache-2.0

package tree

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"

	"go.etcd.io/bbolt"

	"github.com/daybook-db/daybook/codec"
	"github.com/daybook-db/daybook/engine/internal/pages"
)

// Notes are small facts that the tree keeps beside the values, each under a name: the holds and the
// positions of package engine. In an argument, an empty note is one to delete.
type Notes map[string][]byte

// Keys of the meta bucket.
var (
	notePrefix   = []byte("note\x00")
	notesSumKey  = []byte("notes")
	afterAllNote = []byte("note\x01")
)

// notesSum tells whether a note is missing.
type notesSum struct {
	count uint64
	sums  uint64 // of the notes' checksums
}

func (s *notesSum) fields() []*uint64 { return []*uint64{&s.count, &s.sums} }

// add adds a note with a checksum, and remove removes one.
func (s *notesSum) add(sum uint32)    { s.count, s.sums = s.count+1, s.sums+uint64(sum) }
func (s *notesSum) remove(sum uint32) { s.count, s.sums = s.count-1, s.sums-uint64(sum) }

// noteSum returns the checksum of a note, which covers its key, too.
func noteSum(key, note []byte) uint32 {
	return crc32.Update(crc32.Checksum(key, codec.Castagnoli), codec.Castagnoli, note)
}

// Notes returns all notes.
func (t *Tree) Notes() (notes Notes, err error) {
	err = t.view(func(_ *bbolt.Tx, image *pages.Image) error {
		notes, err = readNotes(image)
		return err
	})
	return notes, err
}

// PutNotes writes and deletes notes in a transaction of its own.
func (t *Tree) PutNotes(notes Notes) error {
	if len(notes) == 0 {
		return nil
	}
	err := t.update(func(w *writeTx) error { return w.putNotes(notes) })
	if err == nil {
		_ = t.seal() // its error does not matter, as in Post
	}
	return err
}

// putNotes writes and deletes notes.
func (w *writeTx) putNotes(notes Notes) error {
	if len(notes) == 0 {
		return nil
	}
	meta := w.tx.Bucket([]byte(metaBucket))
	var sum notesSum
	if data := meta.Get(notesSumKey); data != nil && !decodeFields(data, sum.fields()) {
		return w.before.RootDamage("the sum of the notes does not match its checksum")
	}
	for name, note := range notes {
		w.noted += len(name) + len(note)
		if err := putNote(meta, &sum, noteKey(name), note); err != nil {
			return err
		}
	}
	if sum.count == 0 {
		return meta.Delete(notesSumKey)
	}
	return meta.Put(notesSumKey, encodeFields(sum.fields()))
}

func putNote(meta *bbolt.Bucket, sum *notesSum, key, note []byte) error {
	if old := meta.Get(key); len(old) >= noteSumLen {
		sum.remove(binary.BigEndian.Uint32(old))
	}
	if len(note) == 0 {
		return meta.Delete(key)
	}
	checksum := noteSum(key, note)
	sum.add(checksum)
	return meta.Put(key, append(binary.BigEndian.AppendUint32(nil, checksum), note...))
}

const noteSumLen = 4

func noteKey(name string) []byte { return append(bytes.Clone(notePrefix), name...) }

// readNotes reads the notes that an image shows, and verifies that they are all there.
func readNotes(image *pages.Image) (Notes, error) {
	meta, err := image.Bucket(metaBucket)
	if err != nil {
		return nil, err
	}
	data, err := meta.Cursor().Get(notesSumKey)
	if err != nil {
		return nil, err
	}
	var want, got notesSum
	if data != nil && !decodeFields(data, want.fields()) {
		return nil, meta.Damage("the sum of the notes does not match its checksum")
	}
	notes, cursor := Notes{}, meta.Cursor()
	key, data, err := cursor.Seek(notePrefix)
	for ; err == nil && key != nil && bytes.Compare(key, afterAllNote) < 0; key, data, err = cursor.Next() {
		name := string(bytes.TrimPrefix(key, notePrefix))
		if len(data) < noteSumLen || binary.BigEndian.Uint32(data) != noteSum(key, data[noteSumLen:]) {
			return nil, meta.Damage(fmt.Sprintf("the note %q does not match its checksum", name))
		}
		notes[name] = bytes.Clone(data[noteSumLen:])
		got.add(binary.BigEndian.Uint32(data))
	}
	if err == nil && got != want {
		err = meta.Damage(fmt.Sprintf("the tree has %d notes; want %d with other checksums", got.count, want.count))
	}
	return notes, err
}
