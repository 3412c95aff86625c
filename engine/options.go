// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"errors"
	"fmt"
	"log/slog"
	"math"
	"slices"
	"time"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/engine/internal/tree"
	"github.com/daybook-db/daybook/index"
)

// Durability says how durable a value is when Store returns. In every mode a crash of the process
// loses no acknowledged value. After a power cut, in every mode, the values that remain are a
// prefix of what was stored: whole batches, in order, with no gap.
type Durability int

const (
	// DurabilityAlways: Store returns when the value's frame is on stable storage (fdatasync). A
	// power cut loses no acknowledged value.
	DurabilityAlways Durability = iota
	// DurabilityInterval: Store returns when the frame is written to the operating system. The log
	// is synced every Options.SyncInterval. A power cut loses at most the values of the last
	// interval and of the sync that is running.
	DurabilityInterval
	// DurabilityOS: Store returns when the frame is written to the operating system, which decides
	// when to write it back. A power cut loses the values that it had not written back. A
	// checkpoint syncs the log first.
	DurabilityOS
)

func (d Durability) String() string {
	switch d {
	case DurabilityAlways:
		return "always"
	case DurabilityInterval:
		return "interval"
	case DurabilityOS:
		return "os"
	}
	return fmt.Sprintf("Durability(%d)", int(d))
}

// WhenFull says what Store does when Options.MaxSize is reached.
type WhenFull int

const (
	// WhenFullRefuse: Store returns daybook.ErrNoSpace until something is deleted.
	WhenFullRefuse WhenFull = iota
	// WhenFullDropOldest: the engine deletes the values that were stored first, of all records
	// together, a sixteenth of their JSON at a time, until the new value fits. Their timestamps do
	// not matter: a clock that fell back must not make it delete what has just been stored. It
	// spares what a daybook.Hold, Options.DropExcept and Options.DropKeepNewest say, which does not
	// count for the sixteenth. When there is nothing else, Store returns daybook.ErrNoSpace. On a
	// disk that is full before MaxSize is reached it does so, too, and nothing is deleted.
	WhenFullDropOldest
)

func (w WhenFull) String() string {
	switch w {
	case WhenFullRefuse:
		return "refuse"
	case WhenFullDropOldest:
		return "drop-oldest"
	}
	return fmt.Sprintf("WhenFull(%d)", int(w))
}

// OnCorruption says what the engine does with a damaged directory.
type OnCorruption int

const (
	// OnCorruptionFail: Open returns daybook.ErrCorrupt and changes nothing. Damage that shows
	// later is ErrCorrupt too.
	OnCorruptionFail OnCorruption = iota
	// OnCorruptionQuarantine: the engine gives the damaged tree or log another name, and goes on
	// with the values that it can read. docs/operating.md says which values those are.
	OnCorruptionQuarantine
)

func (o OnCorruption) String() string {
	switch o {
	case OnCorruptionFail:
		return "fail"
	case OnCorruptionQuarantine:
		return "quarantine"
	}
	return fmt.Sprintf("OnCorruption(%d)", int(o))
}

// The defaults of Options and Tuning, and the minimum and maximum values that Open accepts.
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

// A head has by default at most one part in 16 of the free disk space, but at least
// minDefaultHeadSize; a head and a transaction have at most these parts of MaxSize.
const (
	headPartOfFreeDisk       = 16
	minDefaultHeadSize       = 256 << 10
	headPartOfMaxSize        = 16
	transactionPartOfMaxSize = 64
)

// Options configure Open. The zero value of every field means its default.
type Options struct {
	// Durability is what a returned Store means. Default: DurabilityAlways.
	Durability Durability
	// SyncInterval is the time between two syncs of the log. It needs DurabilityInterval. Default:
	// 1 s.
	SyncInterval time.Duration
	// LockTimeout is how long Open waits for a directory that another process has open before it
	// returns ErrLocked. Default: 1 s; negative: no wait. To open it for writing, Open also waits
	// for up to three seconds until readers have given way; see ReadOnly.
	LockTimeout time.Duration
	// ReadOnly opens an existing directory without changing anything in it, beside other readers
	// but not beside a writer. Every write returns ErrReadOnly. The reader gives way when another
	// process opens the directory for writing: after a fifth of a second every running and later
	// call returns ErrLocked, and the reader must be closed and opened again. On a file system that
	// refuses to lock a directory, which Windows does not need, the writer waits for LockTimeout
	// instead. Options that are about writing are errors beside it, except Tuning. Default: false.
	ReadOnly bool
	// BesideWriter lets a ReadOnly Open also read a directory that another process has open for
	// writing; that never waits for the reader. Open reads one moment, and tries for LockTimeout
	// before it returns ErrLocked. So do later calls once the writer has overwritten that moment,
	// which it keeps for up to a minute; and Check, Backup, Changes and Watch at once. Default:
	// false.
	BesideWriter bool
	// MaxFuture is how far a timestamp may be ahead of this machine's clock; Store returns
	// ErrTimestampRange for a later one. It refuses the timestamps of other clocks, such as a
	// sensor's. It does not protect from this machine's own clock, because the bound moves with it:
	// daybook.PruneParams.NewerThan deletes what a clock that was ahead has stored. Default: 0, any
	// timestamp.
	MaxFuture time.Duration
	// MaxSize is the maximum number of bytes of the directory's files together, files that
	// were quarantined excepted. It also lowers the defaults of Tuning. Default: 0, no maximum;
	// minimum 8 MiB. Open logs a warning if the file system is smaller, where the system tells its
	// size.
	MaxSize int64
	// WhenFull says what Store does when MaxSize is reached. WhenFullDropOldest needs a MaxSize.
	// Default: WhenFullRefuse.
	WhenFull WhenFull
	// DropKeepNewest is the number of values of each record that WhenFullDropOldest spares: those
	// with the greatest timestamps. Default: 1, so that no record loses its latest value; negative:
	// none.
	DropKeepNewest int
	// DropExcept are records of which WhenFullDropOldest deletes nothing, such as a configuration.
	// Default: none.
	DropExcept []daybook.Pattern
	// OnCorruption says what the engine does with a damaged directory. Default:
	// OnCorruptionFail.
	OnCorruption OnCorruption
	// Logger receives what no caller waits for, such as what recovery dropped and a failed
	// checkpoint. Default: slog.Default().
	Logger *slog.Logger
	// Tuning sets the sizes of internal structures. Most programs leave it alone.
	Tuning Tuning

	smallMapping bool // for tests: the tree is mapped into memory as on Windows
	movesAside   bool // for tests: a compaction moves the old tree aside as on Windows
}

// Tuning sets the sizes of internal structures. The zero value of every field means its default.
type Tuning struct {
	// HeadSize is the memory in bytes of one head; two exist during a checkpoint. It also bounds
	// the log and the time that Open takes after a crash. Default: 32 MiB, but at most a sixteenth
	// of the free disk space and of Options.MaxSize, and at least 256 KiB; minimum 4 KiB, maximum
	// 512 MiB.
	HeadSize int64
	// TransactionSize is about how many bytes of the tree one transaction changes; they are in
	// memory until it commits. Default: a quarter of HeadSize, at least 1 MiB, but at most a 64th
	// of Options.MaxSize; minimum 4 KiB, maximum 512 MiB.
	TransactionSize int64
	// ChunkValues is the maximum number of values in a chunk. Larger chunks compress better and
	// make reading one value slower. Default: 512; maximum 65536.
	ChunkValues int
	// ChunkBytes is the maximum number of bytes of JSON in a chunk; a longer value has a chunk of
	// its own. Values that differ only in their numbers may have four times as many, but not over
	// 1 MiB, if they compress as much. Default: 32 KiB; maximum 16 MiB.
	ChunkBytes int
}

// withDefaults returns a copy with the defaults filled in, or an error that names every invalid
// value. o may be nil.
func (o *Options) withDefaults() (Options, error) { return o.withDefaultsForDisk(math.MaxInt64) }

// withDefaultsForDisk is withDefaults where the default of HeadSize is at most maxHeadSize.
func (o *Options) withDefaultsForDisk(maxHeadSize int64) (Options, error) {
	var opts Options
	if o != nil {
		opts = *o
	}
	if err := opts.validateTogether(); err != nil {
		return Options{}, fmt.Errorf("%w: %w", daybook.ErrInvalidParams, err)
	}
	if opts.Durability == DurabilityInterval {
		setDefault(&opts.SyncInterval, DefaultSyncInterval)
	}
	headSize, transactionSize := min(DefaultHeadSize, maxHeadSize), int64(math.MaxInt64)
	if opts.MaxSize >= MinMaxSize {
		headSize, transactionSize = min(headSize, opts.MaxSize/headPartOfMaxSize), opts.MaxSize/transactionPartOfMaxSize
	}
	setDefault(&opts.Tuning.HeadSize, headSize)
	setDefault(&opts.Tuning.TransactionSize, min(max(opts.Tuning.HeadSize/4, 1<<20), transactionSize))
	setDefault(&opts.LockTimeout, DefaultLockTimeout)
	setDefault(&opts.Tuning.ChunkValues, DefaultChunkValues)
	setDefault(&opts.Tuning.ChunkBytes, DefaultChunkBytes)
	if opts.Logger == nil {
		opts.Logger = slog.Default()
	}
	if err := opts.validate(); err != nil {
		return Options{}, fmt.Errorf("%w: %w", daybook.ErrInvalidParams, err)
	}
	if opts.WhenFull == WhenFullDropOldest {
		setDefault(&opts.DropKeepNewest, 1)
	}
	opts.DropKeepNewest = max(opts.DropKeepNewest, 0)
	opts.DropExcept = slices.Clone(opts.DropExcept)
	return opts, nil
}

// validate returns an error that names every invalid value of options with defaults; nil if all are
// valid.
func (o *Options) validate() error {
	var faults []error
	if o.Durability < DurabilityAlways || o.Durability > DurabilityOS {
		faults = append(faults,
			fmt.Errorf("Durability is %v; want DurabilityAlways, DurabilityInterval or DurabilityOS", o.Durability))
	}
	if o.SyncInterval < 0 {
		faults = append(faults, fmt.Errorf("SyncInterval is %v; want more than 0", o.SyncInterval))
	}
	if o.MaxFuture < 0 {
		faults = append(faults, fmt.Errorf("MaxFuture is %v; want 0 (no limit) or more", o.MaxFuture))
	}
	if o.WhenFull < WhenFullRefuse || o.WhenFull > WhenFullDropOldest {
		faults = append(faults, fmt.Errorf("WhenFull is %v; want WhenFullRefuse or WhenFullDropOldest", o.WhenFull))
	}
	if o.OnCorruption < OnCorruptionFail || o.OnCorruption > OnCorruptionQuarantine {
		faults = append(faults,
			fmt.Errorf("OnCorruption is %v; want OnCorruptionFail or OnCorruptionQuarantine", o.OnCorruption))
	}
	return errors.Join(append(faults, o.validateDrop(), o.validateSizes())...)
}

// validateTogether returns an error that names every option, without its default, that has no
// effect beside the others.
func (o *Options) validateTogether() error {
	var faults []error
	useless := func(isSet bool, option string) {
		if isSet {
			faults = append(faults, fmt.Errorf("%s has no effect with ReadOnly; want one of both", option))
		}
	}
	if o.ReadOnly {
		useless(o.Durability != 0, "Durability")
		useless(o.MaxFuture != 0, "MaxFuture")
		useless(o.MaxSize != 0, "MaxSize")
		useless(o.OnCorruption == OnCorruptionQuarantine, "OnCorruptionQuarantine")
	}
	if o.BesideWriter && !o.ReadOnly {
		faults = append(faults, errors.New("BesideWriter has no effect without ReadOnly; want both or neither"))
	}
	if o.SyncInterval != 0 && o.Durability != DurabilityInterval {
		faults = append(faults, fmt.Errorf("SyncInterval is %v without DurabilityInterval; want both or neither",
			o.SyncInterval))
	}
	return errors.Join(faults...)
}

// validateDrop returns an error for options of DropOldest that are wrong, or have no effect.
func (o *Options) validateDrop() error {
	var faults []error
	if o.WhenFull == WhenFullDropOldest && o.MaxSize == 0 {
		faults = append(faults, errors.New("WhenFull is drop-oldest without a MaxSize; want both or neither"))
	}
	if o.WhenFull != WhenFullDropOldest && o.DropKeepNewest != 0 {
		faults = append(faults, fmt.Errorf("DropKeepNewest is %d without WhenFullDropOldest; want 0", o.DropKeepNewest))
	}
	if o.WhenFull != WhenFullDropOldest && len(o.DropExcept) > 0 {
		faults = append(faults, fmt.Errorf("DropExcept has %d patterns without WhenFullDropOldest; want none",
			len(o.DropExcept)))
	}
	if _, err := o.droppedNever(); err != nil {
		faults = append(faults, fmt.Errorf("DropExcept: %w", err))
	}
	return errors.Join(faults...)
}

// droppedNever returns what spares the records of DropExcept: holds of all their values, which lose
// none.
func (o *Options) droppedNever() (tree.Holds, error) {
	var spares tree.Holds
	for _, except := range o.DropExcept {
		pattern, err := index.Compile(except)
		if err != nil {
			return nil, err
		}
		spares = append(spares, tree.Hold{Pattern: pattern, At: math.MaxUint64})
	}
	return spares, nil
}

func (o *Options) validateSizes() error {
	var faults []error
	switch {
	case o.MaxSize == 0:
	case o.MaxSize < MinMaxSize:
		faults = append(faults, fmt.Errorf("MaxSize is %d; want 0 (no maximum), or at least %d", o.MaxSize, MinMaxSize))
	default:
		if maximum := o.MaxSize / headPartOfMaxSize; o.Tuning.HeadSize > maximum {
			faults = append(faults, fmt.Errorf("Tuning.HeadSize is %d; want at most a sixteenth of MaxSize, %d",
				o.Tuning.HeadSize, maximum))
		}
		if maximum := o.MaxSize / transactionPartOfMaxSize; o.Tuning.TransactionSize > maximum {
			faults = append(faults, fmt.Errorf("Tuning.TransactionSize is %d; want at most a 64th of MaxSize, %d",
				o.Tuning.TransactionSize, maximum))
		}
	}
	return errors.Join(append(faults,
		checkRange("Tuning.HeadSize", o.Tuning.HeadSize, MinHeadSize, MaxHeadSize),
		checkRange("Tuning.TransactionSize", o.Tuning.TransactionSize, MinTransactionSize, MaxTransactionSize),
		checkRange("Tuning.ChunkValues", int64(o.Tuning.ChunkValues), 1, MaxChunkValues),
		checkRange("Tuning.ChunkBytes", int64(o.Tuning.ChunkBytes), 1, MaxChunkBytes))...)
}

func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

func checkRange(name string, got, minimum, maximum int64) error {
	if got < minimum || got > maximum {
		return fmt.Errorf("%s is %d; want %d to %d", name, got, minimum, maximum)
	}
	return nil
}
