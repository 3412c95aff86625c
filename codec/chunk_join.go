// SPDX-License-Identifier: Apache-2.0

package codec

import (
	"slices"
	"sync"
)

// EncodedChunk is a chunk and its key.
type EncodedChunk struct{ Key, Chunk []byte }

// Join returns a chunk, valid under key, that holds the values of chunks and then entries, all of
// which must be in order. It works on the numbers in templates, and does not write the values out.
// It returns nil if that is impossible, or if encoding all values anew might give a shorter chunk.
func (c *Coder) Join(key []byte, chunks []EncodedChunk, entries []Entry) ([]byte, error) {
	if len(chunks) > 0 && isEncodedAs(chunks[0].Chunk, encodingMembers) {
		return c.joinMembers(key, chunks, entries)
	}
	j := chunkJoiners.Get().(*chunkJoiner)
	defer chunkJoiners.Put(j)
	defer j.forget()
	j.templates.limit = maxTemplates
	for _, chunk := range chunks {
		if joined, err := j.addChunk(chunk); !joined || err != nil {
			return nil, err
		}
	}
	for i := range entries {
		if !j.templates.add(entries[i].Value) {
			return nil, nil
		}
		j.valueBytes += uint64(len(entries[i].Value))
	}
	j.entries = append(j.entries, entries...)
	if len(j.entries) > maxTemplateValues || j.valueBytes > maxTemplateBytes ||
		!slices.IsSortedFunc(j.entries, Entry.Compare) {
		return nil, nil
	}
	h := headerOf(j.entries)
	h.ValueBytes = j.valueBytes
	body := j.templates.appendBody(getBytes(), j.entries, &h)
	defer func() { putBytes(body) }()
	if len(body) == 0 || !j.isShortEnough(body, &h) {
		return nil, nil
	}
	return appendHeaderAndBody(nil, key, &h, encodingTemplates, body), nil
}

// Joins reports whether Join can work on the chunk's columns.
func (h *Header) Joins() bool {
	return h.encoding == encodingTemplates || h.encoding == encodingMembers
}

// isEncodedAs reports whether a chunk, which may be anything, has an encoding.
func isEncodedAs(chunk []byte, encoding byte) bool {
	return len(chunk) >= headerFieldsAt && chunk[1] == encoding
}

// chunkJoiner collects the values of a joined chunk. It is reused for one chunk after another.
type chunkJoiner struct {
	templates  templateFinder
	entries    []Entry // those that come from chunks have no Value
	valueBytes uint64

	chunkValueBytes, chunkBodyBytes uint64 // of the chunks alone
}

var chunkJoiners = sync.Pool{New: func() any { return new(chunkJoiner) }}

// forget drops everything except the memory.
func (j *chunkJoiner) forget() {
	j.templates.forget()
	clear(j.entries)
	*j = chunkJoiner{templates: j.templates, entries: j.entries[:0]}
}

// isShortEnough reports whether no other encoding needs to be tried: because AppendChunk would not
// try one, or because the body is as short, in proportion, as those of the chunks, for which it was
// tried.
func (j *chunkJoiner) isShortEnough(body []byte, h *Header) bool {
	return h.isShort(body, encodingTemplates) || uint64(len(body))*j.chunkValueBytes <= j.chunkBodyBytes*h.ValueBytes
}

// addChunk adds a chunk. It returns false if the chunk is not encoded by templates, or if there are
// too many templates in all.
func (j *chunkJoiner) addChunk(chunk EncodedChunk) (joined bool, err error) {
	var b Buffer
	if err := b.open(chunk.Key, chunk.Chunk); err != nil || b.Header.encoding != encodingTemplates {
		return false, err
	}
	t := templateBodies.Get().(*templateBody)
	defer templateBodies.Put(t)
	defer t.forget()
	h := &b.Header
	timestamps, sequences := make([]uint64, h.Count), make([]uint64, h.Count)
	if !t.parse(h) || !t.readTimestamps(timestamps, h, 0) || !t.readSequences(sequences, h, 0) {
		return false, errTemplates
	}
	if length, ok := t.valuesLen(h.Count); !ok || length != h.ValueBytes {
		return false, errTemplates
	}
	for i := range timestamps {
		j.entries = append(j.entries, Entry{Timestamp: timestamps[i], Sequence: sequences[i]})
	}
	j.valueBytes += h.ValueBytes
	j.chunkValueBytes += h.ValueBytes
	j.chunkBodyBytes += uint64(len(h.body))
	return j.templates.addBody(t, h.Count), nil
}

// addBody adds the numbers of a body's values, which have all been read. It returns false if there
// are too many templates.
func (f *templateFinder) addBody(t *templateBody, count int) bool {
	known := make([]int, len(t.templates)) // index in f.templates of each of t.templates
	for i := range t.templates {
		stored := &t.templates[i]
		f.pieces = append(f.pieces[:0], stored.pieces...)
		var ok bool
		if known[i], ok = f.indexOfPieces(); !ok {
			return false
		}
		into := &f.templates[known[i]]
		for i := range stored.places {
			into.numbers[i].addPlace(&stored.places[i])
		}
	}
	for i := range count {
		which := 0
		if t.templateOf != nil {
			which = int(t.templateOf[i])
		}
		f.templateOf = append(f.templateOf, uint64(known[which]))
	}
	return true
}
