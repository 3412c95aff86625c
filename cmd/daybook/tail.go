// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/engine"
	"github.com/daybook-db/daybook/index"
	"github.com/daybook-db/daybook/text"
)

// tailFlags are the flags of tail.
type tailFlags struct {
	values int
	follow bool
	topic  bool
	after  string // a cursor; empty: the newest values
	format choiceFlag
}

const (
	// pollInterval is the time between two looks for new values.
	pollInterval = 200 * time.Millisecond
	// maxCommandWait is how long tail waits for a command that stores, if it must read the tree.
	maxCommandWait = 3 * time.Second
	// maxTailed is the largest number of values that tail begins with. They are in memory together.
	maxTailed = 1_000_000
)

func newTailCommand(dir *string) *cobra.Command {
	flags := tailFlags{format: choiceFlag{"ndjson", []string{"ndjson", "csv"}}}
	cmd := &cobra.Command{
		Use:   "tail PATTERN",
		Short: "Print the newest values, and with -f new values as they are stored",
		Long: `Print the newest values of all records whose name matches PATTERN, sorted by time, the
oldest of them first. Among values with equal times, those of one record are in the order in
which they were stored, and the record whose name sorts last comes first. With -f it goes on
with the values that are stored from then on, in the order in which they are stored, until
interrupted. "daybook help query" explains PATTERN and the formats.

Tail works while another process has the daybook open, and does not disturb it. It then
begins with the newest values in the log, in the order in which they were stored; the log
holds roughly the values after the last checkpoint. If values come faster than tail prints
them, it prints on standard error how many it missed.

With --after CURSOR it prints the values that were stored after that place, in the order in
which they were stored, and at last on standard error the place that it reached. The cursor 0
is the beginning. If the history no longer has that place, because of a crash or an older
backup, tail says so in one line and goes on after the last place that is still there. While
another process has the daybook open, it prints those that are in the log, and says on standard
error what may be missing. It steps over damaged values, names them on standard error, and fails
at the end.`,
		Example:           `  daybook tail "host.*" -n 5`,
		Args:              asUsage(onePattern),
		ValidArgsFunction: completeArguments(cobra.NoFileCompletions, recordNames(dir)),
		RunE: func(cmd *cobra.Command, args []string) error {
			if flags.values < 0 || flags.values > maxTailed {
				return usagef("-n %d: want 0 to %d", flags.values, maxTailed)
			}
			if err := refuseUseless(cmd, "after", "values"); err != nil {
				return err
			}
			if flags.after == "" {
				return runTail(cmd, *dir, args[0], flags, nil)
			}
			after, err := daybook.ParseCursor(flags.after)
			if err != nil {
				return usagef("--after: %v", err)
			}
			return runTail(cmd, *dir, args[0], flags, &after)
		},
	}
	cmd.Flags().IntVarP(&flags.values, "values", "n", 10, "print the newest `N` values first")
	cmd.Flags().BoolVarP(&flags.follow, "follow", "f", false, "go on with new values as they are stored")
	cmd.Flags().StringVar(&flags.after, "after", "", "print the values stored after `CURSOR`, not the newest")
	cmd.Flags().BoolVar(&flags.topic, "topic", false, topicUsage)
	cmd.Flags().Var(&flags.format, "format", "output format")
	return cmd
}

// tail is one run of tail.
type tail struct {
	dir      string
	pattern  daybook.Pattern
	flags    tailFlags
	out      text.ValueWriter
	buffered *bufio.Writer
	notes    io.Writer // standard error

	follower *engine.Follower
	after    daybook.Cursor // of the last value that was read
	written  daybook.Cursor // of the last value before which the whole output has been written
	owned    bool           // a process has kept the daybook open for longer than maxCommandWait
	lastTree os.FileInfo    // the tree's file when the daybook was opened last
	damaged  int            // ranges of values that were left out
}

// runTail prints the newest values, or those after a place if after is not nil.
func runTail(cmd *cobra.Command, dir, pattern string, flags tailFlags, after *daybook.Cursor) error {
	ctx := cmd.Context()
	if err := checkDirectory(dir); err != nil {
		return err
	}
	recordPattern := daybook.Pattern{Text: pattern, Syntax: syntaxOf(flags.topic)}
	if _, err := index.Compile(recordPattern); err != nil { // the zero Pattern would match all records
		return err
	}
	t := &tail{dir: dir, pattern: recordPattern, flags: flags, notes: cmd.ErrOrStderr()}
	t.buffered = bufio.NewWriterSize(cmd.OutOrStdout(), 64<<10)
	t.out = newValueWriter(flags.format.value, t.buffered, 0)
	begin := t.printNewest
	if after != nil {
		t.after, t.written, begin = *after, *after, t.printAfter
		defer func() {
			if t.lastTree != nil || t.follower != nil { // it has found a daybook
				fmt.Fprintf(t.notes, "reached %v\n", t.written)
			}
		}()
	}
	err := t.flush(begin(ctx))
	for err == nil && flags.follow {
		select {
		case <-ctx.Done():
			return t.damageError()
		case <-time.After(pollInterval):
		}
		err = t.printNew(ctx)
		if ctx.Err() != nil {
			err = nil // an interruption is the normal end of tail -f
		}
		err = t.flush(err)
	}
	return cmp.Or(err, t.damageError())
}

// damageError returns an error if damaged values were left out.
func (t *tail) damageError() error {
	if t.damaged == 0 {
		return nil
	}
	return fmt.Errorf("%w: %s left out", daybook.ErrCorrupt, wereCounted(t.damaged, "damaged range"))
}

// flush writes the buffered output. It returns err, or if that is nil the error of writing.
func (t *tail) flush(err error) error {
	flushErr := t.out.Flush()
	if flushErr == nil {
		flushErr = t.buffered.Flush()
	}
	if flushErr == nil {
		t.written = t.after
	}
	if err != nil {
		return err
	}
	return flushErr
}

// printNewest prints the newest values: those in the daybook, or while another process has it open,
// those in its log.
func (t *tail) printNewest(ctx context.Context) error {
	newest, err := t.newestStored(ctx)
	isLocked := errors.Is(err, daybook.ErrLocked)
	if isLocked || err == nil && t.flags.follow {
		t.follower, err = engine.Follow(t.dir, t.pattern, t.after)
	}
	if isLocked && err == nil {
		newest, err = t.newestLogged(ctx)
	}
	for _, v := range newest {
		if err == nil {
			err = t.out.Write(v)
		}
	}
	return err
}

// printAfter prints the values after t.after: those in the daybook, or while another process has it
// open, those in its log.
func (t *tail) printAfter(ctx context.Context) (err error) {
	err = t.printNewInTree(ctx)
	if errors.Is(err, daybook.ErrLocked) {
		t.follower, err = engine.Follow(t.dir, t.pattern, t.after)
		if err == nil {
			t.noteMissingBeginning()
			err = t.printNewInLog(ctx)
		}
	}
	if err == nil && t.follower == nil {
		err = errNoDaybook(t.dir)
	}
	return err
}

// newestStored returns the newest values by time, the oldest of them first, of a daybook that no
// other process has open.
func (t *tail) newestStored(ctx context.Context) (newest []daybook.StoredValue, err error) {
	t.lastTree, _ = os.Stat(t.treePath())
	db, err := t.open(-1)
	if err != nil {
		return nil, err
	}
	defer closeDB(db, &err)
	stats, err := db.Stats(ctx)
	t.after = stats.LastCursor
	if err != nil || t.flags.values == 0 {
		return nil, err
	}
	n := t.flags.values
	params := daybook.QueryParams{LimitPerRecord: n, Syntax: t.pattern.Syntax}
	for v, err := range db.Scan(ctx, t.pattern.Text, params) {
		if err != nil {
			return nil, err
		}
		if newest = append(newest, v); len(newest) >= 2*n+1024 {
			newest = sortNewest(newest, n)
		}
	}
	newest = sortNewest(newest, n)
	slices.Reverse(newest)
	return newest, nil
}

// sortNewest returns the newest n of values, the newest first. Values of the same time keep their
// order; Scan yields those of a record newest first.
func sortNewest(values []daybook.StoredValue, n int) []daybook.StoredValue {
	slices.SortStableFunc(values, func(a, b daybook.StoredValue) int { return cmp.Compare(b.StoredAt, a.StoredAt) })
	return values[:min(len(values), n)]
}

// newestLogged returns the values in the log that were stored last, in the order in which they were
// stored.
func (t *tail) newestLogged(ctx context.Context) (newest []daybook.StoredValue, err error) {
	n := t.flags.values
	for event, err := range t.follower.Read(ctx) {
		if err != nil {
			return nil, err
		}
		newest, t.after = append(newest, event.StoredValue), event.Cursor
		if len(newest) >= 2*n+1024 {
			newest = slices.Clone(newest[len(newest)-n:])
		}
	}
	return newest[max(len(newest)-n, 0):], nil
}

// printNew prints the values that were stored after the last look. They are in the log, or in the
// tree if another process has closed the daybook and emptied the log.
func (t *tail) printNew(ctx context.Context) error {
	if err := t.printNewInTree(ctx); err != nil && !errors.Is(err, daybook.ErrLocked) {
		return err
	}
	return t.printNewInLog(ctx)
}

// printNewInLog prints the values that were written to the log after the last look.
func (t *tail) printNewInLog(ctx context.Context) error {
	hasForked, err := t.printLog(ctx)
	if hasForked {
		_, err = t.printLog(ctx)
	}
	return err
}

// printLog prints the values that the follower has not read yet. If the history does not have the
// place that the follower has reached, printLog says so, and both go back to one that it has.
func (t *tail) printLog(ctx context.Context) (hasForked bool, err error) {
	for event, err := range t.follower.Read(ctx) {
		if fork := (*daybook.ForkedError)(nil); errors.As(err, &fork) {
			t.goBack(fork.Common)
			t.noteMissingBeginning()
			return true, nil
		}
		if err != nil {
			return false, err
		}
		if t.follower.Replaced() {
			t.goBack(daybook.Cursor{})
		}
		if event.Missed > 0 {
			if err := t.printMissed(ctx); !errors.Is(err, daybook.ErrLocked) {
				return false, err // the tree had the event's value too, or tail cannot go on
			}
			fmt.Fprintf(t.notes, "missed %s\n", counted(event.Missed, "value"))
		}
		t.after = event.Cursor
		if err := t.out.Write(event.StoredValue); err != nil {
			return false, err
		}
	}
	return false, nil
}

// printMissed prints the values that have left the log before they were read. They are in the tree.
// If a command stores now, it soon ends, and printMissed waits for it. A process that did not end
// is waited for once: its values would be missed meanwhile.
// Errors: ErrLocked if the process has not ended.
func (t *tail) printMissed(ctx context.Context) error {
	if t.owned {
		return daybook.ErrLocked
	}
	err := t.printTree(ctx, maxCommandWait)
	t.owned = errors.Is(err, daybook.ErrLocked)
	return err
}

// noteMissingBeginning says that values may be missing, if tail begins at the beginning: a follower
// begins with the log there, and counts no missed values.
func (t *tail) noteMissingBeginning() {
	if t.after.IsZero() {
		fmt.Fprintln(t.notes, "another process has the daybook open: only the values in its log are printed")
	}
}

// goBack goes on after the last place that the history still has, and says so.
func (t *tail) goBack(common daybook.Cursor) {
	t.after = common
	if common.IsZero() {
		fmt.Fprintln(t.notes, "the directory now holds another history (was a backup restored?)")
		return
	}
	const note = "the values after number %d were taken back (a crash, or an older backup); going on after it\n"
	fmt.Fprintf(t.notes, note, common.Sequence)
}

// printNewInTree prints the new values of a daybook that no other process has open, if the tree's
// file has changed.
func (t *tail) printNewInTree(ctx context.Context) error {
	tree, err := os.Stat(t.treePath())
	if err != nil || sameFile(tree, t.lastTree) {
		return nil // a daybook without a tree may be about to be restored
	}
	return t.printTree(ctx, -1)
}

// printTree prints the new values of a daybook, and waits while another process has it open.
func (t *tail) printTree(ctx context.Context, wait time.Duration) (err error) {
	tree, err := os.Stat(t.treePath())
	if err != nil {
		return err
	}
	db, err := t.open(wait)
	if err != nil {
		return err
	}
	defer closeDB(db, &err)
	t.lastTree, t.owned = tree, false
	err = t.printChanges(ctx, db)
	if fork := (*daybook.ForkedError)(nil); errors.As(err, &fork) {
		t.goBack(fork.Common)
		err = t.printChanges(ctx, db)
	}
	if err != nil {
		return err
	}
	t.follower, err = engine.Follow(t.dir, t.pattern, t.after)
	return err
}

// printChanges prints the matching values after t.after, in the order in which they were stored. It
// steps over damaged values, and says so.
func (t *tail) printChanges(ctx context.Context, db daybook.ChangeSource) error {
	for {
		before := t.after
		err := t.printUpToDamage(ctx, db)
		damage := (*daybook.DamagedChangesError)(nil)
		if !errors.As(err, &damage) || damage.Through == before {
			return err
		}
		t.damaged++
		t.after = damage.Through
		fmt.Fprintf(t.notes, "%s; going on after them\n", errorLine(damage))
	}
}

// printUpToDamage prints the matching values after t.after, up to the first ones that are damaged.
func (t *tail) printUpToDamage(ctx context.Context, db daybook.ChangeSource) error {
	for change, err := range db.Changes(ctx, daybook.ChangesParams{After: t.after, Pattern: t.pattern}) {
		if err == nil && !change.IsPlace() {
			err = t.out.Write(change.StoredValue)
		}
		if err != nil {
			return err
		}
		t.after = change.Cursor
	}
	return nil
}

// sameFile reports whether a is the file b, unchanged. b may be nil.
func sameFile(a, b os.FileInfo) bool {
	return b != nil && os.SameFile(a, b) && a.ModTime().Equal(b.ModTime()) && a.Size() == b.Size()
}

func (t *tail) treePath() string { return filepath.Join(t.dir, engine.TreeFile) }

// open opens the daybook read-only, and waits while another process has it open. Negative: it does
// not wait.
func (t *tail) open(wait time.Duration) (*engine.DB, error) {
	db, err := engine.Open(t.dir, &engine.Options{ReadOnly: true, LockTimeout: wait})
	if errors.Is(err, fs.ErrNotExist) {
		return nil, errNoDaybook(t.dir)
	}
	return db, err
}
