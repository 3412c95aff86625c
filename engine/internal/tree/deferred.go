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

// maxDeferred is how much memory chunks may take that are not encoded yet, in bytes.
const maxDeferred = 2 << 20

// deferredChunks are chunks that are put later, so that several can be encoded in parallel.
type deferredChunks struct {
	chunks []unencodedChunk
	size   int // of their entries and values, in bytes
}

type unencodedChunk struct {
	key     []byte
	entries []codec.Entry
	encoded []byte
}

// add adds a chunk. It keeps the key and a copy of the entries. The bytes of their values must not
// change.
func (d *deferredChunks) add(key []byte, entries []codec.Entry) {
	d.chunks = slices.Grow(d.chunks, 1)[:len(d.chunks)+1]
	c := &d.chunks[len(d.chunks)-1] // this reuses the memory of an earlier chunk's entries
	c.key, c.entries = key, append(c.entries[:0], entries...)
	d.size += len(entries)*int(unsafe.Sizeof(codec.Entry{})) + int(valueBytes(entries))
}

// encode encodes all chunks, on all processors.
func (d *deferredChunks) encode(coder *codec.Coder) {
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

// putDeferred encodes and puts the deferred chunks.
func (w *writeTx) putDeferred() error {
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
