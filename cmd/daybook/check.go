// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"
)

func newCheckCommand(dir *string) *cobra.Command {
	return &cobra.Command{
		Use:   "check",
		Short: "Read everything and say what is damaged",
		Long: `Read everything, the tree and the log, and hold it against its checksums and against one
another: pages, frames, values and their order, the list of records and the totals. It
changes nothing. What is damaged is said with the file, the offset and the record, and the
command fails.

A damaged value costs those beside it nothing: query and export go on to read the other
records, and a backup can be restored into another directory. A program whose daybook does
not open any more can set the damage aside and go on, with Options.OnCorruption.`,
		Example: `  daybook check && daybook backup history.daybook`,
		Args:    checked(cobra.NoArgs),
		RunE:    func(cmd *cobra.Command, _ []string) error { return runCheck(cmd, *dir) },
	}
}

func runCheck(cmd *cobra.Command, dir string) (err error) {
	db, err := openForReading(dir)
	if err != nil {
		return err
	}
	defer closing(db, &err)
	started := time.Now()
	if err := db.Check(cmd.Context()); err != nil {
		return err
	}
	stats, err := db.Stats(cmd.Context())
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s of %s are whole, in %s, checked in %.1f s\n",
		counted(stats.Values, "value"), counted(stats.Records, "record"), size(stats.DiskBytes), time.Since(started).Seconds())
	return err
}
