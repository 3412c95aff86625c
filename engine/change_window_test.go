// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"slices"
	"testing"

	"github.com/daybook-db/daybook/codec"
)

// TestChangeWindowIsShortened adds values to a window, the last stored first, until it ends the
// window earlier. It must have all values up to the new end.
func TestChangeWindowIsShortened(t *testing.T) {
	const values, each = 10, maxWindowBytes / 4
	w := newChangeWindow(0, values)
	for sequence := uint64(values); sequence > 0; sequence-- {
		w.add("r", codec.Entry{Sequence: sequence, Value: make([]byte, each)})
	}
	changes, through := w.take()
	var got []uint64
	for _, change := range changes {
		got = append(got, change.Sequence)
	}
	// The eighth value, of number 3, shortens it to four values. Two more follow.
	if want := []uint64{1, 2, 3, 4, 5, 6}; !slices.Equal(got, want) || through != 6 {
		t.Errorf("got %v, through %d; want %v through 6", got, through, want)
	}
}
