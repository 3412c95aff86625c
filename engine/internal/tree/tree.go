// SPDX-License-Identifier: Apache-2.0

package tree

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"math"
	"os"
	"runtime"
	"sync/atomic"
	"time"

	"go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/codec"
	"github.com/daybook-db/daybook/engine/internal/disk"
	"github.com/daybook-db/daybook/index"
)

const formatVersion = 1

var (
	valuesBucket  = []byte("values")
	recordsBucket = []byte("records")
	metaBucket    = []byte("meta")
	formatKey     = []byte("format")
	stateKey      = []byte("state")
)

// Options configure Open. All fields are required.
type Options struct {
	LockTimeout time.Duration // negative: do not wait
	ReadOnly    bool
	Existing    bool // the file must be there, with more than zeros in it
	ChunkValues int  // values in a chunk, at most
	ChunkBytes  int  // bytes of JSON in a chunk, at most, unless one value has more
}

// Tree is an open bbolt file.
type Tree struct {
	path  string
	guard guard
	bolt  *bbolt.DB
	opts  Options
	coder *codec.Coder

	failure atomic.Pointer[error] // why it takes no more writes, once a commit failed half-way
}

// State is what the tree as a whole holds.
type State struct {
	Watermark   uint64 // sequence number up to which values are in the tree
	LastSegment uint64 // greatest number a log segment had when the watermark moved
	Records     uint64
	Values      uint64
	Bytes       uint64 // of JSON
}

const (
	// allocSize is by how much more than it needs a commit grows the file, in bytes. bbolt grows it once a
	// commit, and commits are large and seldom here, so there is nothing to gain by a reserve.
	allocSize = 4 << 10
	// mapSize is how much address space is reserved for the file where that is free of cost: bbolt
	// remaps the file when it outgrows its mapping, and waits for all readers before it does.
	mapSize = 64 << 30
	// mapSize32 is the same where the address space is small.
	mapSize32 = 256 << 20
)

// Open opens or creates the file at path and takes its lock.
// Errors: daybook.ErrLocked, ErrCorrupt, ErrVersion, ErrNoSpace, or the operating system's.
func Open(path string, opts Options) (*Tree, error) {
	if info, err := os.Stat(path); opts.Existing && (errors.Is(err, fs.ErrNotExist) || err == nil && info.Size() == 0) {
		return nil, fmt.Errorf("%w: %s is missing or empty, though other files of the daybook are there: "+
			"restore it, or remove the directory to start anew", daybook.ErrCorrupt, path)
	}
	options := &bbolt.Options{
		Timeout:         max(opts.LockTimeout, 1), // 0 would wait for ever
		ReadOnly:        opts.ReadOnly,
		PreLoadFreelist: true, // Size needs it
		FreelistType:    bbolt.FreelistMapType,
		InitialMmapSize: initialMapSize(),
	}
	db, err := openBolt(path, options)
	if errors.Is(err, bolterrors.ErrInvalid) && !opts.ReadOnly && !opts.Existing && eraseBlank(path) {
		db, err = openBolt(path, options)
	}
	if err != nil && options.InitialMmapSize > 0 && errors.Is(err, errNoAddressSpace) {
		options.InitialMmapSize = 0
		db, err = openBolt(path, options)
	}
	if err != nil {
		return nil, describeOpen(path, err)
	}
	db.AllocSize = allocSize
	t := &Tree{path: path, guard: guard(path), bolt: db, opts: opts, coder: codec.NewCoder()}
	err = t.checkSize()
	if err == nil {
		err = t.initialize()
	}
	if err != nil {
		_ = db.Close()
		return nil, err
	}
	return t, nil
}

// checkSize finds a file that has been cut off before its missing pages are read.
func (t *Tree) checkSize() error {
	return t.view(func(tx *bbolt.Tx) error {
		info, err := os.Stat(t.path)
		if err == nil && info.Size() < tx.Size() {
			err = fmt.Errorf("%w: %s has been cut off at offset %d; its pages take %d bytes", daybook.ErrCorrupt, t.path, info.Size(), tx.Size())
		}
		return err
	})
}

func initialMapSize() int {
	switch {
	case runtime.GOOS == "windows": // there the file itself would grow to the size of its mapping
		return 0
	case math.MaxInt == math.MaxInt32:
		return mapSize32
	}
	size := uint64(mapSize)
	return int(size)
}

// openBolt opens the file. bbolt does not close it, and so keeps its lock, when it panics over what is in it.
func openBolt(path string, options *bbolt.Options) (db *bbolt.DB, err error) {
	var file *os.File
	options.OpenFile = func(path string, flag int, mode os.FileMode) (*os.File, error) {
		opened, err := os.OpenFile(path, flag, mode)
		file = opened
		return opened, err
	}
	opened := false
	err = guard(path).run(func() error {
		db, err = bbolt.Open(path, 0o600, options)
		opened = true
		return err
	})
	if !opened && file != nil {
		_ = disk.Unlock(file) // the mapping, which is lost, would hold the lock beyond Close
		_ = file.Close()
	}
	return db, err
}

// mostBlank is more than a new file has, in bytes.
const mostBlank = 1 << 20

// eraseBlank empties a file that holds nothing but zeros, and reports whether it did: what a power cut
// leaves of a file that was being created.
func eraseBlank(path string) bool {
	info, err := os.Stat(path)
	if err != nil || info.Size() > mostBlank {
		return false
	}
	data, err := os.ReadFile(path)
	if err != nil || len(bytes.Trim(data, "\x00")) > 0 {
		return false
	}
	return os.Truncate(path, 0) == nil
}

func describeOpen(path string, err error) error {
	switch {
	case errors.Is(err, bolterrors.ErrTimeout):
		return fmt.Errorf("%w: %s: close the program that has it open, or wait longer with LockTimeout", daybook.ErrLocked, path)
	case errors.Is(err, bolterrors.ErrInvalid), errors.Is(err, bolterrors.ErrChecksum):
		return fmt.Errorf("%w: %s is not a whole bbolt file: %w", daybook.ErrCorrupt, path, err)
	case errors.Is(err, bolterrors.ErrVersionMismatch):
		return fmt.Errorf("%w: %s: %w", daybook.ErrVersion, path, err)
	case disk.IsNoSpace(err):
		return fmt.Errorf("%w: %w", daybook.ErrNoSpace, err)
	}
	return err
}

// initialize creates the buckets in a new file, and checks the format of one that exists.
func (t *Tree) initialize() error {
	exists := false
	err := t.view(func(tx *bbolt.Tx) error {
		meta := tx.Bucket(metaBucket)
		exists = meta != nil
		if !exists {
			return t.checkEmpty(tx)
		}
		return t.checkFormat(tx, meta.Get(formatKey))
	})
	if err != nil || exists {
		return err
	}
	if t.opts.ReadOnly {
		return fmt.Errorf("%s holds no daybook: %w", t.path, fs.ErrNotExist)
	}
	return t.update(func(tx *bbolt.Tx) error {
		for _, name := range [][]byte{valuesBucket, recordsBucket, metaBucket} {
			if _, err := tx.CreateBucket(name); err != nil {
				return err
			}
		}
		if err := tx.Bucket(metaBucket).Put(formatKey, binary.BigEndian.AppendUint32(nil, formatVersion)); err != nil {
			return err
		}
		return putState(tx, State{})
	})
}

func (t *Tree) checkEmpty(tx *bbolt.Tx) error {
	if name, _ := tx.Cursor().First(); name != nil {
		return fmt.Errorf("%w: %s is a bbolt file, but not a daybook: it has a bucket %q and no %q",
			daybook.ErrCorrupt, t.path, name, metaBucket)
	}
	return nil
}

func (t *Tree) checkFormat(tx *bbolt.Tx, format []byte) error {
	if len(format) != 4 {
		return fmt.Errorf("%w: %s does not say its format", daybook.ErrCorrupt, t.path)
	}
	if got := binary.BigEndian.Uint32(format); got > formatVersion {
		return fmt.Errorf("%w: %s has format %d, this program knows %d", daybook.ErrVersion, t.path, got, formatVersion)
	} else if got != formatVersion {
		return fmt.Errorf("%w: %s has format %d", daybook.ErrCorrupt, t.path, got)
	}
	if tx.Bucket(valuesBucket) == nil || tx.Bucket(recordsBucket) == nil {
		return fmt.Errorf("%w: %s has no bucket %q or %q", daybook.ErrCorrupt, t.path, valuesBucket, recordsBucket)
	}
	_, err := getState(tx)
	return err
}

func getState(tx *bbolt.Tx) (State, error) {
	data := tx.Bucket(metaBucket).Get(stateKey)
	var s State
	fields := s.fields()
	end := 8 * len(fields)
	if len(data) != end+4 || binary.BigEndian.Uint32(data[end:]) != crc32.Checksum(data[:end], codec.Castagnoli) {
		return State{}, fmt.Errorf("%w: the tree's state does not agree with its checksum", daybook.ErrCorrupt)
	}
	for i, field := range fields {
		*field = binary.BigEndian.Uint64(data[8*i:])
	}
	return s, nil
}

func putState(tx *bbolt.Tx, s State) error {
	var data []byte
	for _, field := range s.fields() {
		data = binary.BigEndian.AppendUint64(data, *field)
	}
	data = binary.BigEndian.AppendUint32(data, crc32.Checksum(data, codec.Castagnoli))
	return tx.Bucket(metaBucket).Put(stateKey, data)
}

func (s *State) fields() []*uint64 {
	return []*uint64{&s.Watermark, &s.LastSegment, &s.Records, &s.Values, &s.Bytes}
}

// State returns what the tree as a whole holds.
func (t *Tree) State() (s State, err error) {
	err = t.view(func(tx *bbolt.Tx) error {
		s, err = getState(tx)
		return err
	})
	return s, err
}

// Size returns the size of the file, and how much of it is in pages that are in use, in bytes.
func (t *Tree) Size() (file, used int64, err error) {
	info, err := os.Stat(t.path)
	if err != nil {
		return 0, 0, err
	}
	err = t.view(func(tx *bbolt.Tx) error {
		stats := t.bolt.Stats()
		free := int64(stats.FreePageN+stats.PendingPageN) * int64(t.bolt.Info().PageSize)
		used = tx.Size() - free
		return nil
	})
	return info.Size(), used, err
}

// Snapshots is how many read transactions are open.
func (t *Tree) Snapshots() int { return t.bolt.Stats().OpenTxN }

// Close closes the file and gives up its lock. It waits for snapshots.
func (t *Tree) Close() error { return t.bolt.Close() }

// Catalogue entries are read through this, so that their faults name the record.
func decodeEntry(name, data []byte) (index.Entry, error) {
	entry, err := index.DecodeEntry(name, data)
	if err != nil {
		return index.Entry{}, fault(err, fmt.Sprintf("catalogue entry of record %q", name))
	}
	return entry, nil
}
