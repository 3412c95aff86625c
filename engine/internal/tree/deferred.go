// SPDX-License-Identifier: Apache-2.0

package tree

import (
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"unsafe"

	"github.com/daybook-db/daybook/codec"
)

// mostDeferred is how much memory chunks take at the most that are not encoded yet, in bytes.
const mostDeferred = 2 << 20

// deferred are chunks that are put later, so that several can be encoded at once.
type deferred struct {
	chunks []unencoded
	size   int // of their entries and values, in bytes
}

type unencoded struct {
	key     []byte
	entries []codec.Entry
	encoded []byte
}

// add adds a chunk. It keeps the key and a copy of the entries, whose values must stay what they are.
func (d *deferred) add(key []byte, entries []codec.Entry) {
	d.chunks = slices.Grow(d.chunks, 1)[:len(d.chunks)+1]
	c := &d.chunks[len(d.chunks)-1] // in the memory of a former one
	c.key, c.entries = key, append(c.entries[:0], entries...)
	d.size += len(entries)*int(unsafe.Sizeof(codec.Entry{})) + int(valueBytes(entries))
}

// encode encodes all chunks, on all processors.
func (d *deferred) encode(coder *codec.Coder) {
	var next atomic.Int64
	encode := func() {
		for i := next.Add(1) - 1; i < int64(len(d.chunks)); i = next.Add(1) - 1 {
			c := &d.chunks[i]
			c.encoded = coder.AppendChunk(nil, c.key, c.entries)
		}
	}
	var others sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), len(d.chunks)) - 1 {
		others.Go(encode)
	}
	encode()
	others.Wait()
}

// putDeferred puts the chunks that were deferred.
func (w *writer) putDeferred() error {
	d := &w.deferred
	d.encode(w.coder)
	for i := range d.chunks {
		if err := w.put(d.chunks[i].key, d.chunks[i].encoded); err != nil {
			return err
		}
	}
	d.chunks, d.size = d.chunks[:0], 0
	return nil
}
