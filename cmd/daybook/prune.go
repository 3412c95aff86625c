// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/index"
	"github.com/daybook-db/daybook/retention"
)

// pruneFlags are the flags of prune.
type pruneFlags struct {
	newerThan       string
	olderThan       string
	maxBytes        string
	maxPerRecord    int
	hasMaxPerRecord bool // maxPerRecord was given
	keepNewest      int
	except          []string
	topic           bool
}

func newPruneCommand(dir *string) *cobra.Command {
	var flags pruneFlags
	cmd := &cobra.Command{
		Use:   "prune PATTERN",
		Short: "Delete values of some records by time, number or size",
		Long: `Delete values of the records whose name matches PATTERN, and print the exact number of
deleted values. At least one of the first four flags is needed:
  --older-than      delete the values stored before a time, or older than an age
  --newer-than      delete the values with a later time; with --older-than, those between
  --max-per-record  delete all values of each record except the newest N
  --max-bytes       delete the oldest values of all records together until SIZE of JSON remains
  --keep-newest     keep the newest N values of each record from --older-than and --max-bytes

--newer-than 0s deletes the values from the future, which a wrong clock may have stored. Such
a value stays the latest of its record, and "daybook retain" does not believe the clock then.
A date, as in --newer-than 2026-11-23, keeps that day. --newer-than +5m keeps values that are up
to five minutes ahead; 5m is an age, so it deletes the values of the last five minutes, too.

There is no undo. "daybook help query" explains PATTERN.`,
		Example: `  daybook prune "debug.*" --older-than 1d
  daybook prune "*" --max-per-record 1000 --except "alarm.*"
  daybook prune "*" --max-bytes 500MB --keep-newest 1
  daybook prune "*" --newer-than 0s
  daybook prune "debug.*" --newer-than 2025-10-31 --older-than 2025-12-01`,
		Args:              asUsage(onePattern),
		ValidArgsFunction: completeArguments(cobra.NoFileCompletions, recordNames(dir)),
		RunE: func(cmd *cobra.Command, args []string) error {
			flags.hasMaxPerRecord = cmd.Flags().Changed("max-per-record")
			params, err := flags.params(time.Now())
			if err != nil {
				return err
			}
			return runPrune(cmd, *dir, args[0], params)
		},
	}
	cmd.Flags().StringVar(&flags.newerThan, "newer-than", "", "delete values with a later time than this `age or time`")
	cmd.Flags().StringVar(&flags.olderThan, "older-than", "", "delete values stored before this `age or time`")
	cmd.Flags().IntVar(&flags.maxPerRecord, "max-per-record", 0, "keep only the newest `N` values of each record")
	cmd.Flags().StringVar(&flags.maxBytes, "max-bytes", "",
		"delete the oldest values until this `size` of JSON remains, as in 500MB")
	cmd.Flags().IntVar(&flags.keepNewest, "keep-newest", 0, "keep the newest `N` values of each record, however old")
	cmd.Flags().StringArrayVar(&flags.except, "except", nil,
		"delete nothing of the records that this `pattern` matches; may be repeated")
	cmd.Flags().BoolVar(&flags.topic, "topic", false, "read PATTERN and the patterns of --except as topics")
	return cmd
}

// params returns what the flags ask to delete.
func (f *pruneFlags) params(now time.Time) (params daybook.PruneParams, err error) {
	params = daybook.PruneParams{Syntax: syntaxOf(f.topic), MaxPerRecord: f.maxPerRecord, KeepNewest: f.keepNewest}
	if err := f.checkCounts(); err != nil {
		return params, err
	}
	if f.newerThan == "" && f.olderThan == "" && !f.hasMaxPerRecord && f.maxBytes == "" {
		return params, usagef("prune needs --older-than, --newer-than, --max-per-record or --max-bytes")
	}
	if hasAges := f.olderThan != "" && f.newerThan == ""; f.keepNewest > 0 && !hasAges && f.maxBytes == "" {
		return params, usagef("--keep-newest does nothing with --newer-than, and nothing with --max-per-record: " +
			"want it with --older-than alone, or with --max-bytes")
	}
	if err := f.readTimes(&params, now); err != nil {
		return params, err
	}
	if f.maxBytes != "" {
		if params.MaxBytes, err = retention.ParseSize(f.maxBytes); err != nil {
			return params, usagef("--max-bytes %w", err)
		}
	}
	for _, pattern := range f.except {
		if _, err := index.Compile(daybook.Pattern{Text: pattern, Syntax: params.Syntax}); err != nil {
			return params, usagef("--except: %w", err)
		}
		params.Except = append(params.Except, daybook.Pattern{Text: pattern, Syntax: params.Syntax})
	}
	return params, nil
}

// readTimes reads --newer-than and --older-than.
func (f *pruneFlags) readTimes(params *daybook.PruneParams, now time.Time) (err error) {
	if f.newerThan != "" {
		params.NewerThan, err = parseNewerThan(f.newerThan, now)
		if err != nil {
			return usagef("--newer-than %w", err)
		}
	}
	if f.olderThan != "" {
		parse := parseCutoff
		if f.newerThan != "" { // then the end of the span may be in the future
			parse = parseAgeOrTime
		}
		if params.OlderThan, err = parse(f.olderThan, now); err != nil {
			return usagef("--older-than %w", err)
		}
	}
	if err := params.Validate(); err != nil { // the counts are valid
		return usagef("--newer-than %s and --older-than %s: there is no time between them", f.newerThan, f.olderThan)
	}
	return nil
}

func (f *pruneFlags) checkCounts() error {
	switch {
	case f.hasMaxPerRecord && f.maxPerRecord < 1:
		return usagef("--max-per-record %d: want 1 or more; without the flag any number is kept", f.maxPerRecord)
	case f.keepNewest < 0:
		return usagef("--keep-newest %d: want 0 or more", f.keepNewest)
	case f.hasMaxPerRecord && f.keepNewest > f.maxPerRecord:
		return usagef("--keep-newest %d is more than --max-per-record %d", f.keepNewest, f.maxPerRecord)
	}
	return nil
}

func runPrune(cmd *cobra.Command, dir, pattern string, params daybook.PruneParams) (err error) {
	db, err := openExisting(dir)
	if err != nil {
		return err
	}
	defer closeDB(db, &err)
	started := time.Now()
	deleted, err := db.Prune(cmd.Context(), pattern, params)
	if isUsage(err) { // the pattern is malformed
		return err
	}
	if err != nil {
		return deletionStopped(deleted, err)
	}
	return reportDeleted(cmd, deleted, started)
}

// reportDeleted prints how many values were deleted.
func reportDeleted(cmd *cobra.Command, deleted uint64, started time.Time) error {
	_, err := fmt.Fprintf(cmd.OutOrStdout(), "deleted %s in %s\n",
		counted(deleted, "value"), time.Since(started).Round(time.Millisecond))
	return err
}
