// SPDX-License-Identifier: Apache-2.0

package peers_test

import (
	"encoding/binary"
	"hash/maphash"
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
	values, raw int    // raw is the length of all values
	digest      uint64 // of all values, in any order
	names       []string
	from, to    uint64 // the middle half of the times, inclusive
	middle      uint64 // half of the values are older
	inRange     int    // number of values of the records rangeOf from from to to
	older       int    // number of values before middle
	atMiddle    int    // number of records that have a value at middle or before
}

// expect makes the history to see what it has.
func expect(h bench.History) expectation {
	want := expectation{values: h.Values(), names: h.Workload().Names()}
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
	for _, at := range oldest {
		if at <= want.middle {
			want.atMiddle++
		}
	}
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

// check compares everything that Scan yields with what was stored, and its order with what Scan
// promises. It is not measured.
func (r row) check(b *testing.B, p peers.Peer, dir string, want expectation) {
	b.Helper()
	with(b, p, dir, func(store peers.Store) {
		var got expectation
		var last daybook.StoredValue
		for v, err := range store.Scan(ctx, "*", daybook.QueryParams{}) {
			must(b, p, err)
			if v.RecordName < last.RecordName || v.RecordName == last.RecordName && v.StoredAt > last.StoredAt {
				b.Fatalf("%s: Scan yields %s at %d after %s at %d",
					p.Name, v.RecordName, v.StoredAt, last.RecordName, last.StoredAt)
			}
			got.values, got.digest, last = got.values+1, got.digest+digest(v), v
		}
		if got.values != want.values || got.digest != want.digest {
			b.Fatalf("%s: Scan yields %d values with the digest %x; want %d and %x",
				p.Name, got.values, got.digest, want.values, want.digest)
		}
	})
}
