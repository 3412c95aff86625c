// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/engine"
	"github.com/daybook-db/daybook/text"
)

// exportFormats are the formats that export writes and import reads.
var exportFormats = []string{"ndjson", "json", "csv", "parquet"}

func newExportCommand(dir *string) *cobra.Command {
	flags := queryFlags{oldestFirst: true, format: choiceFlag{"auto", append([]string{"auto"}, exportFormats...)}}
	cmd := &cobra.Command{
		Use:               "export PATTERN FILE",
		Short:             "Write values into an NDJSON, JSON, CSV or Parquet file",
		Long:              exportHelp,
		Example:           exportExample,
		Args:              asUsage(patternAndFile),
		ValidArgsFunction: completeArguments(cobra.NoFileCompletions, recordNames(dir), anyFile),
		RunE: func(cmd *cobra.Command, args []string) error {
			params, err := flags.params(time.Now())
			if err != nil {
				return err
			}
			format, err := flags.exportFormat(cmd, args[1])
			if err != nil {
				return err
			}
			if args[1] != standard {
				if err := refuseInside(*dir, args[1]); err != nil {
					return err
				}
			}
			return runExport(cmd, *dir, args[0], args[1], params, format)
		},
	}
	flags.addSelection(cmd)
	cmd.Flags().Var(&flags.format, "format", "output format")
	flags.addFlat(cmd)
	return cmd
}

const exportHelp = `Write the values of all records whose name matches PATTERN into FILE, which must
not exist yet; - is standard output. They are sorted by record name, then by
time, the oldest first. "daybook import" reads the file. "daybook help query"
explains PATTERN.

The ending of FILE (.ndjson, .json, .csv, .parquet) or --format says the format:
  ndjson   {"record_name":...,"value":...,"stored_at":...} in each line
  json     one array of these objects
  csv      the columns record_name, stored_at and value, which is JSON
  parquet  the columns record_name (string), stored_at (unsigned 64-bit),
           stored_at_utc (a timestamp, null after the year 9999), value (JSON)
In all of them stored_at is in Unix milliseconds. Only parquet keeps all bytes
of a value: ndjson and json drop white space around it, and turn line breaks in
it into spaces; csv turns \r\n into \n, and refuses a record with \r\n in its
name. With --flat, csv and parquet are for spreadsheets and for programs that
compute, and import does not read them: "daybook help query".

Memory does not grow with the export. FILE appears only when it is complete. An
interrupted export to standard output ends with a whole line, except in parquet;
json then lacks its end. When the reader of a pipe closes it, as head does, the
exit status is 141. An export that was killed leaves .FILE.NUMBER.part, which
the next one to FILE removes after an hour. The umask says who can read FILE.`

const exportExample = `  daybook export "*" history.parquet
  daybook export "sensor.*" week.csv --since -7d
  daybook export "sensor.#" sensors.ndjson --topic
  daybook export "*" yesterday.json --since yesterday --until yesterday
  daybook export "*" - --format ndjson | gzip > history.ndjson.gz`

// patternAndFile checks the arguments of export.
func patternAndFile(_ *cobra.Command, args []string) error {
	if len(args) != 2 {
		return fmt.Errorf("export takes one PATTERN, in quotes, and one FILE, or - , and got %s",
			counted(len(args), "argument"))
	}
	return hasName(args[1])
}

// exportFormat returns the format of a file that is to be written. Standard output is CSV if --flat
// makes columns and nobody asked for a format.
func (f *queryFlags) exportFormat(cmd *cobra.Command, name string) (string, error) {
	if f.flat && name == standard && !cmd.Flags().Changed("format") {
		return f.flattened(cmd, "csv")
	}
	format, err := exportFormat(name, f.format.value)
	if err != nil {
		return "", err
	}
	return f.flattened(cmd, format)
}

// exportFormat returns the format that the flag or the file's name says.
func exportFormat(name, format string) (string, error) {
	if format != "auto" {
		return format, nil
	}
	if strings.EqualFold(filepath.Ext(name), ".json") { // an array, unlike the .json of ingest
		return "json", nil
	}
	if format := text.FormatOfName(name); format != "" {
		return string(format), nil
	}
	return "", usagef("the name %s does not tell the format: want one that ends in .ndjson, .json, .csv or .parquet, "+
		"or --format", name)
}

func runExport(cmd *cobra.Command, dir, pattern, name string, params daybook.QueryParams, format string) error {
	if name == standard {
		err := readDaybook(cmd, dir, 256<<10, func(db *engine.DB, buffered *bufio.Writer) error {
			_, err := exportTo(cmd, db, pattern, params, format, buffered)
			return err
		})
		if isBrokenPipe(err) {
			return cutOffError{err}
		}
		return err
	}
	var found int
	var written int64
	// The file appears when it is complete, so what goes to the output is printed after that.
	err := readDaybook(cmd, dir, 0, func(db *engine.DB, _ *bufio.Writer) (err error) {
		written, err = writeNewFile(name, exportMode, func(w io.Writer) (err error) {
			buffered := bufio.NewWriterSize(w, 256<<10)
			found, err = exportTo(cmd, db, pattern, params, format, buffered)
			if flushErr := buffered.Flush(); err == nil {
				err = flushErr
			}
			return err
		})
		return err
	})
	if err != nil {
		return err
	}
	if found == 0 {
		noteNothingFound(cmd.ErrOrStderr(), pattern, params)
	}
	_, err = fmt.Fprintf(cmd.OutOrStdout(), "exported %s, %s\n", counted(found, "value"), size(written))
	return err
}

// exportTo writes the result of a query and shows its progress in bytes of JSON. It writes the
// values before an error, in whole lines; a Parquet file cannot be read then.
func exportTo(
	cmd *cobra.Command, db *engine.DB, pattern string, params daybook.QueryParams, format string, w io.Writer,
) (found int, err error) {
	bar := newByteBar(cmd.ErrOrStderr(), "exporting", matchingBytes(cmd.Context(), db, pattern, params))
	defer bar.clear()
	out, err := newScanWriter(cmd.Context(), db, pattern, params, format, w, 0)
	if err != nil {
		return 0, err
	}
	for value, err := range db.Scan(cmd.Context(), pattern, params) {
		if err == nil && format == "csv" && strings.Contains(value.RecordName, "\r\n") {
			err = fmt.Errorf("record %q: csv would turn the \\r\\n in its name into \\n: export to ndjson or parquet",
				value.RecordName)
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

// matchingBytes returns the bytes of JSON in the matching records, or -1 if that is not known:
// because the query selects by time, or because a record cannot be read. The export itself then
// reports the record.
func matchingBytes(
	ctx context.Context, db daybook.RecordLister, pattern string, params daybook.QueryParams,
) (total int64) {
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
