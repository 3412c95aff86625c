// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/engine"
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
and stored_at is in Unix milliseconds. Values stay as they are byte for byte, but that line
breaks between tokens become spaces in ndjson, and csv loses the carriage return of one that
is two characters. Results are streamed: memory does not grow with them.`,
		Example: `  daybook export "*" history.parquet
  daybook export "sensor.*" week.csv --since -7d
  daybook export "*" - --format ndjson | gzip > history.ndjson.gz`,
		Args: checked(func(cmd *cobra.Command, args []string) error {
			if len(args) != 2 {
				return fmt.Errorf("export takes one PATTERN, in quotes, and one FILE, or - , and got %d arguments", len(args))
			}
			return nil
		}),
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
	switch strings.ToLower(filepath.Ext(name)) {
	case ".parquet":
		return "parquet", nil
	default:
		format = formatOf(name, format)
	}
	if format == "auto" {
		return "", usagef("%s does not say its format: want a name that ends in .ndjson, .csv or .parquet, or --format", name)
	}
	return format, nil
}

func runExport(cmd *cobra.Command, dir, pattern, name string, params daybook.QueryParams, format string) (err error) {
	db, err := openForReading(dir)
	if err != nil {
		return err
	}
	defer closing(db, &err)
	export := func(w io.Writer) (found int, err error) {
		return exportTo(cmd, db, pattern, params, newTransferWriter(format, w))
	}
	if name == standard {
		_, err := export(cmd.OutOrStdout())
		return err
	}
	var found int
	written, err := writeWhole(name, func(w io.Writer) (err error) {
		buffered := bufio.NewWriterSize(w, 256<<10)
		found, err = export(buffered)
		return errors.Join(err, buffered.Flush())
	})
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(cmd.OutOrStdout(), "exported %s, %s\n", counted(found, "value"), size(written))
	return err
}

// exportTo writes what a query finds, with a bar of the bytes of JSON.
func exportTo(cmd *cobra.Command, db *engine.DB, pattern string, params daybook.QueryParams, out valueWriter) (int, error) {
	total, err := matchingBytes(cmd.Context(), db, pattern, params)
	if err != nil {
		return 0, err
	}
	bar := newByteBar(cmd.ErrOrStderr(), "exporting", total)
	defer bar.clear()
	return writeValues(cmd.Context(), &showingWriter{out, bar}, db, pattern, params)
}

// matchingBytes is how much JSON the matching records have; -1 where only a part of that is asked for.
func matchingBytes(ctx context.Context, db *engine.DB, pattern string, params daybook.QueryParams) (total int64, err error) {
	for record, err := range db.Records(ctx, pattern, params.Syntax) {
		if err != nil {
			return 0, err
		}
		total += int64(record.Bytes)
	}
	if params.StartTime != nil || params.EndTime != nil {
		total = -1
	}
	return total, nil
}

// showingWriter shows the values that are written.
type showingWriter struct {
	valueWriter
	bar *byteBar
}

func (w *showingWriter) write(v daybook.StoredValue) error {
	w.bar.add(len(v.Value))
	return w.valueWriter.write(v)
}

func newTransferWriter(format string, out io.Writer) valueWriter {
	if format == "parquet" {
		return newParquetWriter(out)
	}
	return newValueWriter(format, out, 0)
}
