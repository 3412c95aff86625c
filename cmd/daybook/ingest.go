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
	flags := newIngestFlags()
	cmd := &cobra.Command{
		Use:   "ingest [FILE...]",
		Short: "Store the readings in files of any program",
		Long: `Store the values of files; - or no file is standard input. The directory is
created if it does not exist. A file that is ingested twice is stored twice,
unless --skip-existing.

A file is CSV, JSON, NDJSON or Influx line protocol, also in gzip or zstd. What
it is, and where its times are, is found in its first 64 KiB and printed. What
cannot be known is an error that names the flag. Each row or object is a value,
without its time. The record is record_name or topic in the file, else the
file's name. Times without a zone are local. A bad line ends the command, after
the values before it are stored. Files of "daybook export" go in as they were.`,
		Example: `  daybook ingest sensors.csv --dry-run
  daybook ingest sensors.csv
  daybook ingest history.csv --record "ha.{entity_id}"
  daybook ingest log.csv --time Date,Time --time-format "%d/%m/%Y %H:%M"
  mosquitto_sub -t "#" -F %j | daybook ingest`,
		PreRunE: func(cmd *cobra.Command, _ []string) error { return flags.check(cmd) },
		RunE:    func(cmd *cobra.Command, args []string) error { return runIngest(cmd, *dir, args, flags) },
	}
	flags.add(cmd)
	return cmd
}

func runIngest(cmd *cobra.Command, dir string, names []string, flags *ingestFlags) (err error) {
	inputs, total, err := findInputs(names)
	if err != nil {
		return err
	}
	i := &ingestion{
		loader: loader{notes: cmd.ErrOrStderr(), skipBad: flags.skipBad},
		flags:  flags,
		cmd:    cmd,
		stdin:  cmd.InOrStdin(),
		out:    cmd.OutOrStdout(),
	}
	if total >= 0 || !isTerminal(i.stdin) { // a bar would overwrite what a person types
		i.bar = newByteBar(cmd.ErrOrStderr(), "ingesting", total)
	} else {
		fmt.Fprintln(i.notes, "reading lines from this terminal; an end of file (Ctrl-D, on Windows Ctrl-Z) ends them")
	}
	if !flags.anyTime {
		noteUnsetClock(i.notes, daybook.Now())
	}
	defer closeAll(inputs)
	if err := i.examine(cmd.Context(), inputs); err != nil {
		return err
	}
	if flags.dryRun {
		return i.rehearse(cmd.Context(), inputs)
	}
	return i.ingest(cmd, dir, inputs)
}

// ingest stores the values of the inputs in the daybook in dir.
func (i *ingestion) ingest(cmd *cobra.Command, dir string, inputs []input) (err error) {
	db, err := newLateStore(dir)
	if err != nil {
		return err
	}
	defer db.closeAfterStoring(cmd.ErrOrStderr(), &err)
	i.db = db
	if i.flags.skipExisting {
		i.existing = &existingValues{db: db}
	}
	started := time.Now()
	if err := i.run(cmd.Context(), inputs); err != nil {
		return i.stoppedBy(err)
	}
	if err := db.open(); err != nil { // an input without values leaves an empty daybook
		return err
	}
	return i.summarize(inputs, time.Since(started))
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
	flags *ingestFlags
	cmd   *cobra.Command
	stdin io.Reader
	out   io.Writer
}

// examine finds what the inputs are, before a directory is created. A live input after the first
// one is examined when its turn comes, so that the values of the inputs before it do not wait for
// its sender.
func (i *ingestion) examine(ctx context.Context, inputs []input) error {
	defer i.bar.clear()
	for n := range inputs {
		if in := &inputs[n]; n == 0 || !in.live {
			if err := i.examineInput(ctx, in); err != nil {
				return err
			}
		}
	}
	return nil
}

// examineInput opens an input, finds what it is, and whether a reader can be made of it. A live
// input stays open, because its beginning cannot be read a second time.
func (i *ingestion) examineInput(ctx context.Context, in *input) error {
	bar := i.bar
	if !in.live {
		bar = nil // it would count the same bytes again when the input is read
	}
	err := in.open(ctx, i.stdin, bar, i.flags.encoding.name, i.beforeWait(ctx))
	if err == nil {
		err = i.detect(in)
	}
	if err == nil && !in.live {
		_, err = i.newReader(ctx, in)
	}
	if err != nil || in.live {
		return i.cause(err)
	}
	return in.close()
}

// detect finds what an open input is, and whether the flags suit it.
func (i *ingestion) detect(in *input) error {
	hints := i.flags.hints(in.name)
	if i.flags.jq != "" {
		in.finding = findingOfJQ(hints)
	}
	if err := in.detect(hints); err != nil {
		return err
	}
	return i.flags.checkFinding(in)
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
	err := in.open(ctx, i.stdin, i.bar, i.flags.encoding.name, i.beforeWait(ctx))
	defer in.close()
	if err == nil {
		err = i.detect(in)
	}
	if err != nil {
		return i.cause(err)
	}
	i.tell(in)
	values, err := i.newReader(ctx, in)
	if err == nil {
		err = i.load(ctx, values)
	}
	if err != nil {
		return i.cause(err)
	}
	i.tellNotes(in, values)
	return nil
}
