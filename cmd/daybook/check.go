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
		Short: "Read everything and report damage",
		Long: `Read everything in the directory, the tree (the file daybook.db) and the log, and verify the
checksums of all pages and frames, the values and their order, the list of records, and the
totals. Check changes nothing. For damage it names the file, the offset and the record, and
it fails.

A damaged value does not harm other records: they can still be queried, exported, stored and
cleaned up, with a pattern that does not match the damaged record.

With --quarantine, check copies all undamaged values into a new tree and renames the damaged
tree to daybook.corrupt-1.db. If the daybook does not even open, the damaged tree is renamed
and the values of the log are stored in a new one. Of a damaged log, everything before the
damage is kept, and the log is renamed. Check does not delete the renamed files: "daybook
quarantine" lists and removes them. A program does the same as --quarantine with
Options.OnCorruption of the Go package engine.`,
		Example:           `  daybook check`,
		Args:              asUsage(noArguments("")),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE:              func(cmd *cobra.Command, _ []string) error { return runCheck(cmd, *dir, quarantine) },
	}
	cmd.Flags().BoolVar(&quarantine, "quarantine", false,
		"set damaged files aside and keep the values that can be read")
	return cmd
}

func runCheck(cmd *cobra.Command, dir string, quarantine bool) (err error) {
	opening := daybook.Now()
	db, err := openForCheck(dir, quarantine)
	if err != nil {
		return err
	}
	defer closeDB(db, &err)
	started := time.Now()
	stats, err := exactStats(cmd.Context(), db)
	if err != nil {
		return err
	}
	damage := db.Check(cmd.Context())
	if quarantine && errors.Is(damage, daybook.ErrCorrupt) {
		if stats, err = quarantineTree(cmd, db, stats.Values); err != nil {
			return err
		}
		damage = db.Check(cmd.Context())
	}
	for _, file := range stats.Quarantined {
		if file.QuarantinedAt < opening { // an earlier process did it
			continue
		}
		if _, err := fmt.Fprintf(cmd.OutOrStdout(), "set aside %s\n", file.Path); err != nil {
			return err
		}
	}
	if damage != nil {
		return damage
	}
	_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s of %s are undamaged, in %s, checked in %.1f s\n",
		counted(stats.Values, "value"), counted(stats.Records, "record"),
		size(stats.DiskBytes), time.Since(started).Seconds())
	return err
}

// openForCheck opens an existing daybook. With quarantine, the engine sets aside what does not
// open.
func openForCheck(dir string, quarantine bool) (*engine.DB, error) {
	if !quarantine {
		return openForReading(dir)
	}
	opts := &engine.Options{OnCorruption: engine.OnCorruptionQuarantine, Logger: slog.New(slog.DiscardHandler)}
	return openExistingWith(dir, opts)
}

// quarantineTree copies the undamaged values into a new tree, and prints how many values that lost.
func quarantineTree(cmd *cobra.Command, db *engine.DB, before uint64) (stats daybook.Stats, err error) {
	if err = db.Compact(cmd.Context()); err == nil {
		stats, err = exactStats(cmd.Context(), db)
	}
	if lost := before - min(before, stats.Values); lost > 0 && err == nil {
		_, err = fmt.Fprintf(cmd.OutOrStdout(), "lost %s that could not be read\n", counted(lost, "value"))
	}
	return stats, err
}
