// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/engine"
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
		Long: `Print the last values of the records that PATTERN matches, over all of them together, and
with -f go on with those that are stored from then on, until it is interrupted. PATTERN and
the formats are what they are for query.

Another process may have the daybook open: then the last values are those in its log, up to
about a minute's worth or what came since its last checkpoint, and nothing is in its way. A
reader that falls behind is told on standard error how many values it missed.`,
		Example: `  daybook tail "*"
  daybook tail -f "alarm.*" -n 0
  daybook tail -f "plant.#.state" --topic --format csv`,
		Args: checked(onePattern),
		RunE: func(cmd *cobra.Command, args []string) error {
			if flags.values < 0 {
				return usagef("-n %d: want 0 or more", flags.values)
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

// pollInterval is how often tail looks for what has been stored.
const pollInterval = 200 * time.Millisecond

func runTail(cmd *cobra.Command, dir, pattern string, flags tailFlags) error {
	ctx := cmd.Context()
	last, after, err := lastValues(ctx, dir, pattern, flags)
	locked := errors.Is(err, daybook.ErrLocked)
	var follower *engine.Follower
	if locked || err == nil && flags.follow {
		follower, err = engine.Follow(dir, pattern, syntaxOf(flags.topic))
	}
	if locked && err == nil {
		last, after, err = lastLogged(ctx, follower, flags.values)
	}
	if err != nil {
		return err
	}
	buffered := bufio.NewWriterSize(cmd.OutOrStdout(), 64<<10)
	out := newValueWriter(flags.format.value, buffered, 0)
	for _, v := range last {
		if err := out.write(v); err != nil {
			return err
		}
	}
	for {
		if err := errors.Join(out.flush(), buffered.Flush()); err != nil || !flags.follow {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(pollInterval):
		}
		var failed error
		err := follower.Read(ctx, func(event daybook.Event) bool {
			if event.Missed > 0 {
				fmt.Fprintf(cmd.ErrOrStderr(), "missed %s\n", counted(event.Missed, "value"))
			}
			if event.Sequence > after {
				failed = out.write(event.StoredValue)
			}
			return failed == nil
		})
		if err = errors.Join(failed, err); err != nil && ctx.Err() == nil {
			return err
		}
	}
}

// lastValues returns the values that were stored last, of a daybook that nobody has open, and the sequence number of the
// last value of all.
func lastValues(ctx context.Context, dir, pattern string, flags tailFlags) (last []daybook.StoredValue, after uint64, err error) {
	if _, err := os.Stat(dir); flags.follow && errors.Is(err, fs.ErrNotExist) {
		return nil, 0, noDaybook(dir)
	}
	db, err := engine.Open(dir, &engine.Options{ReadOnly: true, LockTimeout: -1})
	if errors.Is(err, fs.ErrNotExist) {
		return nil, 0, noDaybook(dir)
	}
	if err != nil {
		return nil, 0, err
	}
	defer closing(db, &err)
	stats, err := db.Stats(ctx)
	if err != nil || flags.values == 0 {
		return nil, stats.LastSequence, err
	}
	for v, err := range db.Scan(ctx, pattern, daybook.QueryParams{LimitPerRecord: flags.values, Syntax: syntaxOf(flags.topic)}) {
		if err != nil {
			return nil, 0, err
		}
		if last = append(last, v); len(last) >= 2*flags.values+1024 {
			last = newest(last, flags.values)
		}
	}
	return newest(last, flags.values), stats.LastSequence, nil
}

// newest sorts values by time and returns the last n of them.
func newest(values []daybook.StoredValue, n int) []daybook.StoredValue {
	slices.Reverse(values) // those of a record came newest first
	slices.SortStableFunc(values, func(a, b daybook.StoredValue) int {
		switch {
		case a.StoredAt < b.StoredAt:
			return -1
		case a.StoredAt > b.StoredAt:
			return 1
		}
		return 0
	})
	return values[max(len(values)-n, 0):]
}

// lastLogged returns the values that were stored last, as far as they are in the log.
func lastLogged(ctx context.Context, follower *engine.Follower, n int) (last []daybook.StoredValue, after uint64, err error) {
	err = follower.Read(ctx, func(event daybook.Event) bool {
		last, after = append(last, event.StoredValue), event.Sequence
		if len(last) >= 2*n+1024 {
			last = append([]daybook.StoredValue(nil), last[len(last)-n:]...)
		}
		return true
	})
	return last[max(len(last)-n, 0):], after, err
}
