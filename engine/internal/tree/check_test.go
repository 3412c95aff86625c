// SPDX-License-Identifier: Apache-2.0

package tree

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/daybook-db/daybook/codec"
)

// TestCheckOrder has a chunk whose last two values are the same, and after it a chunk that starts
// before them. Check must find both faults.
func TestCheckOrder(t *testing.T) {
	tree := mustOpen(t, filepath.Join(t.TempDir(), "tree"))
	sequence := uint64(0)
	err := tree.update(func(w *writeTx) error {
		for _, timestamps := range [][]uint64{{1, 2}, {10, 50, 50}, {20, 21}} {
			var entries []codec.Entry
			for i, timestamp := range timestamps {
				if i == 0 || timestamp != timestamps[i-1] {
					sequence++
				}
				entries = append(entries, codec.Entry{Timestamp: timestamp, Sequence: sequence, Value: []byte("1")})
			}
			key := codec.Key{Record: "r", Timestamp: timestamps[0]}.Append(nil)
			if err := w.put(key, w.coder.AppendChunk(nil, key, entries)); err != nil {
				return err
			}
		}
		w.state.Watermark = sequence
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	faults := tree.Check(ctx)
	if faults == nil {
		t.Fatal("Check found no fault")
	}
	for start, want := range map[uint64]string{10: "value 2 is out of order", 20: "value 0 is out of order"} {
		key := codec.Key{Record: "r", Timestamp: start}.Append(nil)
		if fault := fmt.Sprintf("under key %x: %s", key, want); !strings.Contains(faults.Error(), fault) {
			t.Errorf("Check: got %v; want %q", faults, fault)
		}
	}
}
