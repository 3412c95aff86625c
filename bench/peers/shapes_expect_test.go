// SPDX-License-Identifier: Apache-2.0

package peers_test

import (
	"encoding/binary"
	"fmt"
	"hash/maphash"
	"iter"
	"slices"
	"strings"
	"testing"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/bench"
	"github.com/daybook-db/daybook/bench/peers"
)

// rangeOf are the records of BenchmarkShapes' range: 100 of them, or all if there are not as many.
const rangeOf = "plant.line000."

// expectation is what a store must have when a history is in it.
type expectation struct {
	values, raw int      // raw is the length of all values
	digest      uint64   // of all values, in any order
	from, to    uint64   // the middle half of the times, inclusive
	middle      uint64   // half of the values are older
	inRange     int      // number of values of the records rangeOf from from to to
	older       int      // number of values before middle
	names       []string // of the records that have a value at middle or before
}

// expect makes the history to see what it has.
func expect(h bench.History) expectation {
	want := expectation{values: h.Values()}
	var times, ranged []uint64
	oldest := map[string]uint64{}
	for batch := range h.Batches() {
		for _, v := range batch {
			want.raw += len(v.Value)
			want.digest += digest(v)
			times = append(times, v.StoredAt)
			if strings.HasPrefix(v.RecordName, rangeOf) {
				ranged = append(ranged, v.StoredAt)
			}
			if at, ok := oldest[v.RecordName]; !ok || v.StoredAt < at {
				oldest[v.RecordName] = v.StoredAt
			}
		}
	}
	slices.Sort(times)
	want.from, want.middle, want.to = times[len(times)/4], times[len(times)/2], times[len(times)*3/4]
	want.older, _ = slices.BinarySearch(times, want.middle)
	for _, at := range ranged {
		if want.from <= at && at <= want.to {
			want.inRange++
		}
	}
	want.names = slices.DeleteFunc(h.Workload().Names(), func(name string) bool { return oldest[name] > want.middle })
	return want
}

var digestSeed = maphash.MakeSeed()

// digest is a hash of one value. The sum over values does not depend on their order.
func digest(v daybook.StoredValue) uint64 {
	var hash maphash.Hash
	hash.SetSeed(digestSeed)
	hash.WriteString(v.RecordName)
	hash.Write(binary.BigEndian.AppendUint64([]byte{0}, v.StoredAt))
	hash.Write(v.Value)
	return hash.Sum64()
}

// check compares everything that Scan yields with what was stored. It is not measured.
func (r row) check(b *testing.B, p peers.Peer, dir string, want expectation) {
	b.Helper()
	with(b, p, dir, func(store peers.Store) {
		must(b, p, want.compare(store.Scan(ctx, "*", daybook.QueryParams{})))
	})
}

// compare returns an error unless a scan, newest first, yields what is expected, in the order that
// Scan promises. Values of equal record and time may come in any order.
func (want expectation) compare(scan iter.Seq2[daybook.StoredValue, error]) error {
	var got expectation
	var last daybook.StoredValue
	for v, err := range scan {
		if err != nil {
			return err
		}
		if v.RecordName < last.RecordName || v.RecordName == last.RecordName && v.StoredAt > last.StoredAt {
			return fmt.Errorf("Scan yields %s at %d after %s at %d",
				v.RecordName, v.StoredAt, last.RecordName, last.StoredAt)
		}
		got.values, got.digest, last = got.values+1, got.digest+digest(v), v
	}
	if got.values != want.values || got.digest != want.digest {
		return fmt.Errorf("Scan yields %d values with the digest %x; want %d and %x",
			got.values, got.digest, want.values, want.digest)
	}
	return nil
}

// TestExpectation shows that a scan that differs in one value is noticed.
func TestExpectation(t *testing.T) {
	r := row{History: bench.History{Shape: bench.States, Times: bench.Late, Records: 5, Ticks: 40, Seed: 1}}
	want := expect(r.History)
	for _, tt := range []struct {
		name   string
		change func(all []daybook.StoredValue) []daybook.StoredValue
		equal  bool
	}{
		{"everything", func(all []daybook.StoredValue) []daybook.StoredValue { return all }, true},
		{"a value less", func(all []daybook.StoredValue) []daybook.StoredValue { return all[1:] }, false},
		{"a value twice", func(all []daybook.StoredValue) []daybook.StoredValue {
			return append(all[:1:1], all[:len(all)-1]...)
		}, false},
		{"two values swapped", func(all []daybook.StoredValue) []daybook.StoredValue {
			all[3], all[9] = all[9], all[3]
			return all
		}, false},
		{"another time", func(all []daybook.StoredValue) []daybook.StoredValue {
			all[len(all)-1].StoredAt--
			return all
		}, false},
		{"another byte", func(all []daybook.StoredValue) []daybook.StoredValue {
			all[7].Value = slices.Clone(all[7].Value)
			all[7].Value[3] ^= 1
			return all
		}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			err := want.compare(func(yield func(daybook.StoredValue, error) bool) {
				for _, v := range tt.change(r.inScanOrder()) {
					if !yield(v, nil) {
						return
					}
				}
			})
			if (err == nil) != tt.equal {
				t.Errorf("got %v", err)
			}
		})
	}
}
