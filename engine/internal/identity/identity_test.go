// SPDX-License-Identifier: Apache-2.0

package identity

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/codec"
)

var storeS = [16]byte{'S'}

func id(name byte) [16]byte { return [16]byte{name} }

// picture is the history in the package's documentation, which is at number 900.
func picture() Identity {
	return Identity{Store: storeS, Epochs: []Epoch{{ID: id('A')}}}.
		Begin(id('B'), 700, true).
		Begin(id('C'), 850, true)
}

func TestResolve(t *testing.T) {
	at := func(epoch byte, sequence uint64) daybook.Cursor {
		return daybook.Cursor{Epoch: id(epoch), Sequence: sequence}
	}
	lost := Identity{Store: storeS, Epochs: []Epoch{{ID: id('A')}}}.Begin(id('B'), 700, true).Begin(id('C'), 600, true)
	for _, test := range []struct {
		name    string // of the cursor
		history Identity
		cursor  daybook.Cursor
		after   uint64
		common  daybook.Cursor
		forked  bool
	}{
		{"the beginning", picture(), daybook.Cursor{}, 0, daybook.Cursor{}, false},
		{"in the current epoch", picture(), at('C', 870), 870, daybook.Cursor{}, false},
		{"of the last value", picture(), at('C', 900), 900, daybook.Cursor{}, false},
		{"of a value that is not there yet", picture(), at('C', 901), 0, at('C', 900), true},
		{"of a shared value, in the current epoch", picture(), at('C', 10), 10, daybook.Cursor{}, false},
		{"of the last shared value", picture(), at('B', 850), 850, daybook.Cursor{}, false},
		{"of a value that only the parent had", picture(), at('B', 851), 0, at('B', 850), true},
		{"of the last value shared by all", picture(), at('A', 700), 700, daybook.Cursor{}, false},
		{"of a value that only the oldest had", picture(), at('A', 701), 0, at('A', 700), true},
		{"of a value of an epoch between that the oldest never had", picture(), at('A', 820), 0, at('A', 700), true},
		{"of an unknown epoch", picture(), at('Z', 1), 0, daybook.Cursor{}, true},
		{"of an epoch whose first values are lost", lost, at('B', 701), 0, at('A', 600), true},
		{"of a value that the epoch after the next has lost", lost, at('A', 650), 0, at('A', 600), true},
	} {
		t.Run(test.name, func(t *testing.T) {
			after, err := test.history.Resolve(test.cursor, 900)
			var fork *daybook.ForkedError
			if forked := errors.As(err, &fork); after != test.after || forked != test.forked || !forked && err != nil {
				t.Fatalf("got %d, %v; want %d, forked: %v", after, err, test.after, test.forked)
			}
			if test.forked && (fork.Common != test.common || fork.Current != at('C', 900)) {
				t.Errorf("got %+v; want the common place %v, now at C:900", fork, test.common)
			}
		})
	}
}

// TestCommonPlaceResolves: the place that a ForkedError names is one to go on from.
func TestCommonPlaceResolves(t *testing.T) {
	for _, epoch := range "ABCZ" {
		for sequence := uint64(1); sequence < 1000; sequence++ {
			_, err := picture().Resolve(daybook.Cursor{Epoch: id(byte(epoch)), Sequence: sequence}, 900)
			var fork *daybook.ForkedError
			if errors.As(err, &fork) {
				if _, err := picture().Resolve(fork.Common, 900); err != nil {
					t.Fatalf("%c:%d is forked at %v, which is forked: %v", epoch, sequence, fork.Common, err)
				}
			}
		}
	}
}

func TestCursorAt(t *testing.T) {
	for sequence, epoch := range map[uint64]byte{1: 'A', 700: 'A', 701: 'B', 850: 'B', 851: 'C', 900: 'C'} {
		if want := (daybook.Cursor{Epoch: id(epoch), Sequence: sequence}); picture().CursorAt(sequence) != want {
			t.Errorf("value %d: got %v; want %v", sequence, picture().CursorAt(sequence), want)
		}
	}
	if cursor := picture().CursorAt(0); !cursor.IsZero() {
		t.Errorf("got %v before the first value; want the beginning", cursor)
	}
	if cursor := (Identity{}).CursorAt(7); !cursor.IsZero() {
		t.Errorf("got %v without an identity; want the beginning", cursor)
	}
}

func TestBeginLeavesOutAnUnusedEpoch(t *testing.T) {
	got := picture().Begin(id('D'), 850, false)
	want := []Epoch{{id('A'), 0}, {id('B'), 700}, {id('D'), 850}}
	if diff := cmp.Diff(want, got.Epochs); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if diff := cmp.Diff(id('C'), picture().Current().ID); diff != "" {
		t.Errorf("the identity before has changed (-want +got)\n%s", diff)
	}
}

func TestOldestEpochsAreForgotten(t *testing.T) {
	history := New()
	first := history.Current().ID
	for n := range uint64(MaxEpochs) {
		history = history.Begin(NewID(), n+1, true)
	}
	if len(history.Epochs) != MaxEpochs {
		t.Fatalf("got %d epochs; want %d", len(history.Epochs), MaxEpochs)
	}
	var fork *daybook.ForkedError
	if _, err := history.Resolve(daybook.Cursor{Epoch: first, Sequence: 1}, 2000); !errors.As(err, &fork) ||
		!fork.Common.IsZero() {
		t.Errorf("got %v for a forgotten epoch; want a fork without a common place", err)
	}
	if after, err := history.Resolve(history.CursorAt(1), 2000); after != 1 || err != nil {
		t.Errorf("got %d, %v for a value of a forgotten epoch; want 1", after, err)
	}
	decoded, ok := Decode(history.Append(nil))
	if diff := cmp.Diff(history, decoded); !ok || diff != "" {
		t.Errorf("decoded: %v (-want +got)\n%s", ok, diff)
	}
}

func TestDecode(t *testing.T) {
	encoded := picture().Append([]byte("before"))[len("before"):]
	decoded, ok := Decode(encoded)
	if diff := cmp.Diff(picture(), decoded); !ok || diff != "" {
		t.Fatalf("decoded: %v (-want +got)\n%s", ok, diff)
	}
	for length := range encoded {
		if _, ok := Decode(encoded[:length]); ok {
			t.Errorf("decoded %d of %d bytes", length, len(encoded))
		}
	}
	for bit := range 8 * len(encoded) {
		encoded[bit/8] ^= 1 << (bit % 8)
		if _, ok := Decode(encoded); ok {
			t.Errorf("decoded with bit %d changed", bit)
		}
		encoded[bit/8] ^= 1 << (bit % 8)
	}
	if _, ok := Decode((Identity{Epochs: picture().Epochs}).Append(nil)); ok {
		t.Error("decoded an identity without a store")
	}
	if _, ok := Decode((Identity{Store: storeS}).Append(nil)); ok {
		t.Error("decoded an identity without an epoch")
	}
	withMore := picture()
	withMore.Epochs = make([]Epoch, MaxEpochs+1)
	if _, ok := Decode(withMore.Append(nil)); ok {
		t.Errorf("decoded an identity with %d epochs", MaxEpochs+1)
	}
	withMore.Epochs = withMore.Epochs[:1]
	if decoded, ok := Decode(withMore.Append(nil)); !ok || !decoded.Equal(withMore) {
		t.Errorf("decoded %v, %v; want one epoch", decoded, ok)
	}
	for end := 1; end < epochLen; end++ { // the checksum matches
		longer := append(encoded[:len(encoded)-sumLen:len(encoded)-sumLen], make([]byte, end)...)
		longer = binary.BigEndian.AppendUint32(longer, crc32.Checksum(longer, codec.Castagnoli))
		if _, ok := Decode(longer); ok {
			t.Errorf("decoded with %d more bytes", end)
		}
	}
}

// TestNumbersMeanOneValue runs random histories with losses at the end. A consumer sees every value
// as it is stored, and keeps its cursor. Two values with one cursor, or a cursor that resolves to a
// history in which another value has the number, are what identities exist to prevent.
func TestNumbersMeanOneValue(t *testing.T) {
	for seed := range uint64(200) {
		random := rand.New(rand.NewPCG(seed, 0))
		history, values := New(), []int{} // values[n] has number n+1
		seen, next, used := map[daybook.Cursor]int{}, 0, false
		for range 60 {
			if random.IntN(3) > 0 {
				next++
				values, used = append(values, next), true
				cursor := history.CursorAt(uint64(len(values)))
				if before, ok := seen[cursor]; ok {
					t.Fatalf("seed %d: %v is value %d and value %d", seed, cursor, before, next)
				}
				seen[cursor] = next
				continue
			}
			values = values[:random.IntN(len(values)+1)]
			history, used = history.Begin(NewID(), uint64(len(values)), used), false
		}
		for cursor, value := range seen {
			after, err := history.Resolve(cursor, uint64(len(values)))
			here := cursor.Sequence <= uint64(len(values)) && values[cursor.Sequence-1] == value
			if here != (err == nil) || err == nil && after != cursor.Sequence {
				t.Fatalf("seed %d: %v of value %d: got %d, %v; is the value there? %v",
					seed, cursor, value, after, err, here)
			}
		}
	}
}
