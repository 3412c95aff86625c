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

// transferFormats are those that export writes and import reads.
var transferFormats = []string{"ndjson", "csv", "parquet"}

func newExportCommand(dir *string) *cobra.Command {
	flags := queryFlags{oldestFirst: true, format: choiceFlag{"auto", append([]string{"auto"}, transferFormats...)}}
	cmd := &cobra.Command{
		Use:   "export PATTERN FILE",
		Short: "Write values into an NDJSON, CSV or Parquet file, which import reads",
		Long: `Write the values of the records that PATTERN matches into FILE, which must not be there
yet, or with - to standard output: by record name, then time, the oldest first. PATTERN is
what it is for query.

The formats are, by the end of FILE's name (.ndjson, .csv, .parquet) or by --format,
  ndjson   {"record_name":...,"value":...,"stored_at":...} per line
  csv      record_name,stored_at,value with the value's JSON in one cell
  parquet  columns record_name (string), stored_at (unsigned 64-bit), value (JSON), zstd
and stored_at is in Unix milliseconds. With parquet all comes back as it is, byte for byte.
ndjson loses white space around a value, and makes spaces of line breaks within; csv makes
one character of a line break of two, and refuses a record whose name has one. Results are
streamed: memory does not grow with them. FILE is there only when all of it is written; on
standard output an export that stops early ends with a whole line, but for parquet. What an
export that was killed leaves beside FILE, .FILE.NUMBER.part, the next one to FILE removes
when nobody has written to it for an hour.`,
		Example: `  daybook export "*" history.parquet
  daybook export "sensor.*" week.csv --since -7d
  daybook export "*" - --format ndjson | gzip > history.ndjson.gz
  gunzip < history.ndjson.gz | daybook import - --format ndjson --dir ./copy`,
		Args: checked(func(cmd *cobra.Command, args []string) error {
			if len(args) != 2 {
				return fmt.Errorf("export takes one PATTERN, in quotes, and one FILE, or - , and got %s", counted(len(args), "argument"))
			}
			return namedFile(args[1])
		}),
		ValidArgsFunction: after(cobra.NoFileCompletions, recordNames(dir), anyFile),
		RunE: func(cmd *cobra.Command, args []string) error {
			params, err := flags.params(time.Now())
			if err != nil {
				return err
			}
			format, err := transferFormat(args[1], flags.format.value)
			if err != nil {
				return err
			}
			return runExport(cmd, *dir, args[0], args[1], params, format)
		},
	}
	cmd.Flags().StringVar(&flags.since, "since", "", "only values stored at this `time` or later")
	cmd.Flags().StringVar(&flags.until, "until", "", "only values stored at this `time` or earlier")
	cmd.Flags().BoolVar(&flags.topic, "topic", false, "read PATTERN as a topic (* one segment, # any number)")
	cmd.Flags().Var(&flags.format, "format", "output format")
	return cmd
}

// transferFormat is the format as the flag or the file's name says.
func transferFormat(name, format string) (string, error) {
	if format != "auto" {
		return format, nil
	}
	if format := text.FormatOfName(name); format != "" {
		return string(format), nil
	}
	return "", usagef("%s does not say its format: want a name that ends in .ndjson, .csv or .parquet, or --format", name)
}

func runExport(cmd *cobra.Command, dir, pattern, name string, params daybook.QueryParams, format string) (err error) {
	db, err := openForReading(dir)
	if err != nil {
		return err
	}
	defer closing(db, &err)
	export := func(w io.Writer) (found int, err error) {
		buffered := bufio.NewWriterSize(w, 256<<10)
		found, err = exportTo(cmd, db, pattern, params, format, buffered)
		if flushErr := buffered.Flush(); err == nil {
			err = flushErr
		}
		return found, err
	}
	if name == standard {
		_, err := export(cmd.OutOrStdout())
		return wanted("export", err)
	}
	var found int
	written, err := writeWhole(name, func(w io.Writer) (err error) {
		found, err = export(w)
		return err
	})
	if err != nil {
		return err
	}
	if found == 0 {
		noteNothing(cmd.ErrOrStderr(), pattern, params)
	}
	_, err = fmt.Fprintf(cmd.OutOrStdout(), "exported %s, %s\n", counted(found, "value"), size(written))
	return err
}

// exportTo writes what a query finds, with a bar of the bytes of JSON. What came before an error is written, in whole lines;
// Parquet, which has an end, gets that only after all of it.
func exportTo(cmd *cobra.Command, db *engine.DB, pattern string, params daybook.QueryParams, format string, w io.Writer) (found int, err error) {
	bar := newByteBar(cmd.ErrOrStderr(), "exporting", matchingBytes(cmd.Context(), db, pattern, params))
	defer bar.clear()
	out := newValueWriter(format, w, 0)
	for value, err := range db.Scan(cmd.Context(), pattern, params) {
		if err == nil && format == "csv" && strings.Contains(value.RecordName, "\r\n") {
			err = fmt.Errorf("record %q: csv makes one character of the line break in its name: export to ndjson or parquet", value.RecordName)
		}
		if err == nil {
			err = out.Write(value)
		}
		if err != nil {
			_ = out.Flush() // the first error is the one to report
			return found, err
		}
		bar.add(len(value.Value))
		found++
	}
	return found, out.Close()
}

// matchingBytes is how much JSON the matching records have; -1 where only a part of that is asked for, or some record cannot
// be read, which the export itself finds when it has written those before it.
func matchingBytes(ctx context.Context, db *engine.DB, pattern string, params daybook.QueryParams) (total int64) {
	if params.StartTime != nil || params.EndTime != nil {
		return -1
	}
	for record, err := range db.Records(ctx, pattern, params.Syntax) {
		if err != nil {
			return -1
		}
		total += int64(record.Bytes)
	}
	return total
}
