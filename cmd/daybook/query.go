// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/engine"
	"github.com/daybook-db/daybook/text"
)

// queryFlags are the flags of query. Export has some of them.
type queryFlags struct {
	limit        int
	since, until string
	topic        bool
	oldestFirst  bool
	flat         bool
	format       choiceFlag
}

func newQueryCommand(dir *string) *cobra.Command {
	flags := queryFlags{format: choiceFlag{"table", []string{"table", "ndjson", "json", "csv", "parquet"}}}
	cmd := &cobra.Command{
		Use:   "query PATTERN",
		Short: "Print the values of records",
		Long: `Print the values of all records whose name matches PATTERN, sorted by record
name, then by time, the newest first. The time of a value, under STORED AT and
for --since and --until, is the timestamp that it was given when it was stored.
It may differ from the clock's time.

PATTERN is a glob: * matches any characters, dots too, ? matches one character,
and \ takes the next one literally. With --topic it is a topic: PATTERN and name
are split at dots, * matches one level, and # any number of levels. Put a
pattern in quotes, so that the shell does not replace it by file names.

The formats are
  table    for people: times are local, and long values are shortened
  ndjson   {"record_name":...,"value":...,"stored_at":...} in each line; a value
           has its bytes, except that line breaks in it become spaces
  json     one array of these objects
  csv      the columns record_name, stored_at and value, which is JSON
  parquet  the file that export writes, for a pipe or a file
With --flat, csv and parquet have a column for each member, such as motor.rpm,
and one called value for what is no object. In csv times are RFC 3339 in UTC,
null is an empty cell, and an array is JSON. In parquet stored_at is a
timestamp, and a column is a boolean, a 64-bit integer, a double or a string.
Cells of several types are JSON text, and so are numbers that would change.
The values are read twice: a member that is stored meanwhile is an error.
Otherwise, except in the table, stored_at is in Unix milliseconds.`,
		Example: `  daybook query "host.cpu.*" --limit 1
  daybook query host.memory --since -1h --oldest-first
  daybook query "host.*" --since yesterday --until yesterday
  daybook query host.memory --format csv > memory.csv
  daybook query "#" --topic --until 2026-11-23 --format ndjson > old.ndjson`,
		Args:              asUsage(onePattern),
		ValidArgsFunction: completeArguments(cobra.NoFileCompletions, recordNames(dir)),
		RunE: func(cmd *cobra.Command, args []string) error {
			params, err := flags.params(time.Now())
			if err != nil {
				return err
			}
			format, err := flags.flattened(cmd, flags.format.value)
			if err != nil {
				return err
			}
			return runQuery(cmd, *dir, args[0], params, format)
		},
	}
	cmd.Flags().IntVar(&flags.limit, "limit", 0, "print at most `N` values of each record (0: all)")
	flags.addSelection(cmd)
	cmd.Flags().BoolVar(&flags.oldestFirst, "oldest-first", false,
		"print the oldest values first; --limit then takes the oldest")
	cmd.Flags().Var(&flags.format, "format", "output format")
	flags.addFlat(cmd)
	return cmd
}

// addSelection adds the flags that select values by time and read the pattern.
func (f *queryFlags) addSelection(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.since, "since", "", "values from this `time` on, such as yesterday")
	cmd.Flags().StringVar(&f.until, "until", "", "values up to this `time`; a day means all of it")
	cmd.Flags().BoolVar(&f.topic, "topic", false, topicUsage)
}

// params returns the query that the flags ask for.
func (f *queryFlags) params(now time.Time) (daybook.QueryParams, error) {
	params := daybook.QueryParams{LimitPerRecord: f.limit, Syntax: syntaxOf(f.topic)}
	if f.limit < 0 {
		return params, usagef("--limit %d: want 0 (all) or more", f.limit)
	}
	if f.oldestFirst {
		params.Order = daybook.OldestFirst
	}
	var err error
	if params.StartTime, err = timeFlag("--since", f.since, now, parseTime); err != nil {
		return params, err
	}
	params.EndTime, err = timeFlag("--until", f.until, now, parseEnd)
	return params, err
}

func runQuery(cmd *cobra.Command, dir, pattern string, params daybook.QueryParams, format string) error {
	if strings.HasPrefix(format, "parquet") && isTerminal(cmd.OutOrStdout()) {
		return usagef("Parquet is no text for a terminal: redirect it into a file, or use \"daybook export\"")
	}
	found := 0
	width := terminalWidth(cmd.OutOrStdout(), pipedWidth)
	err := readDaybook(cmd, dir, 64<<10, func(db *engine.DB, buffered *bufio.Writer) error {
		out, err := newScanWriter(cmd.Context(), db, pattern, params, format, buffered, width)
		if err == nil {
			found, err = writeValues(cmd.Context(), out, db, pattern, params)
		}
		return err
	})
	if err == nil && found == 0 && format == "table" {
		noteNothingFound(cmd.ErrOrStderr(), pattern, params)
	}
	return err
}

// writeValues writes the result of a query to out and counts its values. It writes the values
// before an error.
func writeValues(
	ctx context.Context, out text.ValueWriter, db daybook.Scanner, pattern string, params daybook.QueryParams,
) (found int, err error) {
	for value, err := range db.Scan(ctx, pattern, params) {
		if err == nil {
			err = out.Write(value)
		}
		if err != nil {
			_ = out.Flush() // the first error is the one to report
			return found, err
		}
		found++
	}
	return found, out.Close()
}

// noteNothingFound tells a person who sees no output that the command worked.
func noteNothingFound(errOut io.Writer, pattern string, params daybook.QueryParams) {
	when := ""
	if params.StartTime != nil || params.EndTime != nil {
		when = " in that time"
	}
	fmt.Fprintf(errOut, "no values of records that match the %v %q%s\n", params.Syntax, pattern, when)
}
