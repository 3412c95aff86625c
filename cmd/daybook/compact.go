// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/daybook-db/daybook"
)

func newCompactCommand(dir *string) *cobra.Command {
	return &cobra.Command{
		Use:   "compact",
		Short: "Return the space of deleted values to the file system",
		Long: `Copy the tree (the file daybook.db) without its free pages, and replace it by the copy.
Deleted values leave free pages, which new values fill; compact returns them to the file
system at once.

The copy needs room beside the tree. Without that room, or if it is interrupted, compact
changes nothing. A program that has the daybook open compacts a large file by itself when
most of its pages are free.`,
		Example: `  daybook cleanup --older-than 7d
  daybook compact`,
		Args:              asUsage(noArguments("")),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE:              func(cmd *cobra.Command, _ []string) error { return runCompact(cmd, *dir) },
	}
}

func runCompact(cmd *cobra.Command, dir string) (err error) {
	db, err := openExisting(dir)
	if err != nil {
		return err
	}
	defer closeDB(db, &err)
	if err := db.Checkpoint(cmd.Context()); err != nil {
		return err
	}
	before, err := db.Stats(cmd.Context())
	if err != nil {
		return err
	}
	if err := db.Compact(cmd.Context()); err != nil {
		return err
	}
	after, err := db.Stats(cmd.Context())
	if err != nil {
		return err
	}
	return reportCompaction(cmd, before, after)
}

func reportCompaction(cmd *cobra.Command, before, after daybook.Stats) error {
	each := ""
	if after.Values > 0 {
		each = fmt.Sprintf(", which is %s for each of its %s",
			perValue(after.TreeBytes, after.Values), counted(after.Values, "value"))
	}
	_, err := fmt.Fprintf(cmd.OutOrStdout(), "compacted daybook.db from %s to %s%s\n",
		size(before.TreeBytes), size(after.TreeBytes), each)
	return err
}
