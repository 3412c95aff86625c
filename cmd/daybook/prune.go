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
	olderThan            string
	maxBytes             string
	maxPerRecord, newest int
	isLimited            bool // maxPerRecord was given
	except               []string
	topic                bool
}

func newPruneCommand(dir *string) *cobra.Command {
	var flags pruneFlags
	cmd := &cobra.Command{
		Use:   "prune PATTERN",
		Short: "Delete from some records by age, count or size, and say exactly how many values",
		Long: `Delete values of the records that PATTERN matches, and say exactly how many those were:
  --older-than      those stored before a time, or older than an age
  --max-per-record  all but the newest few of each record
  --max-bytes       the oldest of all of them together, until so much JSON is left
  --keep-newest     spares so many of each record from --older-than and --max-bytes
There is no undo. PATTERN is what it is for query.`,
		Example: `  daybook prune "debug.*" --older-than 1d
  daybook prune "*" --max-per-record 1000 --except "alarm.*"
  daybook prune "*" --max-bytes 500MB --keep-newest 1`,
		Args:              checked(onePattern),
		ValidArgsFunction: after(cobra.NoFileCompletions, recordNames(dir)),
		RunE: func(cmd *cobra.Command, args []string) error {
			flags.isLimited = cmd.Flags().Changed("max-per-record")
			params, err := flags.params(time.Now())
			if err != nil {
				return err
			}
			return runPrune(cmd, *dir, args[0], params)
		},
	}
	cmd.Flags().StringVar(&flags.olderThan, "older-than", "", "delete values stored before this `age or time`")
	cmd.Flags().IntVar(&flags.maxPerRecord, "max-per-record", 0, "delete all but so many of each record")
	cmd.Flags().StringVar(&flags.maxBytes, "max-bytes", "", "delete the oldest until JSON of this `size` is left, as in 500MB")
	cmd.Flags().IntVar(&flags.newest, "keep-newest", 0, "spare so many of each record, however old")
	cmd.Flags().StringArrayVar(&flags.except, "except", nil, "spare the records that this `pattern` matches; may be given again")
	cmd.Flags().BoolVar(&flags.topic, "topic", false, "read the patterns as topics (* one segment, # any number)")
	return cmd
}

func (f pruneFlags) params(now time.Time) (params daybook.PruneParams, err error) {
	params = daybook.PruneParams{Syntax: syntaxOf(f.topic), MaxPerRecord: f.maxPerRecord, KeepNewest: f.newest}
	if f.isLimited && f.maxPerRecord < 1 {
		return params, usagef("--max-per-record %d: want 1 or more, or none for any number", f.maxPerRecord)
	}
	if f.newest < 0 {
		return params, usagef("--keep-newest %d: want 0 or more", f.newest)
	}
	if f.isLimited && f.newest > f.maxPerRecord {
		return params, usagef("--keep-newest %d is more than --max-per-record %d", f.newest, f.maxPerRecord)
	}
	if f.olderThan == "" && !f.isLimited && f.maxBytes == "" {
		return params, usagef("prune needs --older-than, --max-per-record or --max-bytes")
	}
	if f.olderThan != "" {
		if params.OlderThan, err = parseCutoff(f.olderThan, now); err != nil {
			return params, usagef("--older-than %w", err)
		}
	}
	if f.maxBytes != "" {
		if params.MaxBytes, err = retention.ParseSize(f.maxBytes); err != nil {
			return params, usagef("--max-bytes %w", err)
		}
	}
	for _, text := range f.except {
		if _, err := index.Compile(text, params.Syntax); err != nil {
			return params, usagef("--except: %w", err)
		}
		params.Except = append(params.Except, daybook.Pattern{Text: text, Syntax: params.Syntax})
	}
	return params, nil
}

func runPrune(cmd *cobra.Command, dir, pattern string, params daybook.PruneParams) (err error) {
	db, err := openExisting(dir)
	if err != nil {
		return err
	}
	defer closing(db, &err)
	started := time.Now()
	deleted, err := db.Prune(cmd.Context(), pattern, params)
	if isUsage(err) { // a pattern
		return err
	}
	if err != nil {
		return stoppedAfter(deleted, err)
	}
	_, err = fmt.Fprintf(cmd.OutOrStdout(), "deleted %s in %s\n", counted(deleted, "value"), time.Since(started).Round(time.Millisecond))
	return err
}
