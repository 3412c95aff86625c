// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"errors"
	"fmt"
	"log/slog"
	"math"
	"time"

	"github.com/daybook-db/daybook"
)

// Durability is what a returned Store means. In every mode a process crash loses nothing that was
// acknowledged, and what survives a power cut is a prefix of what was stored: whole batches, in
// order, none after a lost one.
type Durability int

const (
	// Always: Store returns when its frame is on stable storage (fdatasync). A power cut loses
	// nothing that was acknowledged.
	Always Durability = iota
	// Interval: Store returns when its frame is written to the operating system, which is told to
	// sync every Options.SyncInterval. A power cut loses at most the last interval.
	Interval
	// OS: Store returns when its frame is written to the operating system, which writes it back when
	// it likes. A power cut loses what had not been written back. Before a checkpoint, the log is synced.
	OS
)

func (d Durability) String() string {
	switch d {
	case Always:
		return "always"
	case Interval:
		return "interval"
	case OS:
		return "os"
	}
	return fmt.Sprintf("Durability(%d)", int(d))
}

// WhenFull is what happens when Options.MaxSize is reached.
type WhenFull int

const (
	// Refuse: Store returns daybook.ErrNoSpace until something is deleted.
	Refuse WhenFull = iota
	// DropOldest: the oldest sixteenth of all values is deleted, whatever its records, and the value is stored. Of the same
	// millisecond those go that were stored first.
	DropOldest
)

func (w WhenFull) String() string {
	switch w {
	case Refuse:
		return "refuse"
	case DropOldest:
		return "drop-oldest"
	}
	return fmt.Sprintf("WhenFull(%d)", int(w))
}

// OnCorruption is what is done with a directory that is damaged.
type OnCorruption int

const (
	// Fail: Open returns daybook.ErrCorrupt and changes nothing, and what meets damage later returns that too.
	Fail OnCorruption = iota
	// Quarantine: the damaged tree is set aside, or the damaged log, and everything goes on with what is whole.
	Quarantine
)

func (o OnCorruption) String() string {
	switch o {
	case Fail:
		return "fail"
	case Quarantine:
		return "quarantine"
	}
	return fmt.Sprintf("OnCorruption(%d)", int(o))
}

// Defaults of Options, and the least and greatest values that Open accepts.
const (
	DefaultSyncInterval = time.Second
	DefaultHeadSize     = 32 << 20
	MinHeadSize         = 4 << 10
	MaxHeadSize         = 512 << 20
	MinTransactionSize  = 4 << 10
	MaxTransactionSize  = 512 << 20
	DefaultLockTimeout  = time.Second
	DefaultChunkValues  = 512
	MaxChunkValues      = 1 << 16
	DefaultChunkBytes   = 32 << 10
	MaxChunkBytes       = 16 << 20
	MinMaxSize          = 8 << 20
)

const (
	headOfFree       = 16
	leastDefaultHead = 256 << 10
)

// Options configure Open. The zero value of every field means its default.
type Options struct {
	// Durability is what a returned Store means. Default: Always.
	Durability Durability
	// SyncInterval is how often the log is synced under Interval. Default: 1 s. It has no effect
	// in the other modes.
	SyncInterval time.Duration
	// HeadSize bounds, in bytes, the memory of one head: the values that are in the log but not in
	// the tree yet. Two heads exist while one is being checkpointed. It also bounds the log, and
	// with it the time that Open takes after a crash. Default: 32 MiB, or a sixteenth of what the disk has free if that is less,
	// but 256 KiB; least 4 KiB, most 512 MiB.
	HeadSize int64
	// TransactionSize is how many bytes of the tree one transaction of a checkpoint or a Cleanup changes, about. They
	// are in memory until it is over, beside the two heads; smaller ones take more syncs. Default: a quarter of
	// HeadSize, but at least 1 MiB; least 4 KiB, most 512 MiB.
	TransactionSize int64
	// LockTimeout is how long Open waits for a directory that another process has open, before it
	// returns ErrLocked. Default: 1 s; negative: it does not wait.
	LockTimeout time.Duration
	// ReadOnly opens an existing directory without changing anything in it, beside any number of
	// other readers, but not beside a writer. Every write returns ErrReadOnly.
	ReadOnly bool
	// ChunkValues is how many values a chunk holds at most. Larger chunks compress better and make
	// reading one value dearer. Default: 512; most 65536.
	ChunkValues int
	// ChunkBytes is how many bytes of JSON a chunk holds at most; a longer value has a chunk of its
	// own. Default: 32 KiB; most 16 MiB.
	ChunkBytes int
	// MaxFuture is how far ahead of the clock a timestamp may be that is stored; one beyond is
	// daybook.ErrTimestampRange. A device whose clock jumped ahead would else store what stays the newest for years.
	// One without a clock, which starts in 1970, could then store nothing that was stamped elsewhere. Default: 0, any
	// timestamp; negative: ErrInvalidParams.
	MaxFuture time.Duration
	// MaxSize bounds what the directory's files occupy together, in bytes: tree, log and reserve, and a copy that is being
	// compacted, but not what was set aside by Quarantine. It is never passed, so stores are refused a little before: a
	// quarter of it is for the log, and one head, a few transactions and the reserve must find room. These are smaller by
	// default than without it: HeadSize a sixteenth of MaxSize at most, and TransactionSize a 64th. A value is a 128th at most,
	// and a batch a sixteenth, else daybook.ErrValueTooLarge. A directory that is larger already shrinks to it by Compact, as
	// far as something was deleted. Default: 0, no bound; least 8 MiB.
	MaxSize int64
	// WhenFull is what happens when MaxSize is reached. Default: Refuse.
	WhenFull WhenFull
	// OnCorruption is what is done with a directory that is damaged. Default: Fail.
	//
	// With Quarantine a tree that cannot be opened is renamed daybook.corrupt-1.db (or the next free number), a fresh one takes
	// its place, and the log is replayed into it: what was posted before is missing then, and in that file; if the log is empty,
	// sequence numbers begin anew. Of a damaged log, wal, everything before the damage is posted, and the whole is renamed
	// wal.corrupt-1. Logger is told, and Stats says what was set aside.
	//
	// Damage that shows only later, when a value is read, is ErrCorrupt for whatever reads it, and leaves the other values
	// alone. Prune passes over a record in which something is damaged that it would have to read, deletes from the others, and
	// returns ErrCorrupt in the end; only a damaged page of the list of records ends it there. A checkpoint with a value that
	// belongs amid damaged ones, and Compact, cannot go on. With Quarantine each of them, also as it runs in Open, copies what is
	// whole into a new file, renames the damaged one as above, and goes on with the new one; on Windows, where that is not
	// possible, they return ErrCorrupt all the same, and in Open the tree is set aside as a whole. It takes the time and the room
	// of a compaction, during which no checkpoint is made. Compaction by itself leaves a damaged tree as it is.
	OnCorruption OnCorruption
	// Logger is told what nobody is waiting to hear: what recovery dropped, a failed background
	// checkpoint. Default: slog.Default().
	Logger *slog.Logger
}

// withDefaults returns a copy with the defaults filled in, or an error that names every fault.
func (o *Options) withDefaults() (Options, error) {
	var opts Options
	if o != nil {
		opts = *o
	}
	setDefault(&opts.SyncInterval, DefaultSyncInterval)
	headSize, transactionSize := int64(DefaultHeadSize), int64(math.MaxInt64)
	if opts.MaxSize > 0 {
		headSize, transactionSize = min(headSize, opts.MaxSize/16), opts.MaxSize/64
	}
	setDefault(&opts.HeadSize, headSize)
	setDefault(&opts.TransactionSize, min(max(opts.HeadSize/4, 1<<20), transactionSize))
	setDefault(&opts.LockTimeout, DefaultLockTimeout)
	setDefault(&opts.ChunkValues, DefaultChunkValues)
	setDefault(&opts.ChunkBytes, DefaultChunkBytes)
	if opts.Logger == nil {
		opts.Logger = slog.Default()
	}
	var faults []error
	if opts.Durability < Always || opts.Durability > OS {
		faults = append(faults, fmt.Errorf("Durability is %v; want Always, Interval or OS", opts.Durability))
	}
	if opts.SyncInterval < 0 {
		faults = append(faults, fmt.Errorf("SyncInterval is %v; want more than 0", opts.SyncInterval))
	}
	if opts.MaxFuture < 0 {
		faults = append(faults, fmt.Errorf("MaxFuture is %v; want 0 (no limit) or more", opts.MaxFuture))
	}
	if opts.WhenFull < Refuse || opts.WhenFull > DropOldest {
		faults = append(faults, fmt.Errorf("WhenFull is %v; want Refuse or DropOldest", opts.WhenFull))
	}
	if opts.OnCorruption < Fail || opts.OnCorruption > Quarantine {
		faults = append(faults, fmt.Errorf("OnCorruption is %v; want Fail or Quarantine", opts.OnCorruption))
	}
	if opts.MaxSize != 0 {
		faults = append(faults, checkRange("MaxSize", opts.MaxSize, MinMaxSize, math.MaxInt64))
		if most := opts.MaxSize / 16; opts.HeadSize > most {
			faults = append(faults, fmt.Errorf("HeadSize is %d; want at most a sixteenth of MaxSize, %d", opts.HeadSize, most))
		}
		if most := opts.MaxSize / 64; opts.TransactionSize > most {
			faults = append(faults, fmt.Errorf("TransactionSize is %d; want at most a 64th of MaxSize, %d", opts.TransactionSize, most))
		}
	}
	faults = append(faults,
		checkRange("HeadSize", opts.HeadSize, MinHeadSize, MaxHeadSize),
		checkRange("TransactionSize", opts.TransactionSize, MinTransactionSize, MaxTransactionSize),
		checkRange("ChunkValues", int64(opts.ChunkValues), 1, MaxChunkValues),
		checkRange("ChunkBytes", int64(opts.ChunkBytes), 1, MaxChunkBytes))
	if err := errors.Join(faults...); err != nil {
		return Options{}, fmt.Errorf("%w: %w", daybook.ErrInvalidParams, err)
	}
	return opts, nil
}

func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

func checkRange(name string, got, least, most int64) error {
	if got < least || got > most {
		return fmt.Errorf("%s is %d; want %d to %d", name, got, least, most)
	}
	return nil
}
