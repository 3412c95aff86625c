// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"log/slog"
	"time"

	"github.com/spf13/cobra"

	"github.com/daybook-db/daybook/engine"
)

func newCheckCommand(dir *string) *cobra.Command {
	var quarantine bool
	cmd := &cobra.Command{
		Use:   "check",
		Short: "Read everything and say what is damaged",
		Long: `Read everything, the tree and the log, and hold it against its checksums and against one
another: pages, frames, values and their order, the list of records and the totals. It
changes nothing. What is damaged is said with the file, the offset and the record, and the
command fails.

A damaged value costs those beside it nothing: query and export go on to read the other
records. A daybook that does not open any more does so again with --quarantine: a tree that
is damaged is renamed, and what the log holds goes into a fresh one; of a damaged log
everything before the damage is kept, and the whole renamed. A program does the same with
Options.OnCorruption of the Go package engine.`,
		Example: `  daybook check && daybook backup history.daybook
  daybook check --quarantine`,
		Args: checked(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error { return runCheck(cmd, *dir, quarantine) },
	}
	cmd.Flags().BoolVar(&quarantine, "quarantine", false, "set aside what keeps the daybook from opening, and go on with the rest")
	return cmd
}

func runCheck(cmd *cobra.Command, dir string, quarantine bool) (err error) {
	var db *engine.DB
	if !quarantine {
		db, err = openForReading(dir)
	} else if db, err = nil, noDaybook(dir); holdsDaybook(dir) {
		db, err = open(dir, &engine.Options{OnCorruption: engine.Quarantine, Logger: slog.New(slog.DiscardHandler)})
	}
	if err != nil {
		return err
	}
	defer closing(db, &err)
	started := time.Now()
	stats, err := db.Stats(cmd.Context())
	if err != nil {
		return err
	}
	for _, path := range stats.Quarantined {
		if _, err := fmt.Fprintf(cmd.OutOrStdout(), "set aside %s\n", path); err != nil {
			return err
		}
	}
	if err := db.Check(cmd.Context()); err != nil {
		return err
	}
	_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s of %s are whole, in %s, checked in %.1f s\n",
		counted(stats.Values, "value"), counted(stats.Records, "record"), size(stats.DiskBytes), time.Since(started).Seconds())
	return err
}
