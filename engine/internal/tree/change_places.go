// SPDX-License-Identifier: Apache-2.0

package tree

import (
	"math"
	"slices"

	"github.com/daybook-db/daybook/engine/internal/pages"
)

// place is where values with sequence numbers from one number through another are: in one chunk.
// Values of the chunk with other numbers do not count. A place has no pointer, because a reader has
// very many of them.
type place struct {
	key           keyPlace // of the chunk
	from, through uint64   // from is noValue if there are no more values
	values, bytes uint32   // about how many values the place has, and how much JSON
}

// noValue is greater than the number of any value.
const noValue = math.MaxUint64

// keyPlace says where a key is in an image: its offset, and its length in the lowest bits. It is
// valid in images of the same transaction alone.
type keyPlace uint64

const keyLenBits = 16

func newKeyPlace(image *pages.Image, key []byte) keyPlace {
	return keyPlace(image.Offset(key))<<keyLenBits | keyPlace(len(key))
}

func (k keyPlace) len() int { return int(k & (1<<keyLenBits - 1)) }

// in returns the key, which is mapped memory.
func (k keyPlace) in(image *pages.Image) []byte { return image.Part(int64(k>>keyLenBits), k.len()) }

// upTo returns about which part of the values has numbers up to a number.
func (p *place) upTo(number uint64) float64 {
	switch {
	case number < p.from:
		return 0
	case number >= p.through:
		return 1
	}
	return float64(number-p.from+1) / float64(p.through-p.from+1)
}

// cut leaves about those values in the place whose numbers are greater than after, up to through.
func (p *place) cut(after, through uint64) {
	part := p.upTo(through) - p.upTo(after)
	p.from, p.through = max(p.from, after+1), min(p.through, through)
	p.values, p.bytes = 1+uint32(part*float64(p.values-1)), 1+uint32(part*float64(p.bytes-1))
}

// keep leaves the values from the number next on in the place. The others have been taken, with an
// amount of JSON.
func (p *place) keep(next uint64, values int, taken int) {
	if values == 0 || next > p.through {
		p.from = noValue
		return
	}
	p.from, p.values = next, uint32(values)
	p.bytes -= min(p.bytes, uint32(taken))
	p.bytes = max(p.bytes, p.values) // no value is empty
}

// giveBack undoes the taking of a value.
func (p *place) giveBack(number uint64, length uint32) {
	if p.from == noValue {
		p.values, p.bytes = 0, 0
	}
	p.from, p.values, p.bytes = min(p.from, number), p.values+1, p.bytes+length
}

// placeList is a list of places in the order of their keys.
type placeList []place

// isFull reports whether there are twice as many places as there should be.
func (l placeList) isFull(max changeBounds) bool { return len(l) >= 2*max.places }

// shorten keeps about half of the places: those with the least from. It returns the number up to
// which all places are still known.
func (l *placeList) shorten() (horizon uint64) {
	numbers := make([]uint64, len(*l))
	for i := range *l {
		numbers[i] = (*l)[i].from
	}
	slices.Sort(numbers)
	horizon = numbers[len(numbers)/2] - 1
	*l = slices.DeleteFunc(*l, func(p place) bool { return p.from > horizon })
	return horizon
}

// compact removes the places without values. It returns the least number of a value, which is
// noValue if there is none.
func (l *placeList) compact() (least uint64) {
	least = noValue
	kept := (*l)[:0]
	for i := range *l {
		if p := &(*l)[i]; p.from != noValue {
			least = min(least, p.from)
			kept = append(kept, *p)
		}
	}
	*l = kept
	return least
}

// amount is about how much the values up to a number take.
type amount struct{ values, memory float64 }

// upTo returns about how much the values take that have numbers after one number, up to a limit.
// missing is how many numbers, of all that the list knows, no value has. No two values share a
// number: that bounds how wrong the places can be about the number of values.
func (l placeList) upTo(limit, after uint64, missing float64) amount {
	var values, bytes, memory float64
	for i := range l {
		if p := &l[i]; p.from <= limit {
			part := p.upTo(limit)
			values += part * float64(p.values)
			bytes += part * float64(p.bytes)
			memory += float64(sourceSize + p.key.len())
		}
	}
	numbers := float64(limit - after)
	bounded := min(max(values, numbers-missing), numbers)
	if values > 0 {
		memory += bytes * bounded / values
	}
	return amount{bounded, memory + bounded*float64(valueSize)}
}

// limitFor returns a number up to which there are about as many values as fit into max; at most
// last. It also returns about how many these are.
func (l placeList) limitFor(max amount, after, last uint64) (limit uint64, values int) {
	all := l.upTo(last, after, math.Inf(1))
	missing := float64(last-after) - all.values
	fits := func(a amount) bool { return a.values <= max.values && a.memory <= max.memory }
	if fits(all) {
		return last, int(all.values)
	}
	low, high, found := after+1, last, amount{values: 1} // the limit is at least low and less than high
	for high-low > 1+(low-after)/16 {
		middle := low + (high-low)/2
		if a := l.upTo(middle, after, missing); fits(a) {
			low, found = middle, a
		} else {
			high = middle
		}
	}
	return low, int(found.values)
}
