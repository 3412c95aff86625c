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

NDJSON has one JSON object per line, in one of two forms; other members are ignored:
  {"record_name":"sensor.kitchen","value":{"celsius":21.5},"stored_at":1764000000000}
  {"topic":"sensor.kitchen","payload":{"celsius":21.5},"ts":1764000000000}
The value is stored byte for byte. The time is Unix milliseconds, or an RFC 3339 string.
Lines may have 17 MiB. Empty lines are ignored.

CSV has a header line, and needs --record and --time-column. Each row becomes one JSON
object, with the header's names, without the time column. Cells that are JSON numbers, true
or false stay as they are; empty cells are left out; all others become strings. The time is
RFC 3339, or a number: 100000000000 or more is Unix milliseconds, less is Unix seconds.

With --format auto, a name that ends in .csv, .ndjson, .jsonl or .json decides, and
otherwise the first character: { is NDJSON, anything else CSV.

Values are stored in batches, each of them whole or not at all. A bad line ends the command,
which then says how many values were stored before it; with --skip-bad it is reported,
counted and skipped.`,
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
	if err := flags.check(inputs); err != nil {
		return err
	}
	db, err := openForWriting(dir)
	if err != nil {
		return err
	}
	defer closing(db, &err)
	started := time.Now()
	i := &ingestion{db: db, flags: flags, in: cmd.InOrStdin(), reports: cmd.ErrOrStderr()}
	i.bar = newByteBar(cmd.ErrOrStderr(), i.in, total)
	if total < 0 && isTerminal(i.in) {
		fmt.Fprintln(i.reports, "reading lines from this terminal; an end of file (Ctrl-D, on Windows Ctrl-Z) ends them")
	}
	if err := i.run(cmd.Context(), inputs); err != nil {
		return fmt.Errorf("%w: %s stored before it", err, wereCounted(i.stored, "value"))
	}
	return i.summarize(cmd.OutOrStdout(), inputs, time.Since(started))
}

// check finds what is missing for the inputs whose names or flags say that they are CSV, before a
// directory is created for them.
func (f ingestFlags) check(inputs []input) error {
	for _, in := range inputs {
		if formatOf(in.name, f.format.value) == "csv" {
			if err := f.checkCSV(in.name); err != nil {
				return err
			}
		}
	}
	return nil
}

func (f ingestFlags) checkCSV(name string) error {
	if f.record == "" {
		return usagef("%s is CSV, which needs --record, the name of the record that its rows belong to", name)
	}
	if f.timeColumn == "" && !f.stampNow {
		return usagef("%s is CSV, which needs --time-column, the name of the column that holds the time (or --now)", name)
	}
	if err := daybook.ValidateRecordName(f.record); err != nil {
		return usagef("--record: %w", err)
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
	stored     int
	skipped    int
}

// What a batch holds at most; a longer value has a batch of its own.
const (
	batchValues = 1000
	batchBytes  = 1 << 20
)

// run reads all inputs and stores what they hold. Whatever ends it, the values before that are stored.
func (i *ingestion) run(ctx context.Context, inputs []input) error {
	defer i.bar.clear()
	for _, in := range inputs {
		if err := i.readInput(ctx, in); err != nil {
			return errors.Join(err, i.store(ctx))
		}
	}
	return i.store(ctx)
}

func (i *ingestion) readInput(ctx context.Context, in input) error {
	opened, err := in.open(ctx, i.in, i.bar)
	if err != nil {
		return err
	}
	defer opened.close()
	values, err := newValueReader(in.name, opened, i.flags)
	if err != nil {
		return err
	}
	return i.readValues(ctx, in.name, values, opened.waits)
}

// readValues adds values to the batch until the input ends. Before waiting for more input it stores
// what is there, so that a slow sender's values do not wait for the batch to fill.
func (i *ingestion) readValues(ctx context.Context, name string, values valueReader, waits func() bool) error {
	for ctx.Err() == nil {
		value, err := values.next()
		if err == io.EOF {
			return nil
		}
		if err == nil {
			err = i.add(ctx, value)
		} else {
			err = i.reject(fmt.Errorf("%s%w", name, err))
		}
		if err != nil {
			return err
		}
		if waits() {
			if err := i.store(ctx); err != nil {
				return err
			}
		}
	}
	return ctx.Err()
}

// reject passes on an error, unless it is a bad line and those are to be skipped.
func (i *ingestion) reject(err error) error {
	const reported = 20 // more of them would hide what they say
	if !errors.As(err, new(*badLine)) || !i.flags.skipBad {
		return err
	}
	i.skipped++
	i.bar.clear()
	switch {
	case i.skipped <= reported:
		fmt.Fprintln(i.reports, "skipped", errorLine(err))
	case i.skipped == reported+1:
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
