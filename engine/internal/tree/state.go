// SPDX-License-Identifier: Apache-2.0

package tree

import (
	"encoding/binary"
	"hash/crc32"

	"go.etcd.io/bbolt"

	"github.com/daybook-db/daybook/codec"
	"github.com/daybook-db/daybook/engine/internal/pages"
)

// State describes the content of the tree as a whole.
type State struct {
	Generation  uint64 // number of commits that changed anything
	Watermark   uint64 // sequence number up to which all values are in the tree
	LastSegment uint64 // greatest number of a log segment when the watermark moved
	Records     uint64
	Values      uint64
	Bytes       uint64 // of JSON

	Partial PartialPost
}

// PartialPost says how far a Post of several transactions has come: all records up to Through have
// their values up to Watermark, which is beyond State.Watermark. The zero PartialPost says that
// none goes on.
type PartialPost struct {
	Through   string
	Watermark uint64
}

// PostedThrough returns the sequence number up to which a record's values are in the tree.
func (s *State) PostedThrough(record string) uint64 {
	if record <= s.Partial.Through {
		return max(s.Watermark, s.Partial.Watermark)
	}
	return s.Watermark
}

// MaxPosted returns the greatest result of PostedThrough for any record.
func (s *State) MaxPosted() uint64 { return max(s.Watermark, s.Partial.Watermark) }

func (s *State) fields() []*uint64 {
	return []*uint64{&s.Generation, &s.Watermark, &s.LastSegment, &s.Records, &s.Values, &s.Bytes}
}

func putState(tx *bbolt.Tx, s State) error {
	meta := tx.Bucket([]byte(metaBucket))
	if err := meta.Put(stateKey, encodeFields(s.fields())); err != nil {
		return err
	}
	if s.Partial == (PartialPost{}) {
		return meta.Delete(partialKey)
	}
	return meta.Put(partialKey, s.Partial.encode())
}

// readState returns the state that an image shows.
func readState(image *pages.Image) (State, error) {
	meta, err := image.Bucket(metaBucket)
	if err != nil {
		return State{}, err
	}
	cursor := meta.Cursor()
	data, err := cursor.Get(stateKey)
	if err != nil {
		return State{}, err
	}
	var s State
	if !decodeFields(data, s.fields()) {
		return State{}, meta.Damage("the state of the tree does not match its checksum")
	}
	if data, err = cursor.Get(partialKey); err != nil || data == nil {
		return s, err
	}
	if !s.Partial.decode(data) {
		return State{}, meta.Damage("the state of a checkpoint that has begun does not match its checksum")
	}
	return s, nil
}

func (p *PartialPost) encode() []byte {
	data := binary.BigEndian.AppendUint64([]byte(p.Through), p.Watermark)
	return binary.BigEndian.AppendUint32(data, crc32.Checksum(data, codec.Castagnoli))
}

// decode decodes what encode returned, and reports whether the checksum matches.
func (p *PartialPost) decode(data []byte) bool {
	name := len(data) - 12
	if name < 1 || binary.BigEndian.Uint32(data[name+8:]) != crc32.Checksum(data[:name+8], codec.Castagnoli) {
		return false
	}
	*p = PartialPost{Through: string(data[:name]), Watermark: binary.BigEndian.Uint64(data[name:])}
	return true
}
