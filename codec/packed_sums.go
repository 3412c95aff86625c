// SPDX-License-Identifier: Apache-2.0

package codec

import (
	"encoding/binary"
	"math/bits"
)

// An integer that is packed as a difference is the sum of all differences before it. They are added
// up in groups of eight, which take as many bytes as one of them takes bits. So each group starts
// with a byte.

const (
	// maxBitsWidth is the largest width of which integers are added up by counting bits.
	maxBitsWidth = 2
	// maxOctetWidth is the largest width of which eight integers fit into a uint64.
	maxOctetWidth = 8
)

// sumBefore returns the integer at an index if the integers are packed as differences.
func (p *packedInts) sumBefore(index int) uint64 {
	return p.base + uint64(index)*p.minDelta + p.sumPacked(index)
}

// sumPacked returns the sum of the first n packed integers.
func (p *packedInts) sumPacked(n int) (sum uint64) {
	added := 0
	switch {
	case p.width == 0 || n == 0:
		return 0
	case p.width <= maxBitsWidth:
		sum, added = p.sumBits(n)
	case p.width <= maxOctetWidth:
		sum, added = p.sumOctets(n / 8)
	case p.width <= maxQuadWidth:
		sum, added = p.sumQuads(n / 8)
	case p.width <= maxPairWidth:
		sum, added = p.sumPairs(n / 8)
	}
	mask, bit := ^uint64(0)>>(64-p.width), added*p.width
	for ; added < n && bit/8+8 <= len(p.packed); added++ {
		sum += binary.LittleEndian.Uint64(p.packed[bit/8:]) >> (bit % 8) & mask
		bit += p.width
	}
	for ; added < n; added++ {
		sum += p.packedAt(added)
	}
	return sum
}

// sumBits returns the sum of the first n packed integers of one or two bits, or of all of them that
// fill whole words, and their number.
func (p *packedInts) sumBits(n int) (sum uint64, added int) {
	perWord, lowBits := 64/p.width, ^uint64(0)/(1<<p.width-1) // of each integer
	for data := p.packed; added+perWord <= n && len(data) >= 8; data = data[8:] {
		word := binary.LittleEndian.Uint64(data)
		sum += uint64(bits.OnesCount64(word & lowBits))
		if p.width == maxBitsWidth {
			sum += 2 * uint64(bits.OnesCount64(word>>1&lowBits))
		}
		added += perWord
	}
	return sum, added
}

// groupsWithin returns the number of groups, but not more than those whose integers are read with
// eight bytes from the byte last of the group on.
func (p *packedInts) groupsWithin(groups, last int) int {
	return max(0, min(groups, (len(p.packed)-8-last+p.width)/p.width))
}

// sumOctets returns the sum of the first groups, or of most of them, and the number of integers in
// it. It adds all pairs of a group at once. A sum has twice the width, which is enough for
// 2^(width-1) pairs.
func (p *packedInts) sumOctets(groups int) (sum uint64, added int) {
	width := p.width & 15
	pairs := uint64(1<<width - 1) // the lower integer of each pair
	pairs |= pairs << (2 * width)
	pairs |= pairs << (4 * width)
	groups = p.groupsWithin(groups, 0)
	for data, left := p.packed, groups; left > 0; {
		once, total := min(left, 1<<(width-1)), uint64(0)
		for range once {
			word := binary.LittleEndian.Uint64(data)
			total += word&pairs + word>>width&pairs
			data = data[width:]
		}
		left -= once
		mask := uint64(1<<(2*width) - 1)
		mask |= mask << (4 * width)
		total = total&mask + total>>(2*width)&mask
		sum += total&(1<<(4*width)-1) + total>>(4*width)
	}
	return sum, 8 * groups
}

// sumQuads is sumOctets for integers of which four fit into a uint64.
func (p *packedInts) sumQuads(groups int) (sum uint64, added int) {
	width := p.width & 15
	pairs := uint64(1<<width - 1) // the lower integer of each pair
	pairs |= pairs << (2 * width)
	second, shift := width/2, width%2*4 // where the second four integers start
	groups = p.groupsWithin(groups, second)
	for data, left := p.packed, groups; left > 0; {
		once, total := min(left, 1<<(width-2)), uint64(0)
		for range once {
			word := binary.LittleEndian.Uint64(data)
			total += word&pairs + word>>width&pairs
			word = binary.LittleEndian.Uint64(data[second:]) >> shift
			total += word&pairs + word>>width&pairs
			data = data[width:]
		}
		left -= once
		sum += total&(1<<(2*width)-1) + total>>(2*width)
	}
	return sum, 8 * groups
}

// sumPairs is sumOctets for integers of which two fit into a uint64.
func (p *packedInts) sumPairs(groups int) (sum uint64, added int) {
	width, mask := p.width&31, uint64(1)<<p.width-1
	second, third, fourth := 2*width/8, 4*width/8, 6*width/8 // where the further pairs start
	groups = p.groupsWithin(groups, fourth)
	data := p.packed
	for range groups {
		first := binary.LittleEndian.Uint64(data)
		pair := binary.LittleEndian.Uint64(data[second:]) >> (2 * width % 8)
		sum += first&mask + first>>width&mask + pair&mask + pair>>width&mask
		first = binary.LittleEndian.Uint64(data[third:]) >> (4 * width % 8)
		pair = binary.LittleEndian.Uint64(data[fourth:]) >> (6 * width % 8)
		sum += first&mask + first>>width&mask + pair&mask + pair>>width&mask
		data = data[width:]
	}
	return sum, 8 * groups
}
