// SPDX-License-Identifier: Apache-2.0

package codec

import (
	"slices"
	"sync"
)

// Encoded is a chunk and its key.
type Encoded struct{ Key, Chunk []byte }

// Join returns the chunk, under key, of what chunks hold and of entries behind that, all in order; nil if that
// takes decoding and encoding all of it, or might make it shorter. Values encoded by templates are not written
// for it.
func (c *Coder) Join(key []byte, chunks []Encoded, entries []Entry) ([]byte, error) {
	j := joiners.Get().(*joiner)
	defer joiners.Put(j)
	defer j.forget()
	for _, chunk := range chunks {
		if alike, err := j.add(chunk); !alike || err != nil {
			return nil, err
		}
	}
	for i := range entries {
		if !j.templater.add(entries[i].Value) {
			return nil, nil
		}
		j.valueBytes += uint64(len(entries[i].Value))
	}
	j.entries = append(j.entries, entries...)
	if !slices.IsSortedFunc(j.entries, Entry.Compare) || len(j.entries) > mostTemplatedCount || j.valueBytes > mostTemplated {
		return nil, nil
	}
	h := describe(j.entries)
	h.ValueBytes = j.valueBytes
	body := j.templater.append(getBytes(), j.entries, &h)
	defer func() { putBytes(body) }()
	if len(body) == 0 || !j.pays(len(body), &h) {
		return nil, nil
	}
	return appendEncoded(nil, key, &h, templates, body), nil
}

// joiner gathers what a chunk is made of. It is used again from one chunk to the next.
type joiner struct {
	templater  templater
	entries    []Entry // those of chunks without the values
	valueBytes uint64

	chunkBytes, bodyBytes uint64 // of the chunks: their values, and what they take
}

var joiners = sync.Pool{New: func() any { return new(joiner) }}

func (j *joiner) forget() {
	j.templater.forget()
	clear(j.entries)
	*j = joiner{templater: j.templater, entries: j.entries[:0]}
}

// pays reports whether a body is so short that nothing else was worth a try: as AppendChunk would find, or as the
// chunks were, for which that was tried.
func (j *joiner) pays(body int, h *Header) bool {
	return uint64(body) <= h.ValueBytes/muchSmaller || uint64(body)*j.chunkBytes <= j.bodyBytes*h.ValueBytes
}

// add adds a chunk; false if it is not encoded by templates, or by too many.
func (j *joiner) add(chunk Encoded) (alike bool, err error) {
	var b Buffer
	if err := b.open(chunk.Key, chunk.Chunk); err != nil || b.Header.encoding != templates {
		return false, err
	}
	t := templateds.Get().(*templated)
	defer templateds.Put(t)
	defer t.forget()
	h := &b.Header
	start := len(j.entries)
	j.entries = slices.Grow(j.entries, h.Count)[:start+h.Count]
	b.Entries = j.entries[start:]
	if !t.parse(h) || !t.times(&b, 0) || !t.sequence(&b, 0) {
		return false, errTemplates
	}
	if t.length(h.Count) != h.ValueBytes {
		return false, errTemplates
	}
	j.valueBytes += h.ValueBytes
	j.chunkBytes += h.ValueBytes
	j.bodyBytes += uint64(len(h.body))
	return j.templater.join(t, h.Count), nil
}

// join adds the numbers of count values; false if there are too many templates.
func (t *templater) join(from *templated, count int) bool {
	known := make([]int, len(from.templates)) // which template of t each of from's is
	for i := range from.templates {
		w := &from.templates[i]
		t.pieces = append(t.pieces[:0], w.pieces...)
		var ok bool
		if known[i], ok = t.known(); !ok {
			return false
		}
		into := &t.templates[known[i]]
		for i := range w.places {
			into.numbers[i].addAll(w.places[i].style, w.places[i].numbers)
		}
		into.rows += w.rows
	}
	for i := range count {
		which := 0
		if from.of != nil {
			which = int(from.of[i])
		}
		t.of = append(t.of, uint64(known[which]))
	}
	return true
}
