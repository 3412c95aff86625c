// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/daybook-db/daybook"
)

// What the demo shows of a long list.
const (
	newestShown = 20
	runsShown   = 5
)

// showNewest shows the newest value of each record.
func (d *demo) showNewest(ctx context.Context, _ demoRun) error {
	d.title("The newest value of each record")
	table := newTableWriter(d.out, d.width)
	found := 0
	for value, err := range d.db.Scan(ctx, ownPattern, daybook.Latest(1)) {
		if err != nil {
			return err
		}
		if found++; found > newestShown {
			continue
		}
		if err := table.Write(value); err != nil {
			return err
		}
	}
	if err := table.Flush(); err != nil {
		return err
	}
	if found > newestShown {
		d.print("... and %s more\n", count(found-newestShown))
	}
	return nil
}

// showRuns counts what is there of each run, this one and those before. A first run has nothing to
// compare with.
func (d *demo) showRuns(ctx context.Context, run demoRun) error {
	runs, err := daybook.QueryLatest[demoRun](ctx, d.db, runRecord, runsShown)
	if err != nil || len(runs) < 2 {
		return err
	}
	d.title("The runs in this history, newest first")
	table := newBlockTable(d.out, column{title: "STARTED"}, column{title: "ENDED"}, rightColumn("RECORDED"), rightColumn("STILL THERE"))
	for _, r := range runs {
		there, err := d.countBetween(ctx, r.Value)
		if err != nil {
			return err
		}
		if err := table.append(formatTime(r.Value.Started), formatTime(r.Value.Ended), count(r.Value.Values), count(there)); err != nil {
			return err
		}
	}
	return table.flush()
}

// countBetween counts the readings that are there of a run.
func (d *demo) countBetween(ctx context.Context, run demoRun) (there uint64, err error) {
	for _, err := range d.db.Scan(ctx, ownPattern, daybook.Between(run.Started, run.Ended)) {
		if err != nil {
			return 0, err
		}
		there++
	}
	return there, nil
}

// showWeight shows what the store weighs once everything is in the tree.
func (d *demo) showWeight(ctx context.Context, _ demoRun) error {
	if err := d.db.Checkpoint(ctx); err != nil {
		return err
	}
	stats, err := d.db.Stats(ctx)
	if err != nil {
		return err
	}
	d.title("What the store weighs")
	if err := writeStats(d.out, stats); err != nil {
		return err
	}
	if stats.Values < 10_000 {
		d.print("\nSo small a store is mostly fixed cost; the bytes per value fall as it grows.\n")
	}
	return nil
}

// showCleanup deletes what is older than the retention, from the one record that holds nothing but
// what the demo puts there for that: old values of other records may be somebody's own.
func (d *demo) showCleanup(ctx context.Context, run demoRun) error {
	const expired = 48
	cutoff := time.UnixMilli(int64(run.Ended)).Add(-d.flags.keep.age)
	d.title("Retention: nothing of %s older than %s", expiredRecord, d.flags.keep.text)
	if err := d.db.StoreBatch(ctx, expiredValues(cutoff, expired)); err != nil {
		return err
	}
	deleted, err := d.db.Prune(ctx, expiredRecord, daybook.PruneParams{OlderThan: millisOf(cutoff)})
	if err != nil {
		return err
	}
	d.print("Stored %d values of %s with times before %s.\n", expired, expiredRecord, formatTime(millisOf(cutoff)))
	d.print("Deleted what that record holds from before then: exactly %s.\n", counted(deleted, "value"))
	return nil
}

// expiredValues are n values from the hours before cutoff.
func expiredValues(cutoff time.Time, n int) []daybook.StoredValue {
	values := make([]daybook.StoredValue, n)
	for i := range values {
		at := cutoff.Add(-time.Duration(n-i) * time.Hour)
		value := fmt.Appendf(nil, `{"hours_too_old":%d}`, n-i)
		values[i] = daybook.StoredValue{RecordName: expiredRecord, Value: json.RawMessage(value), StoredAt: millisOf(at)}
	}
	return values
}

// showNext says what to try next.
func (d *demo) showNext(context.Context, demoRun) error {
	d.title("Try next")
	command, dir := invocation(), ""
	if d.dir != defaultDir {
		dir = fmt.Sprintf(" --dir %q", d.dir)
	}
	for _, try := range [][2]string{
		{"demo", "the same again: it continues this history"},
		{`query "host.cpu.*" --limit 3`, "the newest three values of each CPU"},
		{"query host.memory --since -5m --format ndjson", "five minutes, for a program to read"},
		{`query "host.*.total" --topic --oldest-first --limit 5`, "the oldest, by topic pattern"},
		{"records", "every record, with its size and its times"},
		{"stats --json", "what all of it weighs, exactly"},
		{"cleanup --older-than 1h", "delete what is older than an hour"},
	} {
		d.print("  %s %s%s\n      %s\n", command, try[0], dir, try[1])
	}
	return nil
}

// invocation is how to call this command again: go run builds it into a directory that does not last.
func invocation() string {
	if strings.Contains(os.Args[0], "go-build") {
		return "go run ./cmd/daybook"
	}
	return os.Args[0]
}
