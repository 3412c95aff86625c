// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/engine"
)

func newStatsCommand(dir *string) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "stats",
		Short: "Show how many values there are and how much space they take",
		Long: `Show the number of records and values in the directory, and their size: the values alone
as JSON, the part of the tree (the file daybook.db) that is in use, and the files on disk. The last
line has the identity of the store, and the epoch that its values are stored in.

--json also prints the holds, the files in quarantine, and the counters that a program that keeps
the directory open reads from DB.Stats; here they are those of this command.`,
		Example:           `  daybook stats`,
		Args:              asUsage(noArguments("")),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return runStats(cmd, *dir, asJSON)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object with exact numbers")
	return cmd
}

func runStats(cmd *cobra.Command, dir string, asJSON bool) error {
	return readDaybook(cmd, dir, 4<<10, func(db *engine.DB, out *bufio.Writer) error {
		stats, err := exactStats(cmd.Context(), db)
		if err != nil {
			return err
		}
		if asJSON {
			return json.NewEncoder(out).Encode(stats)
		}
		return writeStats(out, stats)
	})
}

// exactStats returns the numbers of a daybook with the exact number of its records.
func exactStats(ctx context.Context, db *engine.DB) (daybook.Stats, error) {
	stats, err := db.Stats(ctx)
	if err != nil || !stats.RecordsEstimated {
		return stats, err
	}
	stats.Records, stats.RecordsEstimated = 0, false
	for _, err := range db.Records(ctx, "*", daybook.Glob) {
		if err != nil {
			return daybook.Stats{}, err
		}
		stats.Records++
	}
	return stats, nil
}

func sizeOfAll(files []daybook.QuarantinedFile) (bytes int64) {
	for _, file := range files {
		bytes += file.Bytes
	}
	return bytes
}

// idText returns the hexadecimal digits of an identity, or nothing if there is none.
func idText(id [16]byte) string {
	if id == [16]byte{} {
		return ""
	}
	return hex.EncodeToString(id[:])
}

func writeStats(out io.Writer, s daybook.Stats) error {
	table := newBlockTable(out, column{title: "WHAT"}, rightColumn("HOW MUCH"), rightColumn("PER VALUE"),
		column{title: "MEANING"})
	inUse := ratio(s.TreeUsedBytes, s.ValueBytes) + " the raw JSON, with names and times"
	rows := [][]string{
		{"records", count(s.Records), "", "names with at least one value"},
		{"values", count(s.Values), "", "of all records together"},
		{"raw JSON", size(s.ValueBytes), perValue(s.ValueBytes, s.Values), "the values alone, without names and times"},
		{"tree, in use", size(s.TreeUsedBytes), perValue(s.TreeUsedBytes, s.Values), inUse},
		{"tree, file", size(s.TreeBytes), "", "with free pages for new values"},
		{"log", size(s.LogBytes), "", "write-ahead log, with segments kept for reuse"},
		{"directory", size(s.DiskBytes), "", "all files, with the reserve for a full disk"},
	}
	if len(s.Quarantined) > 0 {
		rows = append(rows, []string{"quarantine", size(sizeOfAll(s.Quarantined)), "",
			"damaged files beside these: see daybook quarantine"})
	}
	for _, row := range rows {
		if err := table.append(row...); err != nil {
			return err
		}
	}
	if err := table.flush(); err != nil || s.Store == [16]byte{} {
		return err
	}
	_, err := fmt.Fprintf(out, "\nstore %s, in epoch %s\n", idText(s.Store), idText(s.Epoch))
	return err
}
