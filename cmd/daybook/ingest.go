// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/text"
)

func newIngestCommand(dir *string) *cobra.Command {
	flags := ingestFlags{
		format:   choiceFlag{"auto", []string{"auto", "ndjson", "csv"}},
		timeUnit: choiceFlag{choices: []string{"s", "ms", "us", "ns"}},
	}
	cmd := &cobra.Command{
		Use:   "ingest [FILE...]",
		Short: "Store values from NDJSON or CSV",
		Long: `Store the values of files; - or no file is standard input. The directory is created if it
does not exist. A file that is ingested twice is stored twice.

NDJSON has one JSON object per line, in one of two forms:
  {"record_name":"sensor.kitchen","value":{"celsius":21.5},"stored_at":1764000000000}
  {"topic":"sensor.kitchen","payload":{"celsius":21.5},"ts":1764000000000}
Each of these members occurs once; other members are ignored. The value is stored byte for
byte. A line has at most 17 MiB, and empty lines are ignored.

CSV has a header line, and needs --record and --time-column. Each row becomes one JSON object
with the names of the header, without the time column. A cell that is true, false or a number
is stored as it is, a cell that is empty, NaN, null or N/A is left out, and any other cell
becomes a string, also a number with an exponent and a whole number of more than 15 digits. A
column without a name is called column_1, column_2 and so on, after its place.

A time is RFC 3339 or a number. In stored_at a number is Unix milliseconds. In ts and in CSV
its digits before any fraction say what it counts since 1970: 10 are seconds, 13 are
milliseconds, 16 microseconds and 19 nanoseconds. A number with other digits is an error
unless --time-unit says its unit. What is below a millisecond is cut off. A time in ts or CSV
before 1980, or more than a day after now, is an error unless --any-time allows it.

With --format auto the ending of the name decides: .csv, .ndjson, .jsonl or .json. For other
names the first character decides: { is NDJSON, any other is CSV.

Values are stored in batches: a batch is stored completely or not at all. Before ingest waits
for more input, it stores the values that it has. A bad line ends the command, which then
prints how many values were stored before it. With --skip-bad, bad lines are reported, counted
and skipped, and the command fails only if it stored nothing. If the disk becomes full when
all values are in the log but not all in the tree, ingest prints a warning and succeeds.`,
		Example: `  daybook ingest readings.ndjson
  daybook ingest --record weather.vienna --time-column time vienna.csv
  echo '{"topic":"home.door","payload":"open"}' | daybook ingest --now`,
		RunE: func(cmd *cobra.Command, args []string) error {
			return runIngest(cmd, *dir, args, flags)
		},
	}
	cmd.Flags().Var(&flags.format, "format", "input format")
	cmd.Flags().StringVar(&flags.record, "record", "", "CSV: the `name` of the record that the rows belong to")
	cmd.Flags().StringVar(&flags.timeColumn, "time-column", "", "CSV: the `name` of the column that holds the time")
	cmd.Flags().Var(&flags.timeUnit, "time-unit", "what numbers in ts or CSV count that are times")
	cmd.Flags().BoolVar(&flags.anyTime, "any-time", false, "allow times before 1980 and after tomorrow in ts or CSV")
	cmd.Flags().BoolVar(&flags.stampNow, "now", false, "stamp values that have no time with the clock")
	cmd.Flags().BoolVar(&flags.skipBad, "skip-bad", false, "report, count and skip bad lines instead of stopping")
	return cmd
}

func runIngest(cmd *cobra.Command, dir string, names []string, flags ingestFlags) (err error) {
	inputs, total, err := findInputs(names)
	if err != nil {
		return err
	}
	i := &ingestion{
		loader: loader{notes: cmd.ErrOrStderr(), skipBad: flags.skipBad},
		flags:  flags,
		stdin:  cmd.InOrStdin(),
	}
	if total >= 0 || !isTerminal(i.stdin) { // a bar would overwrite what a person types
		i.bar = newByteBar(cmd.ErrOrStderr(), "ingesting", total)
	} else {
		fmt.Fprintln(i.notes, "reading lines from this terminal; an end of file (Ctrl-D, on Windows Ctrl-Z) ends them")
	}
	if !flags.anyTime {
		noteUnsetClock(i.notes, daybook.Now())
	}
	started := time.Now()
	defer closeAll(inputs)
	if err := i.examine(cmd.Context(), inputs); err != nil {
		return err
	}
	db, err := openForWriting(dir)
	if err != nil {
		return err
	}
	defer closeAfterStoring(db, cmd.ErrOrStderr(), &err)
	i.db = db
	if err := i.run(cmd.Context(), inputs); err != nil {
		return i.stoppedBy(err)
	}
	return i.summarize(cmd.OutOrStdout(), inputs, time.Since(started))
}

// noteUnsetClock says that a clock before 1980 bounds no times.
func noteUnsetClock(notes io.Writer, now uint64) {
	if now < text.MinPlausible {
		fmt.Fprintln(notes, "the clock of this machine is before 1980, so that times in the future are not noticed")
	}
}

// ingestion is one run of ingest.
type ingestion struct {
	loader
	flags ingestFlags
	stdin io.Reader
}

// examine finds the formats of the inputs and whether the flags fit them, before a directory is
// created. A live input after the first one is examined when its turn comes, so that the values of
// the inputs before it do not wait for its sender.
func (i *ingestion) examine(ctx context.Context, inputs []input) error {
	defer i.bar.clear()
	for n := range inputs {
		in := &inputs[n]
		in.format = i.flags.formatOf(in.name)
		if err := i.flags.check(in); err != nil {
			return err
		}
	}
	for n := range inputs {
		if in := &inputs[n]; in.format == "" && (n == 0 || !in.live) {
			if err := i.detectFormat(ctx, in); err != nil {
				return err
			}
		}
	}
	return nil
}

// detectFormat opens an input to find its format. A live input stays open, because its beginning
// cannot be read a second time.
func (i *ingestion) detectFormat(ctx context.Context, in *input) error {
	bar := i.bar
	if !in.live {
		bar = nil // it would count the same bytes again when the input is read
	}
	if err := in.open(ctx, i.stdin, bar, i.beforeWait(ctx)); err != nil {
		return err
	}
	if err := i.flags.check(in); err != nil || in.live {
		return err
	}
	return in.close()
}

func closeAll(inputs []input) {
	for n := range inputs {
		_ = inputs[n].close() // they were only read
	}
}

// run reads all inputs and stores their values. It stores the values before an error.
func (i *ingestion) run(ctx context.Context, inputs []input) error {
	defer i.bar.clear()
	for n := range inputs {
		if err := i.runInput(ctx, &inputs[n]); err != nil {
			return bothErrors(err, i.store(ctx))
		}
	}
	return i.store(ctx)
}

func (i *ingestion) runInput(ctx context.Context, in *input) error {
	if err := in.open(ctx, i.stdin, i.bar, i.beforeWait(ctx)); err != nil {
		return i.cause(err)
	}
	defer in.close()
	if err := i.flags.check(in); err != nil {
		return err
	}
	values, err := i.flags.newReader(in)
	if err != nil {
		return i.cause(err)
	}
	return i.load(ctx, values)
}

// summarize prints how many values were stored. It is an error if there were only bad lines.
func (i *ingestion) summarize(out io.Writer, inputs []input, took time.Duration) error {
	if i.stored == 0 && i.skippedLines > 0 {
		return fmt.Errorf("nothing was stored: all values were bad, in %s", counted(i.skippedLines, "line"))
	}
	source := "standard input"
	if len(inputs) > 1 || inputs[0].name != stdinName {
		source = counted(len(inputs), "input")
	}
	skipped := ""
	if i.skippedLines > 0 {
		skipped = ", skipped " + counted(i.skippedLines, "bad line")
	}
	_, err := fmt.Fprintf(out, "stored %s from %s in %.1f s%s\n",
		counted(i.stored, "value"), source, took.Seconds(), skipped)
	return err
}
