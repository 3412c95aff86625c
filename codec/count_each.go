// SPDX-License-Identifier: Apache-2.0

package codec

// countEach adds to counts, for each index, the number of elements that are the index. It returns
// false if an element is not an index of counts.
func countEach(counts []int, elements []uint64) bool {
	if len(counts) == 2 {
		return countZerosAndOnes(counts, elements)
	}
	for _, v := range elements {
		if v >= uint64(len(counts)) {
			return false
		}
		counts[v]++
	}
	return true
}

// countZerosAndOnes is countEach for two counts. An element is often equal to the one before it. It
// would take longer to change the same count in memory again and again.
func countZerosAndOnes(counts []int, elements []uint64) bool {
	ones, all := uint64(0), uint64(0)
	for _, v := range elements {
		ones += v
		all |= v
	}
	if all > 1 {
		return false
	}
	counts[0] += len(elements) - int(ones)
	counts[1] += int(ones)
	return true
}
