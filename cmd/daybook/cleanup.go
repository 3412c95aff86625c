// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/daybook-db/daybook"
)

func newCleanupCommand(dir *string) *cobra.Command {
	var olderThan string
	cmd := &cobra.Command{
		Use:   "cleanup --older-than AGE|TIME",
		Short: "Delete all values before a time",
		Long: `Delete every value of every record that was stored before a time, and print the exact
number of deleted values.

The time is an age, RFC 3339, a day in local time, or Unix milliseconds. An age is counted
back from now: 7d means before the time seven days ago. Its units are ms, s, m, h, d and w.
A time in the future is refused; 0s deletes all values until now.

There is no undo. "daybook prune" deletes values of some records only.`,
		Example: `  daybook cleanup --older-than 7d
  daybook cleanup --older-than 2026-11-01`,
		Args:              asUsage(noArguments("--older-than")),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if olderThan == "" {
				return usagef("cleanup needs --older-than, an age (7d) or a time")
			}
			cutoff, err := parseCutoff(olderThan, time.Now())
			if err != nil {
				return usagef("--older-than %w", err)
			}
			return runCleanup(cmd, *dir, cutoff)
		},
	}
	cmd.Flags().StringVar(&olderThan, "older-than", "", "delete values stored before this `age or time` (required)")
	return cmd
}

func runCleanup(cmd *cobra.Command, dir string, cutoff uint64) (err error) {
	db, err := openExisting(dir)
	if err != nil {
		return err
	}
	defer closeDB(db, &err)
	deleted, err := db.Cleanup(cmd.Context(), cutoff)
	if err != nil {
		return deletionStopped(deleted, err)
	}
	_, err = fmt.Fprintf(cmd.OutOrStdout(), "deleted %s stored before %s\n",
		counted(deleted, "value"), formatTime(cutoff))
	return err
}

// deletionStopped says how many values were deleted before err. The same command finishes an
// interrupted deletion; after any other error it would fail again.
func deletionStopped(deleted uint64, err error) error {
	done := "deleted " + counted(deleted, "value") + " before it stopped"
	switch {
	case errors.Is(err, context.Canceled):
		done += "; the same command deletes the rest"
	case errors.Is(err, daybook.ErrCorrupt):
		done = "deleted " + counted(deleted, "value") + " of the undamaged records"
	}
	return &stoppedError{err, done}
}
