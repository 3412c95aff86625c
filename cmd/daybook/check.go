// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/spf13/cobra"

	"github.com/daybook-db/daybook"
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

A damaged value costs the others nothing: each other record can be queried and exported, if
not by a pattern that matches the damaged one, and goes on being stored and cleaned up. With
--quarantine what is whole is copied into a new tree, and the damaged one renamed
daybook.corrupt-1.db. A daybook that does not even open does so again: the tree is renamed,
and what the log holds goes into a fresh one; of a damaged log everything before the damage is
kept, and the whole renamed. What was set aside is kept until you remove it. A program does
the same with Options.OnCorruption of the Go package engine.`,
		Example: `  daybook check && daybook backup history.daybook
  daybook check --quarantine`,
		Args:              checked(noArguments("")),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE:              func(cmd *cobra.Command, _ []string) error { return runCheck(cmd, *dir, quarantine) },
	}
	cmd.Flags().BoolVar(&quarantine, "quarantine", false, "set aside what is damaged, and go on with what is whole")
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
	damage := db.Check(cmd.Context())
	if quarantine && errors.Is(damage, daybook.ErrCorrupt) {
		if stats, err = setAside(cmd, db, stats.Values); err != nil {
			return err
		}
		damage = db.Check(cmd.Context())
	}
	for _, path := range stats.Quarantined {
		if _, err := fmt.Fprintf(cmd.OutOrStdout(), "set aside %s\n", path); err != nil {
			return err
		}
	}
	if damage != nil {
		return damage
	}
	_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s of %s are whole, in %s, checked in %.1f s\n",
		counted(stats.Values, "value"), counted(stats.Records, "record"), size(stats.DiskBytes), time.Since(started).Seconds())
	return err
}

// setAside has what is whole copied into a new tree, and says how many of the values it was not.
func setAside(cmd *cobra.Command, db *engine.DB, before uint64) (stats daybook.Stats, err error) {
	if err = db.Compact(cmd.Context()); err == nil {
		stats, err = db.Stats(cmd.Context())
	}
	if lost := before - min(before, stats.Values); lost > 0 && err == nil {
		_, err = fmt.Fprintf(cmd.OutOrStdout(), "lost %s that could not be read\n", counted(lost, "value"))
	}
	return stats, err
}
