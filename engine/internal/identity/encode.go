// SPDX-License-Identifier: Apache-2.0

package identity

import (
	"encoding/binary"
	"hash/crc32"

	"github.com/daybook-db/daybook/codec"
)

const (
	idLen    = 16
	epochLen = idLen + 8
	sumLen   = 4
)

// Append appends the encoded identity to dst. Integers are big-endian:
//
//	 0  store     16 bytes
//	16  epochs    for each, oldest first: 16 bytes, and the last shared sequence number (uint64)
//	    checksum  uint32, CRC-32C of the bytes before it
func (i Identity) Append(dst []byte) []byte {
	start := len(dst)
	dst = append(dst, i.Store[:]...)
	for _, epoch := range i.Epochs {
		dst = append(dst, epoch.ID[:]...)
		dst = binary.BigEndian.AppendUint64(dst, epoch.Shared)
	}
	return binary.BigEndian.AppendUint32(dst, crc32.Checksum(dst[start:], codec.Castagnoli))
}

// Decode decodes what Append has encoded. ok is false if the checksum does not match, or if there
// is no store or no epoch.
func Decode(data []byte) (i Identity, ok bool) {
	end := len(data) - sumLen
	epochs := (end - idLen) / epochLen
	if epochs < 1 || epochs > MaxEpochs || end != idLen+epochs*epochLen ||
		binary.BigEndian.Uint32(data[end:]) != crc32.Checksum(data[:end], codec.Castagnoli) {
		return Identity{}, false
	}
	i = Identity{Store: [16]byte(data), Epochs: make([]Epoch, epochs)}
	for n := range i.Epochs {
		encoded := data[idLen+n*epochLen:]
		i.Epochs[n] = Epoch{ID: [16]byte(encoded), Shared: binary.BigEndian.Uint64(encoded[idLen:])}
	}
	return i, !i.IsZero()
}
