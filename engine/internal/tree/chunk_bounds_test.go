// SPDX-License-Identifier: Apache-2.0

package tree

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/daybook-db/daybook/codec"
	"github.com/daybook-db/daybook/proof/testenv"
)

// TestChunksOfTemplatesAreLarger posts values of 100 bytes that are alike, a few and many at a
// time. Their chunks have more JSON than ChunkBytes, because they take fewer bytes; but at most
// four times as much, so that a reader's memory stays bounded.
func TestChunksOfTemplatesAreLarger(t *testing.T) {
	opts := options()
	opts.ChunkValues, opts.ChunkBytes = 500, 8000
	limit := uint64(maxTemplateFactor * opts.ChunkBytes)
	for _, atOnce := range []int{3, 40, 600} {
		tree, err := openAt(t, filepath.Join(testenv.TempDir(t), "tree"), opts)
		if err != nil {
			t.Fatal(err)
		}
		defer tree.Close()
		for sequence := uint64(0); sequence < 600; {
			h := make(history)
			for range atOnce {
				sequence++
				value := fmt.Appendf(nil, `{"n":%04d,"text":"%s"}`, sequence*7%1000, strings.Repeat("x", 81))
				h["r"] = append(h["r"], codec.Entry{Timestamp: sequence, Sequence: sequence, Value: value})
			}
			if err := h.post(tree, sequence); err != nil {
				t.Fatal(err)
			}
		}
		largest, chunks := uint64(0), 0
		_, _ = elementOf(t, tree, func(key, encoded []byte) bool {
			h, err := codec.ReadHeader(key, encoded)
			if err != nil || h.ValueBytes > limit || len(encoded) > opts.ChunkBytes {
				t.Errorf("%d at once: a chunk of %d bytes has %d of JSON, %v; want at most %d and %d", atOnce,
					len(encoded), h.ValueBytes, err, opts.ChunkBytes, limit)
			}
			largest, chunks = max(largest, h.ValueBytes), chunks+1
			return h.Last == 600
		})
		if largest <= uint64(opts.ChunkBytes) || chunks > 7 {
			t.Errorf("%d at once: %d chunks, the largest of %d bytes of JSON; want more than %d", atOnce, chunks,
				largest, opts.ChunkBytes)
		}
	}
}
