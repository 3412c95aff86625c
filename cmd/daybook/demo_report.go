// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/daybook-db/daybook"
)

// Limits of the lists that the demo shows.
const (
	maxNewestShown = 20
	maxRunsShown   = 5
)

// showNewest shows the newest value of each record.
func (d *demo) showNewest(ctx context.Context, _ demoRun) error {
	d.title("The newest value of each record")
	table := newTableWriter(d.out, d.width)
	found := 0
	for value, err := range d.db.Scan(ctx, readingsPattern, daybook.Latest(1)) {
		if err != nil {
			return err
		}
		if found++; found > maxNewestShown {
			continue
		}
		if err := table.Write(value); err != nil {
			return err
		}
	}
	if err := table.Flush(); err != nil {
		return err
	}
	if found > maxNewestShown {
		d.print("... and %s more\n", count(found-maxNewestShown))
	}
	return nil
}

// showRuns counts the values of this run and of earlier runs. It shows nothing for the first run.
func (d *demo) showRuns(ctx context.Context, _ demoRun) error {
	runs, err := daybook.QueryLatest[demoRun](ctx, d.db, runRecord, maxRunsShown)
	if err != nil || len(runs) < 2 {
		return err
	}
	d.title("The runs in this history, newest first")
	table := newBlockTable(d.out, column{title: "STARTED"}, column{title: "ENDED"},
		rightColumn("RECORDED"), rightColumn("STILL STORED"))
	for _, r := range runs {
		run := r.Value
		stored, err := d.countReadings(ctx, run)
		if err != nil {
			return err
		}
		err = table.append(formatTime(run.Started), formatTime(run.Ended), count(run.Values), count(stored))
		if err != nil {
			return err
		}
	}
	return table.flush()
}

// countReadings counts the stored readings of a run.
func (d *demo) countReadings(ctx context.Context, run demoRun) (stored uint64, err error) {
	for _, err := range d.db.Scan(ctx, readingsPattern, daybook.Between(run.Started, run.Ended)) {
		if err != nil {
			return 0, err
		}
		stored++
	}
	return stored, nil
}

// showSize shows the size of the history after a checkpoint has moved all values into the tree.
func (d *demo) showSize(ctx context.Context, _ demoRun) error {
	if err := d.db.Checkpoint(ctx); err != nil {
		return err
	}
	stats, err := d.db.Stats(ctx)
	if err != nil {
		return err
	}
	d.title("The size of the history")
	if err := writeStats(d.out, stats); err != nil {
		return err
	}
	d.print("\nThis counts one more record, %s, with a value about each run.\n", runRecord)
	if stats.Values < 10_000 {
		d.print("Most of this is a fixed cost; the bytes per value fall as the history grows.\n")
	}
	return nil
}

// showRetention stores values that are older than --keep and deletes them. It deletes only from the
// record that the demo has for this purpose: old values of other records may belong to the user.
func (d *demo) showRetention(ctx context.Context, run demoRun) error {
	const expired = 48
	cutoff := time.UnixMilli(int64(run.Ended)).Add(-d.flags.keep.age)
	d.title("Retention: delete values of %s that are older than %s", expiredRecord, d.flags.keep.text)
	if err := d.db.StoreBatch(ctx, expiredValues(cutoff, expired)); err != nil {
		return err
	}
	deleted, err := d.db.Prune(ctx, expiredRecord, daybook.PruneParams{OlderThan: millisOf(cutoff)})
	if err != nil {
		return err
	}
	d.print("Stored %d values of %s with times before %s.\n", expired, expiredRecord, formatTime(millisOf(cutoff)))
	d.print("Deleted all values of that record before that time: exactly %s.\n", counted(deleted, "value"))
	return nil
}

// expiredValues returns n values with times in the hours before cutoff.
func expiredValues(cutoff time.Time, n int) []daybook.StoredValue {
	values := make([]daybook.StoredValue, n)
	for i := range values {
		values[i] = daybook.StoredValue{
			RecordName: expiredRecord,
			Value:      fmt.Appendf(nil, `{"hours_too_old":%d}`, n-i),
			StoredAt:   millisOf(cutoff.Add(-time.Duration(n-i) * time.Hour)),
		}
	}
	return values
}

// showNextSteps suggests commands to try next.
func (d *demo) showNextSteps(context.Context, demoRun) error {
	d.title("Try next")
	command, dir := invocation(), ""
	if d.dir != defaultDir {
		dir = fmt.Sprintf(" --dir %q", d.dir)
	}
	for _, try := range [][2]string{
		{"demo", "a second run, which continues this history"},
		{`query "host.cpu.*" --limit 3`, "the newest three values of each CPU"},
		{"query host.memory --since -5m --format ndjson", "the last five minutes, for a program"},
		{`query "host.*.total" --topic --oldest-first --limit 5`, "the five oldest values, by topic pattern"},
		{"records", "every record with its size and its times"},
		{"stats --json", "the exact size of the history"},
		{"cleanup --older-than 1h", "delete values older than an hour"},
	} {
		d.print("  %s %s%s\n      %s\n", command, try[0], dir, try[1])
	}
	return nil
}

// invocation returns how to call this command again. "go run" builds it into a temporary directory.
func invocation() string {
	if strings.Contains(os.Args[0], "go-build") {
		return "go run ./cmd/daybook"
	}
	return os.Args[0]
}
