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
		Short: "Delete the values older than a time, and say exactly how many",
		Long: `Delete every value of every record that was stored before a time, and say exactly how
many those were. The time is an age (7d: older than now minus seven days; units ms, s, m,
h, d, w), RFC 3339, a date in local time, or Unix milliseconds. It is not in the future:
--older-than 0s deletes everything there is until now. There is no undo.`,
		Example: `  daybook cleanup --older-than 7d
  daybook cleanup --older-than 2026-11-01
  daybook cleanup --older-than 2026-11-23T06:00:00Z --dir /var/lib/gateway/history`,
		Args:              checked(noArguments("--older-than")),
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
	defer closing(db, &err)
	deleted, err := db.Cleanup(cmd.Context(), cutoff)
	if err != nil {
		return stoppedAfter(deleted, err)
	}
	_, err = fmt.Fprintf(cmd.OutOrStdout(), "deleted %s stored before %s\n", counted(deleted, "value"), formatTime(cutoff))
	return err
}

// stoppedAfter says what was deleted before err. After an interruption, the same command again does
// what is left; after any other error it would fail again.
func stoppedAfter(deleted uint64, err error) error {
	what := "before it stopped"
	switch {
	case errors.Is(err, context.Canceled):
		what += "; the same command finishes"
	case errors.Is(err, daybook.ErrCorrupt):
		what = "of the records that are whole"
	}
	return fmt.Errorf("deleted %s %s: %w", counted(deleted, "value"), what, err)
}
