// SPDX-License-Identifier: Apache-2.0

package tree

import (
	"cmp"
	"container/heap"
	"slices"
	"strings"
)

// place is where values with sequence numbers from one number through another are: in the chunk
// under a key. Values of the chunk with other numbers do not count.
type place struct {
	from, through uint64
	first         uint64 // the least number of all values of the chunk
	values, bytes int    // about how many values the place has, and how much JSON
	key           string
}

// record returns the record of the place's chunk.
func (p *place) record() string {
	record, _, _ := strings.Cut(p.key, "\x00")
	return record
}

// after returns the rest of the place after a number, and whether there may be one.
func (p *place) after(number uint64) (rest place, more bool) {
	if number >= p.through {
		return place{}, false
	}
	if number < p.from {
		return *p, true
	}
	rest = *p
	part := p.upTo(number)
	rest.from = number + 1
	rest.values -= int(part * float64(p.values))
	rest.bytes -= int(part * float64(p.bytes))
	return rest, true
}

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

// placeHeap is a heap of places: the one with the least from is the first.
type placeHeap []place

func (h *placeHeap) init()        { heap.Init((*heapOfPlaces)(h)) }
func (h *placeHeap) push(p place) { heap.Push((*heapOfPlaces)(h), p) }
func (h *placeHeap) pop() place   { return heap.Pop((*heapOfPlaces)(h)).(place) }

// isFull reports whether there are twice as many places as there should be. All keys count as long
// as the last.
func (h placeHeap) isFull(max changeBounds) bool {
	return len(h) >= 2*max.places || len(h) > 1 && len(h)*len(h[len(h)-1].key) >= 2*max.placeBytes
}

// shorten keeps the half of the places with the least from. It returns the number up to which all
// places are still known.
func (h *placeHeap) shorten() (horizon uint64) {
	all := *h
	slices.SortFunc(all, func(a, b place) int { return cmp.Compare(a.from, b.from) })
	kept := len(all) / 2
	horizon = all[kept].from - 1
	for kept > 0 && all[kept-1].from > horizon {
		kept--
	}
	clear(all[kept:])
	*h = all[:kept]
	return horizon
}

// limitFor returns a number up to which there are about as many values as asked for, and about as
// much JSON; at most last.
func (h placeHeap) limitFor(values, bytes int, after, last uint64) uint64 {
	fits := func(limit uint64) bool {
		v, b := float64(values), float64(bytes)
		for i := range h {
			if p := &h[i]; p.from <= limit {
				part := p.upTo(limit)
				v, b = v-part*float64(p.values), b-part*float64(p.bytes)
				if v < 0 || b < 0 {
					return false
				}
			}
		}
		return true
	}
	if fits(last) {
		return last
	}
	low, high := after+1, last // the answer is at least low and less than high
	for high-low > 1+(low-after)/8 {
		if middle := low + (high-low)/2; fits(middle) {
			low = middle
		} else {
			high = middle
		}
	}
	return low
}

// heapOfPlaces implements heap.Interface.
type heapOfPlaces []place

func (h heapOfPlaces) Len() int           { return len(h) }
func (h heapOfPlaces) Less(i, j int) bool { return h[i].from < h[j].from }
func (h heapOfPlaces) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *heapOfPlaces) Push(p any)        { *h = append(*h, p.(place)) }
func (h *heapOfPlaces) Pop() any {
	last := len(*h) - 1
	p := (*h)[last]
	(*h)[last] = place{}
	*h = (*h)[:last]
	return p
}
