// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/proof/journal"
)

// monthsRun runs a months program, and compares the store with what was acknowledged.
type monthsRun struct {
	t      testing.TB // for the sizes of directories
	parent string     // of the directories; each kill goes on in a new one
	dir    string
	opts   *Options
	db     *DB

	now      int64 // the clock, in ms
	sequence uint64
	model    []daybook.StoredValue // by sequence number, from 1; without a name: deleted or dropped
	mayDrop  bool                  // values may have been dropped since the last check
	full     bool                  // also the one that was stored last, to make room for one that was refused
	keep     int                   // number of values of each record that are not dropped

	scan    func() (daybook.StoredValue, error, bool) // nil: no scan is open
	endScan func()
	scanned bool // a scan has been open since the last check

	tooLarge                        int64 // size of the directory that Open found too large; 0 once it was not
	stores, refused, drops, reopens int
}

// run runs a program. It returns the number of the operation that failed, and why.
func (r *monthsRun) run(program []monthsOp) (failed int, err error) {
	r.now, r.model = 1<<40, make([]daybook.StoredValue, 1)
	for i, op := range program {
		if err := r.do(op); err != nil {
			return i, fmt.Errorf("operation %d, %s: %w", i, op, err)
		}
		if i%8 == 0 || op.verb != monthsStore && op.verb != monthsPass {
			if err := r.checkSize(); err != nil {
				return i, fmt.Errorf("operation %d, %s: %w", i, op, err)
			}
		}
	}
	r.closeScan()
	return len(program), errors.Join(r.check(), r.db.Close())
}

func (r *monthsRun) do(op monthsOp) error {
	switch op.verb {
	case monthsStore:
		value := r.value(op.args[0], op.args[1], op.args[2])
		value.StoredAt = uint64(max(r.now+op.args[3], 0))
		return r.store([]daybook.StoredValue{value})
	case monthsBatch:
		var batch []daybook.StoredValue
		for i := range op.args[1] {
			batch = append(batch, r.value(op.args[0]+i%100, op.args[2], op.args[3]))
		}
		return r.store(batch)
	case monthsPass:
		r.now = max(r.now+op.args[0], 0)
	case monthsCleanup:
		return r.prune(daybook.PruneParams{OlderThan: uint64(max(r.now-op.args[0], 0))})
	case monthsKeep:
		return r.prune(daybook.PruneParams{MaxPerRecord: int(op.args[0])})
	case monthsCheckpoint:
		return r.mayRefuse(r.db.Checkpoint(ctx))
	case monthsCompact:
		if err := r.db.Compact(ctx); !errors.Is(err, daybook.ErrNoSpace) && !errors.Is(err, errors.ErrUnsupported) {
			return err
		}
	case monthsScan:
		return r.openScan(int(op.args[0]))
	case monthsEndScan:
		r.closeScan()
	case monthsClose, monthsKill:
		return r.reopen(op)
	}
	return nil
}

// value returns a value of which a part does not compress.
func (r *monthsRun) value(record, size, noise int64) daybook.StoredValue {
	random := rand.New(rand.NewPCG(uint64(record), r.sequence))
	text := []byte(strings.Repeat("7", int(size)))
	for i := range text {
		if random.Int64N(100) < noise {
			text[i] = byte('1' + random.IntN(9))
		}
	}
	if size > 2 {
		text[0], text[size-1] = '"', '"'
	}
	name := fmt.Sprintf("r%d", record)
	return daybook.StoredValue{RecordName: name, Value: json.RawMessage(text), StoredAt: uint64(r.now)}
}

// store stores values. DropOldest must take them unless all values are kept; beside a scan, once
// that has ended.
func (r *monthsRun) store(batch []daybook.StoredValue) error {
	store := func() error {
		if len(batch) == 1 {
			return r.db.Store(ctx, batch[0].RecordName, batch[0].Value, batch[0].StoredAt)
		}
		return r.db.StoreBatch(ctx, batch)
	}
	err := store()
	if errors.Is(err, daybook.ErrNoSpace) && r.scan != nil {
		r.closeScan()
		err = store()
	}
	if r.stores++; errors.Is(err, daybook.ErrNoSpace) {
		if r.opts.WhenFull == WhenFullDropOldest {
			return r.mustBeFull(err)
		}
		r.refused++
		return nil
	}
	if err == nil {
		r.sequence += uint64(len(batch))
		r.model = append(r.model, batch...)
	}
	return err
}

// mayRefuse returns the error of a checkpoint, unless Refuse had no room for it.
func (r *monthsRun) mayRefuse(err error) error {
	if errors.Is(err, daybook.ErrNoSpace) && (r.opts.WhenFull == WhenFullRefuse || r.scan != nil) {
		return nil
	}
	return err
}

// prune deletes values of all records, and compares their number with the model.
func (r *monthsRun) prune(params daybook.PruneParams) error {
	if err := r.check(); err != nil { // which also tells the model what was dropped
		return err
	}
	want := uint64(0)
	for _, of := range r.records() {
		for i, sequence := range of {
			tooMany := params.MaxPerRecord > 0 && len(of)-i > params.MaxPerRecord
			if tooMany || r.model[sequence].StoredAt < params.OlderThan {
				r.model[sequence] = daybook.StoredValue{}
				want++
			}
		}
	}
	got, err := r.db.Prune(ctx, "*", params)
	if errors.Is(err, daybook.ErrNoSpace) && r.scan != nil { // what it had deleted already is gone
		r.closeScan()
		var rest uint64
		rest, err = r.db.Prune(ctx, "*", params)
		got += rest
	}
	if err == nil && got != want {
		return fmt.Errorf("%+v deleted %d values; want %d", params, got, want)
	}
	return err
}

func (r *monthsRun) openScan(take int) error {
	r.closeScan()
	r.scan, r.endScan = iter.Pull2(r.db.Scan(ctx, "*", daybook.QueryParams{}))
	r.scanned = true
	for range take + 1 {
		if _, err, more := r.scan(); err != nil || !more {
			return err
		}
	}
	return nil
}

func (r *monthsRun) closeScan() {
	if r.scan != nil {
		r.endScan()
		r.scan = nil
	}
}

// reopen closes or kills the store, and opens it with other options.
func (r *monthsRun) reopen(op monthsOp) (err error) {
	r.closeScan()
	switch {
	case r.db == nil:
	case op.verb == monthsKill:
		if err := r.kill(); err != nil {
			return err
		}
	default:
		if err := r.mayRefuse(r.db.Close()); err != nil {
			return err
		}
	}
	r.opts = monthsOptions(op.args)
	r.tooLarge = 0
	if r.dir == "" {
		r.dir = filepath.Join(r.parent, "0")
	} else if size := occupied(r.t, r.dir); size > r.opts.MaxSize || r.treeIsTooLarge() {
		r.tooLarge = size
	}
	if r.db, err = Open(r.dir, r.opts); err != nil {
		return err
	}
	r.reopens++
	err = r.check()
	r.mayDrop, r.keep = r.opts.WhenFull == WhenFullDropOldest, r.db.opts.DropKeepNewest
	return err
}

// kill goes on with a copy of the directory, as a killed process leaves it. With the turn, and
// while nothing is stored, no file changes but for a segment that is being made.
func (r *monthsRun) kill() error {
	next := filepath.Join(r.parent, fmt.Sprint(r.reopens))
	err := r.db.withTurn(ctx, func(*turn) error { return journal.CopyOpenDir(next, r.dir) })
	if err := errors.Join(err, r.db.abandon(), os.RemoveAll(r.dir)); err != nil {
		return err
	}
	r.dir = next
	return nil
}

// treeIsTooLarge reports whether the tree's file is larger than MaxSize lets it become, because
// MaxSize was greater before.
func (r *monthsRun) treeIsTooLarge() bool {
	info, err := os.Stat(filepath.Join(r.dir, TreeFile))
	if err != nil {
		r.t.Fatal(err)
	}
	return r.opts.budget().isTooLarge(sizes{file: info.Size()})
}

// checkSize returns an error if the directory is larger than MaxSize. One that was too large
// already may stay so until it is compacted, beside its copy, and deletions may use the reserve.
func (r *monthsRun) checkSize() error {
	size := occupied(r.t, r.dir)
	if size <= r.opts.MaxSize {
		if !r.treeIsTooLarge() {
			r.tooLarge = 0
		}
		return nil
	}
	if r.tooLarge > 0 && size <= r.tooLarge+r.opts.budget().treePart()+2*reserveSize {
		return nil
	}
	return fmt.Errorf("the directory has %d bytes; MaxSize is %d: %s; the account says %+v", size, r.opts.MaxSize,
		r.listing(), r.db.sizes())
}

// listing lists the files of the directory with their sizes.
func (r *monthsRun) listing() (all []string) {
	_ = filepath.WalkDir(r.dir, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() {
			if info, err := entry.Info(); err == nil {
				all = append(all, fmt.Sprintf("%s of %d", filepath.Base(path), info.Size()))
			}
		}
		return nil
	})
	return all
}

// check compares the values with the model. If values may have been dropped since the last check,
// those that were stored before all others may be missing, without the newest of each record.
// Beside a scan, which keeps pages, a drop may end in the middle of the records.
func (r *monthsRun) check() error {
	defer func() { r.scanned = r.scan != nil }()
	if err := r.db.Check(ctx); err != nil {
		return fmt.Errorf("Check: %w", err)
	}
	isThere := make([]bool, len(r.model))
	for change, err := range r.db.Changes(ctx, daybook.ChangesParams{}) {
		if err != nil {
			return err
		}
		if change.IsPlace() {
			return r.compareMissing(isThere)
		}
		sequence := change.Cursor.Sequence
		isThere[sequence] = true
		if want, got := &r.model[sequence], &change.StoredValue; got.RecordName != want.RecordName ||
			got.StoredAt != want.StoredAt || string(got.Value) != string(want.Value) {
			return fmt.Errorf("value %d is of %s at %d; want %s at %d", sequence, got.RecordName, got.StoredAt,
				want.RecordName, want.StoredAt)
		}
	}
	return errors.New("Changes ended without a place")
}

// compareMissing tells the model which values were dropped.
func (r *monthsRun) compareMissing(isThere []bool) error {
	records, last := r.records(), uint64(0) // sequence number of the last value that is missing
	for _, of := range records {
		for i, sequence := range of {
			if isThere[sequence] {
				continue
			}
			if isNewest := len(of)-i <= r.keep; !r.mayDrop || isNewest || sequence == r.sequence && !r.full {
				return fmt.Errorf("value %d, the %d. of %d of %s, is missing; the newest %d are kept, and values may "+
					"be dropped: %v", sequence, i+1, len(of), r.model[sequence].RecordName, r.keep, r.mayDrop)
			}
			last = max(last, sequence)
		}
	}
	for name, of := range records {
		older := slices.DeleteFunc(slices.Clone(of), func(n uint64) bool { return n > last || !isThere[n] })
		if len(older) > r.keep && !r.scanned {
			return fmt.Errorf("value %d is missing; of %s, %d values from before it are there: %d", last, name,
				len(older), older)
		}
	}
	for sequence := range r.model {
		if r.model[sequence].RecordName != "" && !isThere[sequence] {
			r.model[sequence] = daybook.StoredValue{}
			r.drops++
		}
	}
	return nil
}

// records returns the sequence numbers of each record's values, from the oldest to the newest.
func (r *monthsRun) records() map[string][]uint64 {
	records := make(map[string][]uint64)
	for sequence := range r.model {
		if value := &r.model[sequence]; value.RecordName != "" {
			records[value.RecordName] = append(records[value.RecordName], uint64(sequence))
		}
	}
	for _, of := range records {
		slices.SortStableFunc(of, func(a, b uint64) int {
			return cmp.Compare(r.model[a].StoredAt, r.model[b].StoredAt)
		})
	}
	return records
}

// mustBeFull returns an error if there is a value that DropOldest could have dropped.
func (r *monthsRun) mustBeFull(refusal error) error {
	r.full = true
	defer func() { r.full = false }()
	if err := r.check(); err != nil {
		return err
	}
	for name, of := range r.records() {
		if len(of) > r.keep {
			return fmt.Errorf("%w; but %s has %d values, and %d are kept", refusal, name, len(of), r.keep)
		}
	}
	r.refused++
	return nil
}
