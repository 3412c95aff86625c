// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"iter"

	"github.com/spf13/cobra"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/engine"
)

func newRecordsCommand(dir *string) *cobra.Command {
	var topic, asJSON bool
	cmd := &cobra.Command{
		Use:   "records [PATTERN]",
		Short: "List records with their number of values, bytes and times",
		Long: `List the records whose name matches PATTERN, or all records, sorted by name. For each record
it shows the number of values, the bytes of their JSON, and the times of the oldest and the
newest value. "daybook help query" explains PATTERN.`,
		Example: `  daybook records
  daybook records "host.#" --topic --json`,
		Args:              asUsage(atMostOnePattern),
		ValidArgsFunction: completeArguments(cobra.NoFileCompletions, recordNames(dir)),
		RunE: func(cmd *cobra.Command, args []string) error {
			return runRecords(cmd, *dir, recordsPattern(args, topic), syntaxOf(topic), asJSON)
		},
	}
	cmd.Flags().BoolVar(&topic, "topic", false, topicUsage)
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object per line, with times in Unix milliseconds")
	return cmd
}

// recordsPattern returns the argument, or the pattern that matches every record.
func recordsPattern(args []string, topic bool) string {
	switch {
	case len(args) > 0:
		return args[0]
	case topic:
		return "#"
	}
	return "*"
}

func runRecords(cmd *cobra.Command, dir, pattern string, syntax daybook.PatternSyntax, asJSON bool) error {
	found := 0
	err := readDaybook(cmd, dir, 4<<10, func(db *engine.DB, buffered *bufio.Writer) (err error) {
		out := newRecordTable(buffered)
		if asJSON {
			out = newRecordLines(buffered)
		}
		found, err = writeRecords(out, db.Records(cmd.Context(), pattern, syntax))
		return err
	})
	if err == nil && found == 0 && !asJSON {
		fmt.Fprintf(cmd.ErrOrStderr(), "no records that match the %v %q\n", syntax, pattern)
	}
	return err
}

// writeRecords writes records to out and counts them. It writes the records before an error.
func writeRecords(out recordWriter, records iter.Seq2[daybook.RecordInfo, error]) (found int, err error) {
	for record, err := range records {
		if err == nil {
			err = out.write(record)
		}
		if err != nil {
			_ = out.flush() // the first error is the one to report
			return found, err
		}
		found++
	}
	return found, out.flush()
}

// recordWriter prints records in one format.
type recordWriter struct {
	write func(daybook.RecordInfo) error
	flush func() error
}

// newRecordTable prints records for people.
func newRecordTable(out io.Writer) recordWriter {
	table := newBlockTable(out, column{title: "RECORD"}, rightColumn("VALUES"),
		rightColumn("BYTES"), column{title: "OLDEST"}, column{title: "NEWEST"})
	write := func(r daybook.RecordInfo) error {
		return table.append(printable(r.RecordName), count(r.Count), size(r.Bytes),
			formatTime(r.Oldest), formatTime(r.Newest))
	}
	return recordWriter{write, table.flush}
}

// newRecordLines prints records for programs.
func newRecordLines(out io.Writer) recordWriter {
	lines := json.NewEncoder(out)
	return recordWriter{func(r daybook.RecordInfo) error { return lines.Encode(r) }, func() error { return nil }}
}
