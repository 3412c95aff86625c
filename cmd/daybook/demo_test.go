// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"
	"github.com/xhit/go-str2duration/v2"

	"github.com/daybook-db/daybook"
)

// slowStore keeps batches in memory and takes a while for each.
type slowStore struct {
	batches [][]daybook.StoredValue
	took    func(batch int) time.Duration
	fail    error
}

func (s *slowStore) StoreBatch(ctx context.Context, batch []daybook.StoredValue) error {
	if err := errors.Join(s.fail, ctx.Err()); err != nil {
		return err
	}
	if s.took != nil {
		time.Sleep(s.took(len(s.batches)))
	}
	s.batches = append(s.batches, slices.Clone(batch))
	return nil
}

// times returns the times of a record's values, in ms after start.
func (s *slowStore) times(record string, start time.Time) (times []int) {
	for _, batch := range s.batches {
		for _, v := range batch {
			if v.RecordName == record {
				times = append(times, int(v.StoredAt)-int(start.UnixMilli()))
			}
		}
	}
	return times
}

// steady returns a sensor whose readings take a while.
func steady(record string, takes, rest time.Duration) sensor {
	return sensor{name: record, rest: rest, read: func(ctx context.Context) ([]reading, error) {
		select {
		case <-time.After(takes):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		return []reading{{record, cpuReading{50}}}, nil
	}}
}

func failing(name string) sensor {
	return sensor{name: name, read: func(context.Context) ([]reading, error) {
		return nil, errors.New("no such device")
	}}
}

func absent(name string) sensor {
	return sensor{name: name, read: func(context.Context) ([]reading, error) { return nil, nil }}
}

// every returns from, from+step and so on, up to to.
func every(from, step, to int) (times []int) {
	for at := from; at <= to; at += step {
		times = append(times, at)
	}
	return times
}

func TestRecordingKeepsItsPace(t *testing.T) {
	tests := []struct {
		name   string
		sensor sensor
		want   []int // the times of its values, in ms
	}{
		{"a fast sensor is read at each tick", steady("r", 0, 0), every(100, 100, 2000)},
		{"a sensor with a rest is read less often", steady("r", 0, time.Second), []int{100, 1100}},
		{"a slow sensor rests longer, and its values have the time of the tick",
			steady("r", 30*time.Millisecond, 0), []int{100, 700, 1300, 1900}},
		{"the values of a sensor slower than a tick come later", steady("r", 70*time.Millisecond, 0), []int{100, 1500}},
		{"a sensor slower than the recording has no values", steady("r", 3*time.Second, 0), nil},
		{"a sensor that fails is no error", failing("r"), nil},
		{"a sensor without readings is no error", absent("r"), nil},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var db slowStore
				sensors := []sensor{steady("pace", 0, 0), test.sensor}
				rec := newRecording(&db, sensors, 2*time.Second, 100*time.Millisecond, nil)
				if err := rec.run(t.Context()); err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(every(100, 100, 2000), db.times("pace", rec.started)); diff != "" {
					t.Errorf("the other sensor's times (-want +got):\n%s", diff)
				}
				if diff := cmp.Diff(test.want, db.times("r", rec.started)); diff != "" {
					t.Errorf("times (-want +got):\n%s", diff)
				}
				if len(db.batches) != 20 || rec.batches != 20 || rec.ticks != 20 || rec.stored != 20+len(test.want) {
					t.Errorf("%d batches, %+v; want 20", len(db.batches), rec)
				}
				if silent := len(rec.panel.silent()) > 0; silent != (test.want == nil) {
					t.Errorf("silent sensors: %q", rec.panel.silent())
				}
			})
		})
	}
}

func TestSlowStoreLeavesTicksOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := slowStore{took: func(batch int) time.Duration {
			if batch == 2 {
				return 330 * time.Millisecond
			}
			return time.Millisecond
		}}
		rec := newRecording(&db, []sensor{steady("r", 0, 0)}, time.Second, 100*time.Millisecond, nil)
		if err := rec.run(t.Context()); err != nil {
			t.Fatal(err)
		}
		took := rec.ended.Sub(rec.started)
		if rec.ticks >= 10 || rec.ticks < 7 || rec.slowest != 330*time.Millisecond || took < time.Second {
			t.Errorf("%d ticks in %v, the slowest %v", rec.ticks, took, rec.slowest)
		}
	})
}

func TestInterruptedRecording(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 550*time.Millisecond)
		defer cancel()
		var db slowStore
		rec := newRecording(&db, []sensor{steady("r", 0, 0)}, time.Minute, 100*time.Millisecond, nil)
		if err := rec.run(ctx); err != nil {
			t.Fatal(err)
		}
		if rec.stored != 5 || rec.ended.Sub(rec.started) != 500*time.Millisecond {
			t.Errorf("%d values in %v; want 5 in 500ms", rec.stored, rec.ended.Sub(rec.started))
		}
	})
}

func TestRecordingStopsWhenTheStoreFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := slowStore{fail: daybook.ErrNoSpace}
		err := newRecording(&db, []sensor{steady("r", 0, 0)}, time.Second, 100*time.Millisecond, nil).run(t.Context())
		if !errors.Is(err, daybook.ErrNoSpace) {
			t.Errorf("error %v; want ErrNoSpace", err)
		}
	})
}

// runTestDemo runs a short demo with these sensors.
func runTestDemo(t *testing.T, dir string, sensors ...sensor) (out, errOut string) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	cmd := &cobra.Command{}
	cmd.SetOut(&stdout)
	cmd.SetErr(&stderr)
	cmd.SetContext(t.Context())
	keep := ageFlag{"30d", 30 * str2duration.Day}
	flags := demoFlags{length: 200 * time.Millisecond, every: 10 * time.Millisecond, keep: keep}
	if err := runDemo(cmd, dir, flags, sensors); err != nil {
		t.Fatal(err)
	}
	return stdout.String(), stderr.String()
}

func TestDemoContinuesItsHistory(t *testing.T) {
	dir := newDir(t)
	first, errOut := runTestDemo(t, dir, steady("host.cpu.total", 0, 0), absent("temperatures"))
	wantParts(t, first, "Starting a new history in "+dir, "No readings of temperatures on this host.",
		"── The newest value of each record", "host.cpu.total, % busy", "── The size of the history",
		"exactly 48 values.", "── Try next", `--dir "`)
	if strings.Contains(first, "runs in this history") || errOut != "" {
		t.Errorf("the first run printed:\n%s\n%s", first, errOut)
	}
	before := stored(t, dir)

	second, _ := runTestDemo(t, dir, steady("host.cpu.total", 0, 0))
	wantParts(t, second, fmt.Sprintf("which holds %d values of 2 records,", len(before)),
		"host.cpu.total in the previous run", "── The runs in this history", "exactly 48 values.")
	after := stored(t, dir)
	for _, v := range before {
		if !slices.ContainsFunc(after, func(w daybook.StoredValue) bool { return cmp.Equal(v, w) }) {
			t.Errorf("the second run lost %v", v)
		}
	}
}

func TestDemoDeletesOnlyItsExpiredValues(t *testing.T) {
	tests := []struct {
		name string
		old  daybook.StoredValue
	}{
		{"a record of the user", value("invoices", `1`, 0)},
		{"a record that is named like readings", value("host.load", `{"load1":1}`, 0)},
		{"a record that is named like one of the demo", value("demo.run.notes", `1`, 0)},
		{"the value of an earlier run about itself", value("demo.run", `{"started":1,"ended":2,"values":3}`, 0)},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			dir := filledDir(t, test.old)
			out, _ := runTestDemo(t, dir, steady("host.memory", 0, 0))
			wantParts(t, out, "Stored 48 values of demo.expired", "exactly 48 values.")
			isOld := func(v daybook.StoredValue) bool { return cmp.Equal(v, test.old) }
			if !slices.ContainsFunc(stored(t, dir), isOld) {
				t.Error("the demo deleted the value")
			}
		})
	}
}

func TestDemoWithoutAnySensor(t *testing.T) {
	out, _ := runTestDemo(t, newDir(t), failing("CPUs"), absent("memory"))
	wantParts(t, out, "Recorded 0 values of 0 records",
		"No readings of CPUs on this host.", "No readings of memory on this host.")
}

func TestDemoOfThisHost(t *testing.T) {
	dir := newDir(t)
	out := mustRun(t, "", "demo", "--for", "300ms", "--every", "50ms", "--dir", dir)
	wantParts(t, out, "Starting a new history", "── Try next")
	if got := mustRun(t, "", "query", "demo.run", "--dir", dir); strings.Count(got, "\n") != 2 {
		t.Errorf("the demo's own record:\n%s", got)
	}
}

func TestLiveLineFitsItsTerminal(t *testing.T) {
	tests := []struct {
		name  string
		width int
		want  string // the last line
	}{
		{"a wide terminal shows everything", 80,
			strings.Repeat("█", 15) + strings.Repeat("░", 15) + "    5.0 s   12,345 values   2469 values/s"},
		{"a narrow terminal shows no bar", 50, " 5.0 s   12,345 values   2469 values/s"},
		{"one column too few for the rate", 38, " 5.0 s   12,345 values"},
		{"a very narrow terminal cuts the line", 9, " 5.0 s"},
		{"the last column is for the cursor", 1, ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var out bytes.Buffer
			live := &liveLine{out: &out, width: func() int { return test.width }, length: 10 * time.Second}
			live.show(0, 0)
			live.show(5*time.Second, 12_345)
			lines := strings.Split(out.String(), "\r")
			// Spaces overwrite the rest of the previous line.
			if got := strings.TrimRight(lines[len(lines)-1], " "); got != test.want {
				t.Errorf("line %q; want %q", got, test.want)
			}
			live.clear()
			for _, line := range strings.Split(out.String(), "\r") {
				if columns := utf8.RuneCountInString(line); columns >= max(test.width, 1) {
					t.Errorf("line %q has %d columns of %d", line, columns, test.width)
				}
			}
			if strings.Contains(out.String(), "\n") {
				t.Errorf("%q scrolls", out.String())
			}
		})
	}
}
