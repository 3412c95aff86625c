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

const formatVersion = 2

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
}

func (s *State) fields() []*uint64 {
	return []*uint64{&s.Generation, &s.Watermark, &s.LastSegment, &s.Records, &s.Values, &s.Bytes}
}

func decodeState(data []byte) (s State, err error) {
	if !decodeFields(data, s.fields()) {
		return State{}, fmt.Errorf("%w: the tree's state does not agree with its checksum", daybook.ErrCorrupt)
	}
	return s, nil
}

func putState(tx *bbolt.Tx, s State) error {
	return tx.Bucket([]byte(metaBucket)).Put(stateKey, encodeFields(s.fields()))
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
func readState(v *pages.View) (State, error) {
	meta, err := v.Bucket(metaBucket)
	if err != nil {
		return State{}, err
	}
	data, err := meta.Cursor().Get(stateKey)
	if err != nil {
		return State{}, err
	}
	return decodeState(data)
}

// hasFormat reports whether the view shows a tree, or a new file that has nothing yet.
func (t *Tree) hasFormat(v *pages.View) (bool, error) {
	names, err := v.Names()
	if err != nil || len(names) == 0 {
		return false, err
	}
	if !slices.Contains(names, metaBucket) {
		return false, fmt.Errorf("%w: %s is a bbolt file, but not a daybook: it has a bucket %q and no %q",
			daybook.ErrCorrupt, t.path, names[0], metaBucket)
	}
	if !slices.Equal(names, allBuckets) {
		return false, fmt.Errorf("%w: %s has buckets %q; want %q", daybook.ErrCorrupt, t.path, names, allBuckets)
	}
	meta, err := v.Bucket(metaBucket)
	if err != nil {
		return false, err
	}
	format, err := meta.Cursor().Get(formatKey)
	if err != nil {
		return false, err
	}
	if len(format) != 4 {
		return false, fmt.Errorf("%w: %s does not say its format", daybook.ErrCorrupt, t.path)
	}
	if got := binary.BigEndian.Uint32(format); got > formatVersion {
		return false, fmt.Errorf("%w: %s has format %d, this program knows %d", daybook.ErrVersion, t.path, got, formatVersion)
	} else if got != formatVersion {
		return false, fmt.Errorf("%w: %s has format %d; this program reads %d", daybook.ErrCorrupt, t.path, got, formatVersion)
	}
	return true, nil
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
		if err := tx.Bucket([]byte(metaBucket)).Put(formatKey, binary.BigEndian.AppendUint32(nil, formatVersion)); err != nil {
			return err
		}
		if err := t.saveTable(tx); err != nil {
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
