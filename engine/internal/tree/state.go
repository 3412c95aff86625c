// SPDX-License-Identifier: Apache-2.0

package tree

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io/fs"
	"slices"

	"go.etcd.io/bbolt"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/codec"
	"github.com/daybook-db/daybook/engine/internal/pages"
)

const formatVersion = 3

const (
	valuesBucket  = "values"
	recordsBucket = "records"
	metaBucket    = "meta"
	pagesBucket   = "pages"
)

var allBuckets = []string{metaBucket, pagesBucket, recordsBucket, valuesBucket} // in bbolt's order

var (
	formatKey  = []byte("format")
	stateKey   = []byte("state")
	partKey    = []byte("part")
	summaryKey = []byte("pages")
)

// State is what the tree as a whole holds.
type State struct {
	Generation  uint64 // how often it has been changed
	Watermark   uint64 // sequence number up to which values are in the tree
	LastSegment uint64 // greatest number a log segment had when the watermark moved
	Records     uint64
	Values      uint64
	Bytes       uint64 // of JSON

	Partial PartialPost // what is in the tree beyond the watermark
}

// PartialPost is how far a Post has come that takes several transactions: the records up to a name, and that one, have
// their values up to a watermark of their own. The zero value says that none is under way.
type PartialPost struct {
	Through   string
	Watermark uint64
}

// PostedThrough is the sequence number up to which a record's values are in the tree.
func (s *State) PostedThrough(record string) uint64 {
	if record <= s.Partial.Through {
		return max(s.Watermark, s.Partial.Watermark)
	}
	return s.Watermark
}

// MaxPosted is the greatest sequence number up to which any record's values are.
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
		return meta.Delete(partKey)
	}
	part := binary.BigEndian.AppendUint64([]byte(s.Partial.Through), s.Partial.Watermark)
	return meta.Put(partKey, binary.BigEndian.AppendUint32(part, crc32.Checksum(part, codec.Castagnoli)))
}

// encodeFields encodes numbers and the checksum of them.
func encodeFields(fields []*uint64) (data []byte) {
	for _, field := range fields {
		data = binary.BigEndian.AppendUint64(data, *field)
	}
	return binary.BigEndian.AppendUint32(data, crc32.Checksum(data, codec.Castagnoli))
}

// decodeFields decodes them, and reports whether the checksum agrees.
func decodeFields(data []byte, fields []*uint64) bool {
	end := 8 * len(fields)
	if len(data) != end+4 || binary.BigEndian.Uint32(data[end:]) != crc32.Checksum(data[:end], codec.Castagnoli) {
		return false
	}
	for i, field := range fields {
		*field = binary.BigEndian.Uint64(data[8*i:])
	}
	return true
}

// readState returns the state that a view shows.
func readState(v *pages.Image) (State, error) {
	meta, err := v.Bucket(metaBucket)
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
		return State{}, meta.Damage("the tree's state does not agree with its checksum")
	}
	if data, err = cursor.Get(partKey); err != nil || data == nil {
		return s, err
	}
	if !s.Partial.decode(data) {
		return State{}, meta.Damage("what the tree says of a checkpoint under way does not agree with its checksum")
	}
	return s, nil
}

// decode decodes what putState put, and reports whether the checksum agrees.
func (p *PartialPost) decode(data []byte) bool {
	name := len(data) - 12
	if name < 1 || binary.BigEndian.Uint32(data[name+8:]) != crc32.Checksum(data[:name+8], codec.Castagnoli) {
		return false
	}
	*p = PartialPost{Through: string(data[:name]), Watermark: binary.BigEndian.Uint64(data[name:])}
	return true
}

// newFileTx is the last commit that bbolt creates a file with.
const newFileTx = 1

// hasFormat reports whether the view shows a tree, or a new file that has nothing yet.
func (t *Tree) hasFormat(v *pages.Image) (bool, error) {
	names, err := v.Names()
	switch {
	case err != nil:
		return false, err
	case len(names) == 0 && v.Tx() <= newFileTx && !t.opts.Existing:
		return false, nil
	case len(names) > 0 && !slices.Contains(names, metaBucket):
		return false, v.RootDamage(fmt.Sprintf("if it is a bbolt file, it is not a daybook: it has a bucket %q and no %q", names[0], metaBucket))
	}
	if len(names) > 0 { // another format may have other buckets
		err = t.checkFormat(v)
	}
	if err == nil && !slices.Equal(names, allBuckets) {
		err = v.RootDamage(fmt.Sprintf("it has buckets %q; want %q", names, allBuckets))
	}
	return true, err
}

func (t *Tree) checkFormat(v *pages.Image) error {
	meta, err := v.Bucket(metaBucket)
	if err != nil {
		return err
	}
	data, err := meta.Cursor().Get(formatKey)
	if err != nil {
		return err
	}
	var format uint64
	switch {
	case !decodeFields(data, []*uint64{&format}):
		return meta.Damage("the file does not say its format, or not with its checksum")
	case format > formatVersion:
		return fmt.Errorf("%w: %s has format %d, this program knows %d", daybook.ErrVersion, t.path, format, formatVersion)
	case format != formatVersion:
		return meta.Damage(fmt.Sprintf("the file has format %d; this program reads %d", format, formatVersion))
	}
	return nil
}

// create makes the buckets in a new file.
func (t *Tree) create() error {
	if t.opts.ReadOnly {
		return fmt.Errorf("%s holds no daybook: %w", t.path, fs.ErrNotExist)
	}
	err := t.commit(func(tx *bbolt.Tx) error {
		for _, name := range allBuckets {
			if _, err := tx.CreateBucket([]byte(name)); err != nil {
				return err
			}
		}
		format := uint64(formatVersion)
		if err := tx.Bucket([]byte(metaBucket)).Put(formatKey, encodeFields([]*uint64{&format})); err != nil {
			return err
		}
		if err := putSummary(tx, 0, t.committed.Load().table); err != nil {
			return err
		}
		t.generation = 1
		return putState(tx, State{Generation: t.generation})
	})
	if err != nil {
		return err
	}
	return t.seal()
}
