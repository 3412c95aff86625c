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
		Short: "Give the space of deleted values back to the file system",
		Long: `Copy what is in the daybook into a new file without gaps, and put that in the old one's
place. Deleted values leave gaps, which new values fill; this gives them back at once. It
needs room for the copy beside what there is, and changes nothing if there is none, or if
it is interrupted.

A program that has the daybook open does this by itself when most of a large file is free.`,
		Example:           `  daybook cleanup --older-than 7d && daybook compact`,
		Args:              checked(noArguments("")),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE:              func(cmd *cobra.Command, _ []string) error { return runCompact(cmd, *dir) },
	}
}

func runCompact(cmd *cobra.Command, dir string) (err error) {
	db, err := openExisting(dir)
	if err != nil {
		return err
	}
	defer closing(db, &err)
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
		each = fmt.Sprintf(", %s for each of %s", perValue(after.TreeBytes, after), counted(after.Values, "value"))
	}
	_, err := fmt.Fprintf(cmd.OutOrStdout(), "the file had %s and has %s%s\n", size(before.TreeBytes), size(after.TreeBytes), each)
	return err
}
