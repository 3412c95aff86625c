// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/text"
)

// ingestFlags are the flags of ingest.
type ingestFlags struct {
	format     choiceFlag
	record     string
	timeColumn string
	stampNow   bool
	skipBad    bool
}

func newIngestCommand(dir *string) *cobra.Command {
	flags := ingestFlags{format: choiceFlag{"auto", []string{"auto", "ndjson", "csv"}}}
	cmd := &cobra.Command{
		Use:   "ingest [FILE...]",
		Short: "Store values from NDJSON or CSV",
		Long: `Store values from files, or from standard input where there are none, or for "-".
The directory is created if need be. What is read twice is stored twice.

NDJSON has one JSON object per line, in one of two forms; other members are ignored, and
none of these may be there twice:
  {"record_name":"sensor.kitchen","value":{"celsius":21.5},"stored_at":1764000000000}
  {"topic":"sensor.kitchen","payload":{"celsius":21.5},"ts":1764000000000}
The value is stored byte for byte. The time is Unix milliseconds, or an RFC 3339 string.
Lines may have 17 MiB. Empty lines are ignored.

CSV has a header line, and needs --record and --time-column. Each row becomes one JSON
object, with the header's names, without the time column. Cells that are JSON numbers, true
or false stay as they are; empty cells are left out; all others become strings. The time is
RFC 3339, or a number: 100000000000 or more is Unix milliseconds, less is Unix seconds.
A column without a name in the header has the name of its place: column_1, column_2 ...

With --format auto, a name that ends in .csv, .ndjson, .jsonl or .json decides, and
otherwise the first character: { is NDJSON, anything else CSV. --record and --time-column
are for CSV alone.

Values are stored in batches, each of them whole or not at all. A bad line ends the command,
which then says how many values were stored before it; with --skip-bad it is reported,
counted and skipped, and the command fails only if nothing was stored. What a pipe or a
terminal has sent is stored before waiting for more. That a full disk has room for all of it
in the log alone is a warning, and no failure.`,
		Example: `  daybook ingest readings.ndjson
  daybook ingest --record weather.vienna --time-column time vienna-*.csv
  mosquitto_sub -t "home/#" -F '{"topic":"%t","payload":%p}' | daybook ingest --now
  daybook query "*" --format ndjson | daybook ingest --dir ./copy`,
		RunE: func(cmd *cobra.Command, args []string) error {
			return runIngest(cmd, *dir, args, flags)
		},
	}
	cmd.Flags().Var(&flags.format, "format", "input format")
	cmd.Flags().StringVar(&flags.record, "record", "", "CSV: the `name` of the record that the rows belong to")
	cmd.Flags().StringVar(&flags.timeColumn, "time-column", "", "CSV: the `name` of the column that holds the time")
	cmd.Flags().BoolVar(&flags.stampNow, "now", false, "stamp values that have no time with the clock")
	cmd.Flags().BoolVar(&flags.skipBad, "skip-bad", false, "report, count and skip bad lines instead of stopping")
	return cmd
}

func runIngest(cmd *cobra.Command, dir string, names []string, flags ingestFlags) (err error) {
	inputs, total, err := findInputs(names)
	if err != nil {
		return err
	}
	i := &ingestion{flags: flags, in: cmd.InOrStdin(), reports: cmd.ErrOrStderr()}
	if total >= 0 || !isTerminal(i.in) { // a bar would stand where somebody types
		i.bar = newByteBar(cmd.ErrOrStderr(), "ingesting", total)
	} else {
		fmt.Fprintln(i.reports, "reading lines from this terminal; an end of file (Ctrl-D, on Windows Ctrl-Z) ends them")
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
	defer closingStored(db, cmd.ErrOrStderr(), &err)
	i.db = db
	if err := i.run(cmd.Context(), inputs); err != nil {
		return i.stoppedBy(err)
	}
	return i.summarize(cmd.OutOrStdout(), inputs, time.Since(started))
}

// stoppedBy says what was stored before err.
func (i *ingestion) stoppedBy(err error) error {
	if isUsage(err) && i.stored == 0 {
		return err // nothing was to be expected
	}
	err = withFlag(err)
	return fmt.Errorf("%w: %s stored before it", err, wereCounted(i.stored, "value"))
}

// withFlag names the flag that helps against an error of a reader.
func withFlag(err error) error {
	if errors.Is(err, text.ErrMissingTime) {
		return fmt.Errorf("%w (--now stamps such values with the clock)", err)
	}
	return err
}

// examine finds the format of the inputs and whether the flags fit it, before a directory is created
// for them. A live input that is not the first is examined when its turn comes: what others send is
// not to wait for it.
func (i *ingestion) examine(ctx context.Context, inputs []input) error {
	defer i.bar.clear()
	for n := range inputs {
		in := &inputs[n]
		in.format = ingestFormat(in.name, i.flags.format.value)
		if err := i.flags.check(in); err != nil {
			return err
		}
	}
	for n := range inputs {
		if in := &inputs[n]; in.format == "" && (n == 0 || !in.live) {
			if err := i.look(ctx, in); err != nil {
				return err
			}
		}
	}
	return nil
}

// look opens an input to see its format. A live one stays open, since what has been read of it does
// not come again.
func (i *ingestion) look(ctx context.Context, in *input) error {
	bar := i.bar
	if !in.live {
		bar = nil // the bar would count the same bytes when they are read again
	}
	if err := in.open(ctx, i.in, bar, i.beforeWait(ctx)); err != nil {
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

// check finds whether the flags fit an input's format, as far as that is known.
func (f ingestFlags) check(in *input) error {
	switch in.format {
	case text.CSV:
		return f.checkCSV(in)
	case text.NDJSON:
		return f.checkNDJSON(in)
	}
	return nil
}

func (f ingestFlags) checkCSV(in *input) error {
	is := in.name + " is CSV"
	if in.guessed {
		is = in.name + " does not begin with {, so it was read as CSV (--format ndjson reads it as NDJSON)"
	}
	if f.record == "" {
		return usagef("%s, which needs --record, the name of the record that its rows belong to", is)
	}
	if f.timeColumn == "" && !f.stampNow {
		return usagef("%s, which needs --time-column, the name of the column that holds the time (or --now)", is)
	}
	if err := daybook.ValidateRecordName(f.record); err != nil {
		return usagef("--record: %w", err)
	}
	return nil
}

// ingestFormat is the format as the flag or the name says, and "" if neither does.
func ingestFormat(name, flag string) text.Format {
	if flag != "auto" {
		return text.Format(flag)
	}
	if format := text.FormatOfName(name); format != text.Parquet {
		return format
	}
	return ""
}

// reader returns a reader of an input's values.
func (f ingestFlags) reader(in *input) (text.ValueReader, error) {
	opts := text.ReadOptions{Name: in.name, Record: f.record, TimeColumn: f.timeColumn, StampNow: f.stampNow}
	if in.format == text.CSV {
		return text.NewCSVReader(in.opened.Reader, opts)
	}
	return text.NewNDJSONReader(in.opened.Reader, opts), nil
}

// checkNDJSON refuses what would be ignored.
func (f ingestFlags) checkNDJSON(in *input) error {
	is := in.name + " is NDJSON"
	if in.guessed {
		is = in.name + " begins with {, so it was read as NDJSON (--format csv reads it as CSV)"
	}
	if f.record != "" {
		return usagef("%s, whose lines name their records: --record is for CSV", is)
	}
	if f.timeColumn != "" {
		return usagef("%s, whose lines hold their times: --time-column is for CSV", is)
	}
	return nil
}

// ingestion is one run of ingest.
type ingestion struct {
	db      daybook.BatchStorer
	flags   ingestFlags
	in      io.Reader // standard input
	reports io.Writer // bad lines that were skipped
	bar     *byteBar

	batch      []daybook.StoredValue
	batchBytes int
	storeFault error // of a store before a wait
	stored     int
	skipped    int // lines
	rejected   int // rows, or lines where a row is a line
}

// What a batch holds at most; a longer value has a batch of its own.
const (
	batchValues = 1000
	batchBytes  = 1 << 20
)

// run reads all inputs and stores what they hold. Whatever ends it, the values before that are stored.
func (i *ingestion) run(ctx context.Context, inputs []input) error {
	defer i.bar.clear()
	for n := range inputs {
		if err := i.readInput(ctx, &inputs[n]); err != nil {
			return errors.Join(err, i.store(ctx))
		}
	}
	return i.store(ctx)
}

func (i *ingestion) readInput(ctx context.Context, in *input) error {
	if err := in.open(ctx, i.in, i.bar, i.beforeWait(ctx)); err != nil {
		return i.notStored(err)
	}
	defer in.close()
	if err := i.flags.check(in); err != nil {
		return err
	}
	values, err := i.flags.reader(in)
	if err != nil {
		return i.notStored(err)
	}
	return i.readValues(ctx, values)
}

// readValues adds values to the batch until the input ends.
func (i *ingestion) readValues(ctx context.Context, values text.ValueReader) error {
	for ctx.Err() == nil {
		value, err := values.Read()
		switch {
		case err == io.EOF:
			return nil
		case err == nil:
			err = i.add(ctx, value)
		default:
			err = i.reject(i.notStored(err))
		}
		if err != nil {
			return err
		}
	}
	return ctx.Err()
}

// beforeWait stores what has been read, so that a slow sender's values do not wait for the batch to
// fill, nor for the rest of a line that the sender has begun.
func (i *ingestion) beforeWait(ctx context.Context) func() error {
	return func() error {
		i.storeFault = i.store(ctx)
		return i.storeFault
	}
}

// notStored is err, or where a store before a wait is the cause of it, that one's error: it is not
// the input that is at fault.
func (i *ingestion) notStored(err error) error {
	if i.storeFault != nil {
		return i.storeFault
	}
	return err
}

// reject passes on an error, unless it is a bad line and those are to be skipped.
func (i *ingestion) reject(err error) error {
	const reported = 20 // more of them would hide what they say
	var bad *text.LineError
	if !errors.As(err, &bad) || !i.flags.skipBad {
		return err
	}
	err = withFlag(err)
	i.skipped += bad.Lines()
	i.rejected++
	i.bar.clear()
	switch {
	case i.rejected <= reported:
		fmt.Fprintln(i.reports, "skipped", errorLine(err))
	case i.rejected == reported+1:
		fmt.Fprintln(i.reports, "further bad lines are skipped without a word, and counted")
	}
	return nil
}

func (i *ingestion) add(ctx context.Context, value daybook.StoredValue) error {
	if len(i.batch) == batchValues || i.batchBytes+len(value.Value) > batchBytes {
		if err := i.store(ctx); err != nil {
			return err
		}
	}
	i.batch = append(i.batch, value)
	i.batchBytes += len(value.Value)
	return nil
}

// store stores the batch, also when ctx has ended: the values in it were accepted.
func (i *ingestion) store(ctx context.Context) error {
	if len(i.batch) == 0 {
		return nil
	}
	err := i.db.StoreBatch(context.WithoutCancel(ctx), i.batch)
	if err == nil {
		i.stored += len(i.batch)
	}
	clear(i.batch)
	i.batch, i.batchBytes = i.batch[:0], 0
	return err
}

func (i *ingestion) summarize(out io.Writer, inputs []input, took time.Duration) error {
	if i.stored == 0 && i.skipped > 0 {
		return fmt.Errorf("nothing was stored: all values were bad, in %s", counted(i.skipped, "line"))
	}
	from := "standard input"
	if len(inputs) > 1 || inputs[0].name != stdinName {
		from = counted(len(inputs), "input")
	}
	skipped := ""
	if i.skipped > 0 {
		skipped = ", skipped " + counted(i.skipped, "bad line")
	}
	_, err := fmt.Fprintf(out, "stored %s from %s in %.1f s%s\n", counted(i.stored, "value"), from, took.Seconds(), skipped)
	return err
}

// wereCounted writes a number with its noun and verb.
func wereCounted(n int, noun string) string {
	if n == 1 {
		return "1 " + noun + " was"
	}
	return counted(n, noun) + " were"
}
