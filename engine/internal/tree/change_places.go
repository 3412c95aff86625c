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
	key           string
}

// record returns the record of the place's chunk.
func (p place) record() string {
	record, _, _ := strings.Cut(p.key, "\x00")
	return record
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
	horizon = all[len(all)/2].from - 1
	kept := len(all) / 2
	for kept > 0 && all[kept-1].from > horizon {
		kept--
	}
	clear(all[kept:])
	*h = all[:kept]
	return horizon
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
