// SPDX-License-Identifier: Apache-2.0

package disk

import (
	"crypto/sha256"
	"encoding/binary"
	"strings"
	"sync"
)

// Place says where a file is, so that a copy of it can be told from the file itself, even if the
// copy has its path. In each field 0 means that the system does not tell.
type Place struct {
	File    uint64 // number of the file in its file system (the inode)
	Born    uint64 // when the file was made, in ns: a number can be used again for a later file
	Volume  uint64 // identity of the file system
	Machine uint64 // identity of the machine, hashed
}

// Differs reports whether two places are known to be different.
func (p Place) Differs(other Place) bool {
	differs := func(a, b uint64) bool { return a != 0 && b != 0 && a != b }
	return differs(p.File, other.File) || differs(p.Born, other.Born) ||
		differs(p.Volume, other.Volume) || differs(p.Machine, other.Machine)
}

// Fields returns the fields, to be encoded or decoded.
func (p *Place) Fields() []*uint64 { return []*uint64{&p.File, &p.Born, &p.Volume, &p.Machine} }

// machine returns the hashed identity of the machine; 0 if it is not known.
var machine = sync.OnceValue(func() uint64 {
	id := strings.TrimSpace(machineID())
	if id == "" || id == "uninitialized" { // the latter until the first boot of an image has ended
		return 0
	}
	sum := sha256.Sum256([]byte("daybook " + id)) // the identity itself should not get into backups
	return binary.BigEndian.Uint64(sum[:])
})
