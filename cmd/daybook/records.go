// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"github.com/daybook-db/daybook"
)

func newRecordsCommand(dir *string) *cobra.Command {
	var topic, asJSON bool
	cmd := &cobra.Command{
		Use:   "records [PATTERN]",
		Short: "List records: values, bytes, oldest, newest",
		Long: `List the records that PATTERN matches, or all of them, by name: how many values each has,
the bytes of their JSON, and the times of the oldest and the newest.`,
		Example: `  daybook records
  daybook records "host.cpu.*"
  daybook records "sensors.#" --topic --json`,
		Args: checked(cobra.MaximumNArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			return runRecords(cmd, *dir, recordsPattern(args, topic), syntaxOf(topic), asJSON)
		},
	}
	cmd.Flags().BoolVar(&topic, "topic", false, "read PATTERN as a topic (* one segment, # any number)")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object per line, with times in Unix milliseconds")
	return cmd
}

// recordsPattern is the argument, or the pattern that matches every record.
func recordsPattern(args []string, topic bool) string {
	switch {
	case len(args) > 0:
		return args[0]
	case topic:
		return "#"
	}
	return "*"
}

func runRecords(cmd *cobra.Command, dir, pattern string, syntax daybook.PatternSyntax, asJSON bool) (err error) {
	db, err := openForReading(dir)
	if err != nil {
		return err
	}
	defer closing(db, &err)
	out := bufio.NewWriter(cmd.OutOrStdout())
	write, flush := recordTable(out)
	if asJSON {
		write, flush = recordLines(out)
	}
	found := 0
	for record, err := range db.Records(cmd.Context(), pattern, syntax) {
		if err == nil {
			err = write(record)
		}
		if err != nil {
			return err
		}
		found++
	}
	if found == 0 && !asJSON {
		fmt.Fprintf(cmd.ErrOrStderr(), "no records that match the %v %q\n", syntax, pattern)
	}
	if err := flush(); err != nil {
		return err
	}
	return out.Flush()
}

// recordTable prints records for people.
func recordTable(out io.Writer) (write func(daybook.RecordInfo) error, flush func() error) {
	table := newBlockTable(out, column{title: "RECORD"}, rightColumn("VALUES"),
		rightColumn("BYTES"), column{title: "OLDEST"}, column{title: "NEWEST"})
	return func(r daybook.RecordInfo) error {
		return table.append(printable(r.RecordName), count(r.Count), humanize.Bytes(r.Bytes),
			formatTime(r.Oldest), formatTime(r.Newest))
	}, table.flush
}

// recordLines prints records for programs.
func recordLines(out io.Writer) (write func(daybook.RecordInfo) error, flush func() error) {
	lines := json.NewEncoder(out)
	return func(r daybook.RecordInfo) error { return lines.Encode(r) }, func() error { return nil }
}
