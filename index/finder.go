// SPDX-License-Identifier: Apache-2.0

package index

import "unicode/utf8"

const wordBits = 64

// finder finds the first place in a name that a segment with question marks matches. It does so for
// all places at once: bit i of its state says that the segment's first i+1 elements match the
// characters before the present place. So each character takes one step for 64 elements, and a
// hostile pattern costs little more than another (Baeza-Yates and Gonnet, 1992).
type finder struct {
	fits     map[rune][]uint64 // bit i: element i is the character or a question mark
	anything []uint64          // bit i: element i is a question mark
	elements int
}

func newFinder(s segment) *finder {
	f := &finder{fits: make(map[rune][]uint64)}
	for i, text := range s {
		if i > 0 {
			f.elements++
		}
		f.elements += utf8.RuneCountInString(text)
	}
	words := f.elements/wordBits + 1
	f.anything = make([]uint64, words)
	at := 0
	for i, text := range s {
		if i > 0 {
			f.anything[at/wordBits] |= 1 << (at % wordBits)
			at++
		}
		for _, c := range text {
			if f.fits[c] == nil {
				f.fits[c] = make([]uint64, words)
			}
			f.fits[c][at/wordBits] |= 1 << (at % wordBits)
			at++
		}
	}
	for _, fits := range f.fits {
		for w := range fits {
			fits[w] |= f.anything[w]
		}
	}
	return f
}

// cut returns the name after the first place that the segment matches.
func (f *finder) cut(name string) (after string, found bool) {
	var memory [MaxPatternLen / wordBits]uint64
	state := memory[:len(f.anything)]
	last := f.elements - 1
	for at, c := range name {
		fits := f.fits[c]
		if fits == nil {
			fits = f.anything
		}
		carry := uint64(1)
		for w := range state {
			next := state[w] >> (wordBits - 1)
			state[w] = (state[w]<<1 | carry) & fits[w]
			carry = next
		}
		if state[last/wordBits]>>(last%wordBits)&1 == 1 {
			_, size := utf8.DecodeRuneInString(name[at:])
			return name[at+size:], true
		}
	}
	return "", false
}
