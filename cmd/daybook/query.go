// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/text"
)

// queryFlags are the flags of query.
type queryFlags struct {
	limit        int
	since, until string
	topic        bool
	oldestFirst  bool
	format       choiceFlag
}

func newQueryCommand(dir *string) *cobra.Command {
	flags := queryFlags{format: choiceFlag{"table", []string{"table", "ndjson", "csv"}}}
	cmd := &cobra.Command{
		Use:   "query PATTERN",
		Short: "Print the values of the records that a pattern matches",
		Long: `Print the values of the records that PATTERN matches, by record name, then time.

PATTERN is a glob: * is any run of characters (dots too), ? one character, \ takes the
next one literally. With --topic it is split at dots: * is exactly one segment, # is any
number of them. Put patterns in quotes, so that the shell leaves them alone.

The formats are
  table    for people: local time, long values are shortened
  ndjson   {"record_name":...,"value":...,"stored_at":...} per line, values byte for byte
           (line breaks in a value become spaces): "daybook ingest" reads it back
  csv      record_name,stored_at,value with stored_at in Unix milliseconds

Results are streamed: memory does not grow with them.`,
		Example: `  daybook query "host.cpu.*" --limit 1            # the newest value of each
  daybook query host.memory --since -1h --oldest-first
  daybook query "#" --topic --until 2026-11-23T06:00:00Z --format ndjson > history.ndjson
  daybook query "sensor.*" --since -7d --format csv > week.csv`,
		Args:              checked(onePattern),
		ValidArgsFunction: after(cobra.NoFileCompletions, recordNames(dir)),
		RunE: func(cmd *cobra.Command, args []string) error {
			params, err := flags.params(time.Now())
			if err != nil {
				return err
			}
			return runQuery(cmd, *dir, args[0], params, flags.format.value)
		},
	}
	cmd.Flags().IntVar(&flags.limit, "limit", 0, "at most this many values of each record (0: all)")
	cmd.Flags().StringVar(&flags.since, "since", "", "only values stored at this `time` or later")
	cmd.Flags().StringVar(&flags.until, "until", "", "only values stored at this `time` or earlier")
	cmd.Flags().BoolVar(&flags.topic, "topic", false, "read PATTERN as a topic (* one segment, # any number)")
	cmd.Flags().BoolVar(&flags.oldestFirst, "oldest-first", false, "oldest values first; --limit then takes the oldest")
	cmd.Flags().Var(&flags.format, "format", "output format")
	return cmd
}

// params turns the flags into query parameters.
func (f queryFlags) params(now time.Time) (daybook.QueryParams, error) {
	params := daybook.QueryParams{LimitPerRecord: f.limit, Syntax: syntaxOf(f.topic)}
	if f.limit < 0 {
		return params, usagef("--limit %d: want 0 (all) or more", f.limit)
	}
	if f.oldestFirst {
		params.Order = daybook.OldestFirst
	}
	var err error
	if params.StartTime, err = timeFlag("--since", f.since, now); err != nil {
		return params, err
	}
	params.EndTime, err = timeFlag("--until", f.until, now)
	return params, err
}

// timeFlag is nil for a flag that was not given.
func timeFlag(name, text string, now time.Time) (*uint64, error) {
	if text == "" {
		return nil, nil
	}
	ms, err := parseTime(text, now)
	if err != nil {
		return nil, usagef("%s %w", name, err)
	}
	return &ms, nil
}

func syntaxOf(topic bool) daybook.PatternSyntax {
	if topic {
		return daybook.Topic
	}
	return daybook.Glob
}

func runQuery(cmd *cobra.Command, dir, pattern string, params daybook.QueryParams, format string) (err error) {
	db, err := openForReading(dir)
	if err != nil {
		return err
	}
	defer closing(db, &err)
	buffered := bufio.NewWriterSize(cmd.OutOrStdout(), 64<<10)
	out := newValueWriter(format, buffered, terminalWidth(cmd.OutOrStdout(), pipedWidth))
	found, err := writeValues(cmd.Context(), out, db, pattern, params)
	if flushErr := buffered.Flush(); err == nil {
		err = flushErr
	}
	if err == nil && found == 0 && format == "table" {
		noteNothing(cmd.ErrOrStderr(), pattern, params)
	}
	return err
}

// writeValues streams a query to out and counts its values. What came before an error is written.
func writeValues(ctx context.Context, out text.ValueWriter, db daybook.Scanner, pattern string, params daybook.QueryParams) (found int, err error) {
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

// noteNothing tells a person, beside the empty output, that the query itself was fine.
func noteNothing(errOut io.Writer, pattern string, params daybook.QueryParams) {
	when := ""
	if params.StartTime != nil || params.EndTime != nil {
		when = " in that time"
	}
	fmt.Fprintf(errOut, "no values of records that match the %v %q%s\n", params.Syntax, pattern, when)
}
