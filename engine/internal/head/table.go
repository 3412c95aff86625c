// SPDX-License-Identifier: Apache-2.0

package head

import (
	"hash/maphash"
	"math"

	copies "github.com/daybook-db/daybook/engine/internal/arena"
)

// table is the series of a head: by their numbers, by the hashes of their names, and sorted by
// name. A number takes half the memory of a pointer, and the garbage collector does not scan it.
// Series are never moved.
type table struct {
	chunks   [][]series // of 1<<shift series
	shift    uint
	count    int
	names    copies.Names
	byHash   map[uint32]uint32 // the number of the first series whose name has a hash
	collided map[string]uint32 // the numbers of the others, by name; nearly always empty
	seed     maphash.Seed
	hashMask uint32 // the bits of the hash that are used; fewer in a test
	sorted   order

	allocated int64 // memory of the chunks and names, and roughly that of the maps, in bytes
}

// hashBytes is roughly the memory of a map's entry of two uint32, in bytes. The map is half full to
// seven eighths full, and has another byte for each place.
const hashBytes = 14

func newTable(shift uint) table {
	return table{shift: shift, byHash: make(map[uint32]uint32), seed: maphash.MakeSeed(), hashMask: math.MaxUint32}
}

func (t *table) at(number uint32) *series {
	return &t.chunks[number>>t.shift][number&(1<<t.shift-1)]
}

func (t *table) hash(record string) uint32 {
	return uint32(maphash.String(t.seed, record)) & t.hashMask
}

// find returns the number of a record's series.
func (t *table) find(record string) (number uint32, found bool) {
	number, found = t.byHash[t.hash(record)]
	if found && t.at(number).record != record {
		number, found = t.collided[record]
	}
	return number, found
}

// get returns a record's series; nil if there is none.
func (t *table) get(record string) *series {
	if number, found := t.find(record); found {
		return t.at(number)
	}
	return nil
}

// add adds a series for a copy of the name. There must be none for the record.
func (t *table) add(record string) (number uint32) {
	if t.count == len(t.chunks)<<t.shift {
		t.chunks = append(t.chunks, make([]series, 1<<t.shift))
		t.allocated += seriesSize << t.shift
	}
	number = uint32(t.count)
	t.count++
	before := t.names.Allocated()
	s := t.at(number)
	s.record = t.names.CopyString(record)
	t.addHash(s.record, number)
	t.sorted.add(t, number)
	t.allocated += t.names.Allocated() - before + hashBytes
	return number
}

func (t *table) addHash(record string, number uint32) {
	hash := t.hash(record)
	if _, taken := t.byHash[hash]; !taken {
		t.byHash[hash] = number
		return
	}
	if t.collided == nil {
		t.collided = make(map[string]uint32)
	}
	t.collided[record] = number
}

// size returns the memory of the table, in bytes.
func (t *table) size() int64 { return t.allocated + t.sorted.allocated }
