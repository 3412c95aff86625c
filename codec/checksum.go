// SPDX-License-Identifier: Apache-2.0

package codec

import "hash/crc32"

// Castagnoli is the table of CRC-32C, the checksum of all of Daybook's formats.
var Castagnoli = crc32.MakeTable(crc32.Castagnoli)
