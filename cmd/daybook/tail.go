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
	format choiceFlag
}

func newTailCommand(dir *string) *cobra.Command {
	flags := tailFlags{format: choiceFlag{"ndjson", []string{"ndjson", "csv"}}}
	cmd := &cobra.Command{
		Use:   "tail PATTERN",
		Short: "Print the last values, and with -f those that are being stored",
		Long: `Print the last values of the records that PATTERN matches, by their times and over all of
them together, and with -f go on with those that are stored from then on, until it is
interrupted. PATTERN and the formats are what they are for query.

Another process may have the daybook open, and nothing is in its way: then the last values
are those in its log, in the order in which they came, which is what came since about its
last checkpoint. A reader that falls behind is told on standard error how many values it
missed.`,
		Example: `  daybook tail "*"
  daybook tail -f "alarm.*" -n 0
  daybook tail -f "plant.#.state" --topic --format csv`,
		Args:              checked(onePattern),
		ValidArgsFunction: after(cobra.NoFileCompletions, recordNames(dir)),
		RunE: func(cmd *cobra.Command, args []string) error {
			if flags.values < 0 || flags.values > mostTailed {
				return usagef("-n %d: want 0 to %d", flags.values, mostTailed)
			}
			return runTail(cmd, *dir, args[0], flags)
		},
	}
	cmd.Flags().IntVarP(&flags.values, "values", "n", 10, "how many values to begin with")
	cmd.Flags().BoolVarP(&flags.follow, "follow", "f", false, "go on with what is being stored")
	cmd.Flags().BoolVar(&flags.topic, "topic", false, "read PATTERN as a topic (* one segment, # any number)")
	cmd.Flags().Var(&flags.format, "format", "output format")
	return cmd
}

const (
	// pollInterval is how often tail looks for what has been stored.
	pollInterval = 200 * time.Millisecond
	// mostTailed is how many values tail begins with at most, which are in memory together.
	mostTailed = 1_000_000
)

// tail is one run of tail.
type tail struct {
	dir, pattern string
	flags        tailFlags
	out          text.ValueWriter
	buffered     *bufio.Writer
	notes        io.Writer

	follower *engine.Follower
	after    uint64      // the sequence number of the last value that was printed, or of one behind it
	seen     os.FileInfo // the tree's file, when the daybook was looked at last
}

func runTail(cmd *cobra.Command, dir, pattern string, flags tailFlags) error {
	ctx := cmd.Context()
	if info, err := os.Stat(dir); err == nil && !info.IsDir() {
		return fmt.Errorf("%s is not a directory", dir)
	}
	t := &tail{dir: dir, pattern: pattern, flags: flags, notes: cmd.ErrOrStderr()}
	t.buffered = bufio.NewWriterSize(cmd.OutOrStdout(), 64<<10)
	t.out = newValueWriter(flags.format.value, t.buffered, 0)
	err := t.begin(ctx)
	if flush := errors.Join(t.out.Flush(), t.buffered.Flush()); err == nil {
		err = flush
	}
	for err == nil && flags.follow {
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(pollInterval):
		}
		if err = t.goOn(ctx); ctx.Err() != nil {
			err = nil
		}
		if flush := errors.Join(t.out.Flush(), t.buffered.Flush()); err == nil {
			err = flush
		}
	}
	return err
}

// begin prints the last values: of a daybook that nobody has open those that there are, else those in its log.
func (t *tail) begin(ctx context.Context) error {
	last, err := t.lastValues(ctx)
	locked := errors.Is(err, daybook.ErrLocked)
	if locked || err == nil && t.flags.follow {
		t.follower, err = engine.Follow(t.dir, t.pattern, syntaxOf(t.flags.topic), t.after)
	}
	if locked && err == nil {
		last, err = t.lastLogged(ctx)
	}
	for _, v := range last {
		if err == nil {
			err = t.out.Write(v)
		}
	}
	return err
}

// goOn prints what has been stored since: what is in the log, and, where another process has closed the daybook and emptied
// its log, what is in the daybook itself.
func (t *tail) goOn(ctx context.Context) error {
	if err := t.readClosed(ctx); err != nil && !errors.Is(err, daybook.ErrLocked) {
		return err
	}
	var failed error
	err := t.follower.Read(ctx, func(event daybook.Event) bool {
		if t.follower.Replaced() {
			fmt.Fprintln(t.notes, "another daybook has come into the directory")
		}
		if event.Missed > 0 {
			fmt.Fprintf(t.notes, "missed %s\n", counted(event.Missed, "value"))
		}
		t.after = event.Sequence
		failed = t.out.Write(event.StoredValue)
		return failed == nil
	})
	if failed != nil {
		return failed
	}
	return err
}

// readClosed prints what is new in a daybook that nobody has open, if its file has changed.
func (t *tail) readClosed(ctx context.Context) (err error) {
	now, err := os.Stat(filepath.Join(t.dir, "daybook.db"))
	if err != nil || t.seen != nil && os.SameFile(now, t.seen) && now.ModTime().Equal(t.seen.ModTime()) && now.Size() == t.seen.Size() {
		return nil // it may be about to be restored
	}
	db, err := t.open()
	if err != nil {
		return err
	}
	defer closing(db, &err)
	t.seen = now
	stats, err := db.Stats(ctx)
	if err != nil {
		return err
	}
	pattern, err := index.Compile(t.pattern, syntaxOf(t.flags.topic))
	if err != nil {
		return err
	}
	if stats.LastSequence < t.after {
		fmt.Fprintln(t.notes, "another daybook has come into the directory")
		t.after = 0
	}
	for change, err := range db.Changes(ctx, daybook.ChangesParams{After: t.after}) {
		if err != nil {
			return err
		}
		if pattern.Match(change.RecordName) {
			if err := t.out.Write(change.StoredValue); err != nil {
				return err
			}
		}
	}
	t.after = stats.LastSequence
	t.follower, err = engine.Follow(t.dir, t.pattern, syntaxOf(t.flags.topic), t.after)
	return err
}

func (t *tail) open() (*engine.DB, error) {
	db, err := engine.Open(t.dir, &engine.Options{ReadOnly: true, LockTimeout: -1})
	if errors.Is(err, fs.ErrNotExist) {
		return nil, noDaybook(t.dir)
	}
	return db, err
}

// lastValues returns the values that were stored last, by their times, of a daybook that nobody has open.
func (t *tail) lastValues(ctx context.Context) (last []daybook.StoredValue, err error) {
	t.seen, _ = os.Stat(filepath.Join(t.dir, "daybook.db"))
	db, err := t.open()
	if err != nil {
		return nil, err
	}
	defer closing(db, &err)
	stats, err := db.Stats(ctx)
	t.after = stats.LastSequence
	if err != nil || t.flags.values == 0 {
		return nil, err
	}
	n := t.flags.values
	params := daybook.QueryParams{LimitPerRecord: n, Syntax: syntaxOf(t.flags.topic)}
	for v, err := range db.Scan(ctx, t.pattern, params) {
		if err != nil {
			return nil, err
		}
		if last = append(last, v); len(last) >= 2*n+1024 {
			last = newest(last, n)
		}
	}
	last = newest(last, n)
	slices.Reverse(last)
	return last, nil
}

// newest returns the newest n of values, the newest first; those of a record came like that.
func newest(values []daybook.StoredValue, n int) []daybook.StoredValue {
	slices.SortStableFunc(values, func(a, b daybook.StoredValue) int { return cmp.Compare(b.StoredAt, a.StoredAt) })
	return values[:min(len(values), n)]
}

// lastLogged returns the values that were stored last, as far as they are in the log.
func (t *tail) lastLogged(ctx context.Context) (last []daybook.StoredValue, err error) {
	n := t.flags.values
	err = t.follower.Read(ctx, func(event daybook.Event) bool {
		last, t.after = append(last, event.StoredValue), event.Sequence
		if len(last) >= 2*n+1024 {
			last = slices.Clone(last[len(last)-n:])
		}
		return true
	})
	return last[max(len(last)-n, 0):], err
}
