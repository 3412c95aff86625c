// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/spf13/cobra"
	"github.com/xhit/go-str2duration/v2"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/engine"
)

// demoFlags are the flags of demo.
type demoFlags struct {
	length, every time.Duration
	keep          ageFlag
}

func newDemoCommand(dir *string) *cobra.Command {
	flags := demoFlags{keep: ageFlag{"30d", 30 * str2duration.Day}}
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Record readings of this machine and show what can be done",
		Long: `Record readings of this machine (CPU, memory, load, disk, network and, if it has sensors,
temperatures) as JSON records such as host.cpu.total, ten times a second for ten seconds. Then
show the newest value of each record, a chart of a time range, the size of the history, and
how old values are deleted. Ctrl-C ends the recording early; the rest is still shown.

A second run continues the history of the first.

To show how old values are deleted, the demo stores a few values of the record demo.expired
with times older than --keep, and deletes them again. It deletes no values of other records.`,
		Example: `  daybook demo
  daybook demo --for 3s --every 50ms`,
		Args:              asUsage(noArguments("")),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if flags.every <= 0 || flags.length < flags.every {
				return usagef("--for %v --every %v: want at least one reading", flags.length, flags.every)
			}
			if time.Now().Add(-flags.keep.age).Before(firstExpiry) {
				return usagef("--keep %s: no value is that old, because a daybook's time starts in 1970",
					flags.keep.text)
			}
			return runDemo(cmd, *dir, flags, hostSensors(*dir))
		},
	}
	cmd.Flags().DurationVar(&flags.length, "for", 10*time.Second, "how long to record")
	cmd.Flags().DurationVar(&flags.every, "every", 100*time.Millisecond, "time between two readings")
	cmd.Flags().Var(&flags.keep, "keep", "delete values of demo.expired that are older than this `age`")
	return cmd
}

// Names that the demo uses.
const (
	readingsPattern = "host.*"       // matches the records of all readings
	runRecord       = "demo.run"     // one value for each run, a demoRun
	expiredRecord   = "demo.expired" // values that are stored to be deleted
)

// firstExpiry is the earliest time that --keep may reach back to. Expired values need room between
// 1970 and that time.
var firstExpiry = time.UnixMilli(0).Add(30 * str2duration.Day)

// demoRun is the value that a run stores about itself after recording.
type demoRun struct {
	Started uint64 `json:"started"` // Unix ms
	Ended   uint64 `json:"ended"`
	Values  uint64 `json:"values"`
}

// demo is one run of the command.
type demo struct {
	db    *engine.DB
	dir   string
	flags demoFlags
	out   *bufio.Writer
	width int // columns of the terminal
}

func runDemo(cmd *cobra.Command, dir string, flags demoFlags, sensors []sensor) (err error) {
	db, err := openForWriting(dir)
	if err != nil {
		return err
	}
	defer closeDB(db, &err)
	d := &demo{db: db, dir: dir, flags: flags, out: bufio.NewWriter(cmd.OutOrStdout())}
	d.width = min(terminalWidth(cmd.OutOrStdout(), 100), 140)
	if err := d.introduce(cmd.Context()); err != nil {
		return err
	}
	rec := newRecording(db, sensors, flags.length, flags.every, newLiveLine(cmd.ErrOrStderr(), flags.length))
	if err := rec.run(cmd.Context()); err != nil {
		return err
	}
	// An interruption ended only the recording. A second one ends the rest.
	wasInterrupted := cmd.Context().Err() != nil
	ctx, stop := untilInterrupted(context.WithoutCancel(cmd.Context()))
	defer stop()
	cmd.SetContext(ctx) // whose interruption is the one that the exit status tells
	return d.show(ctx, rec, wasInterrupted)
}

// introduce announces the recording, and says how much earlier runs have recorded.
func (d *demo) introduce(ctx context.Context) error {
	stats, err := exactStats(ctx, d.db)
	if err != nil {
		return err
	}
	if stats.Values == 0 {
		d.print("Starting a new history in %s.\n", d.dir)
	} else {
		oldest, newest, err := d.times(ctx)
		if err != nil {
			return err
		}
		d.print("Continuing the history in %s, which holds %s of %s,\noldest %s, newest %s.\n", d.dir,
			counted(stats.Values, "value"), counted(stats.Records, "record"), formatTime(oldest), formatTime(newest))
	}
	d.print("Recording this machine's own readings for %v, every %v (Ctrl-C ends it early) ...\n",
		d.flags.length, d.flags.every)
	return d.out.Flush()
}

// times returns the times of the oldest and the newest value of all records.
func (d *demo) times(ctx context.Context) (oldest, newest uint64, err error) {
	oldest = ^uint64(0)
	for record, err := range d.db.Records(ctx, "*", daybook.Glob) {
		if err != nil {
			return 0, 0, err
		}
		oldest, newest = min(oldest, record.Oldest), max(newest, record.Newest)
	}
	return oldest, newest, nil
}

// show shows what can be done with the readings.
func (d *demo) show(ctx context.Context, rec *recording, interrupted bool) error {
	run, err := d.storeRun(ctx, rec)
	if err != nil {
		return err
	}
	d.describe(rec, interrupted)
	for _, show := range []func(context.Context, demoRun) error{
		d.showNewest, d.showCharts, d.showRuns, d.showSize, d.showRetention, d.showNextSteps,
	} {
		if err := bothErrors(show(ctx, run), d.out.Flush()); err != nil {
			return err
		}
	}
	return nil
}

// storeRun stores a value about the run itself. Later runs find the readings by its times.
func (d *demo) storeRun(ctx context.Context, rec *recording) (demoRun, error) {
	run := demoRun{Started: millisOf(rec.started), Ended: millisOf(rec.ended), Values: uint64(rec.stored)}
	value, err := json.Marshal(run)
	if err != nil {
		return run, err
	}
	return run, d.db.Store(ctx, runRecord, value, run.Ended)
}

// describe says how much was recorded, how fast it was durable, and which readings are missing.
func (d *demo) describe(rec *recording, interrupted bool) {
	length := rec.ended.Sub(rec.started)
	if interrupted {
		d.print("Interrupted: the rest shows what was recorded until then.\n")
	}
	d.print("Recorded %s of %s in %.1f s: %s, each stored all or nothing.\n", counted(rec.stored, "value"),
		counted(len(rec.records), "record"), length.Seconds(), counted(rec.batches, "batch"))
	if rec.batches > 0 {
		mean := rec.storing / time.Duration(rec.batches)
		d.print("A batch was on stable storage after %v on average, %v at most.\n",
			mean.Round(10*time.Microsecond), rec.slowest.Round(10*time.Microsecond))
	}
	if missed := int(length/d.flags.every) - rec.ticks; missed > 0 {
		d.print("%s of %s were late and left out: this machine was busy with something else.\n",
			counted(missed, "reading"), count(missed+rec.ticks))
	}
	for _, name := range rec.panel.silent() {
		d.print("No readings of %s on this host.\n", name)
	}
}

// title starts a section of the output.
func (d *demo) title(format string, args ...any) {
	d.print("\n── "+format+"\n\n", args...)
}

// print writes to d.out, which reports an error when it is flushed.
func (d *demo) print(format string, args ...any) {
	fmt.Fprintf(d.out, format, args...)
}
