// SPDX-License-Identifier: Apache-2.0

package codec

import "hash/crc32"

// Castagnoli is the table of CRC-32C, the checksum of all of Daybook's formats.
var Castagnoli = crc32.MakeTable(crc32.Castagnoli)

// checksumAround returns the checksum of key and data, except for the four bytes of data at an
// offset, where the checksum itself is stored.
func checksumAround(key, data []byte, offset int) uint32 {
	sum := crc32.Update(0, Castagnoli, key)
	sum = crc32.Update(sum, Castagnoli, data[:offset])
	return crc32.Update(sum, Castagnoli, data[offset+4:])
}
