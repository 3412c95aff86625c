// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"fmt"
	"io"
	"math"

	"github.com/dustin/go-humanize"
	"github.com/dustin/go-humanize/english"
	"github.com/spf13/cobra"

	"github.com/daybook-db/daybook"
)

func newStatsCommand(dir *string) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "stats",
		Short: "Say what the directory holds and weighs",
		Long: `Say how many values of how many records the directory holds, and what they weigh:
as raw JSON, in the tree's pages that are in use, and as files on disk.`,
		Example: `  daybook stats
  daybook stats --json --dir /var/lib/gateway/history`,
		Args:              checked(noArguments("")),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return runStats(cmd, *dir, asJSON)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object, with exact numbers")
	return cmd
}

func runStats(cmd *cobra.Command, dir string, asJSON bool) (err error) {
	db, err := openForReading(dir)
	if err != nil {
		return err
	}
	defer closing(db, &err)
	stats, err := db.Stats(cmd.Context())
	if err != nil {
		return err
	}
	if asJSON {
		return json.NewEncoder(cmd.OutOrStdout()).Encode(storedStats(stats))
	}
	return writeStats(cmd.OutOrStdout(), stats)
}

// statsJSON is what stats --json prints: what is stored, not what this process did.
type statsJSON struct {
	Values        uint64 `json:"values"`
	ValueBytes    uint64 `json:"value_bytes"`
	Records       uint64 `json:"records"`
	DiskBytes     int64  `json:"disk_bytes"`
	TreeBytes     int64  `json:"tree_bytes"`
	TreeUsedBytes int64  `json:"tree_used_bytes"`
	LogBytes      int64  `json:"log_bytes"`
	LastSequence  uint64 `json:"last_sequence"`
	Watermark     uint64 `json:"watermark"`
}

func storedStats(s daybook.Stats) statsJSON {
	return statsJSON{
		Values: s.Values, ValueBytes: s.ValueBytes, Records: s.Records,
		DiskBytes: s.DiskBytes, TreeBytes: s.TreeBytes, TreeUsedBytes: s.TreeUsed, LogBytes: s.LogBytes,
		LastSequence: s.LastSequence, Watermark: s.Watermark,
	}
}

func writeStats(out io.Writer, s daybook.Stats) error {
	table := newBlockTable(out, column{title: "WHAT"}, rightColumn("HOW MUCH"), rightColumn("PER VALUE"), column{title: "WHICH IS"})
	for _, row := range [][]string{
		{"records", count(s.Records), "", "names with at least one value"},
		{"values", count(s.Values), "", "in all of them"},
		{"raw JSON", size(s.ValueBytes), perValue(s.ValueBytes, s), "the values alone, without names and times"},
		{"tree, in use", size(s.TreeUsed), perValue(s.TreeUsed, s), ratio(s.TreeUsed, s.ValueBytes) + " the raw JSON, names and times included"},
		{"tree, file", size(s.TreeBytes), "", "with pages that are free for what comes"},
		{"log", size(s.LogBytes), "", "write-ahead log, with segments kept for reuse"},
		{"directory", size(s.DiskBytes), "", "all files, with what is reserved for a full disk"},
	} {
		if err := table.append(row...); err != nil {
			return err
		}
	}
	return table.flush()
}

// count writes a number with thousands separators.
func count[N int | uint64](n N) string {
	return humanize.Comma(int64(min(uint64(n), math.MaxInt64)))
}

// counted writes a number with its noun.
func counted[N int | uint64](n N, noun string) string {
	return count(n) + " " + english.PluralWord(int(n), noun, "")
}

func size[N int64 | uint64](bytes N) string { return humanize.Bytes(uint64(bytes)) }

func perValue[N int64 | uint64](bytes N, s daybook.Stats) string {
	if s.Values == 0 {
		return ""
	}
	return fmt.Sprintf("%.1f B", float64(bytes)/float64(s.Values))
}

// ratio compares two sizes: "35 % of", or "2.5 times".
func ratio(part int64, whole uint64) string {
	share := float64(part) / float64(max(whole, 1))
	if share > 1 {
		return fmt.Sprintf("%.1f times", share)
	}
	return fmt.Sprintf("%.0f %% of", 100*share)
}
