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

// memory is a store that keeps batches in memory, and takes a while for each.
type memory struct {
	batches [][]daybook.StoredValue
	took    func(batch int) time.Duration
	fail    error
}

func (m *memory) StoreBatch(ctx context.Context, batch []daybook.StoredValue) error {
	if err := errors.Join(m.fail, ctx.Err()); err != nil {
		return err
	}
	if m.took != nil {
		time.Sleep(m.took(len(m.batches)))
	}
	m.batches = append(m.batches, slices.Clone(batch))
	return nil
}

// times are the times of a record's values, in ms since start.
func (m *memory) times(record string, start time.Time) (times []int) {
	for _, batch := range m.batches {
		for _, v := range batch {
			if v.RecordName == record {
				times = append(times, int(v.StoredAt)-int(start.UnixMilli()))
			}
		}
	}
	return times
}

// steady is a sensor whose readings take a while.
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
	return sensor{name: name, read: func(context.Context) ([]reading, error) { return nil, errors.New("no such device") }}
}

func absent(name string) sensor {
	return sensor{name: name, read: func(context.Context) ([]reading, error) { return nil, nil }}
}

// every lists from, from+step ... up to to.
func every(from, step, to int) (times []int) {
	for at := from; at <= to; at += step {
		times = append(times, at)
	}
	return times
}

func TestRecordingKeepsItsPace(t *testing.T) {
	tests := []struct {
		why    string
		sensor sensor
		want   []int // when it was read, in ms
	}{
		{"a fast sensor is read at each tick", steady("r", 0, 0), every(100, 100, 2000)},
		{"one that may rest does", steady("r", 0, time.Second), []int{100, 1100}},
		{"a slow one rests the longer, and has the time it was asked at", steady("r", 30*time.Millisecond, 0), []int{100, 700, 1300, 1900}},
		{"one slower than a tick is heard later", steady("r", 70*time.Millisecond, 0), []int{100, 1500}},
		{"one slower than the recording is not heard", steady("r", 3*time.Second, 0), nil},
		{"one that fails is no error", failing("r"), nil},
		{"one that has nothing is no error", absent("r"), nil},
	}
	for _, test := range tests {
		t.Run(test.why, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var db memory
				rec := newRecording(&db, []sensor{steady("pace", 0, 0), test.sensor}, 2*time.Second, 100*time.Millisecond, nil)
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
		db := memory{took: func(batch int) time.Duration {
			if batch == 2 {
				return 330 * time.Millisecond
			}
			return time.Millisecond
		}}
		rec := newRecording(&db, []sensor{steady("r", 0, 0)}, time.Second, 100*time.Millisecond, nil)
		if err := rec.run(t.Context()); err != nil {
			t.Fatal(err)
		}
		if rec.ticks >= 10 || rec.ticks < 7 || rec.slowest != 330*time.Millisecond || rec.ended.Sub(rec.started) < time.Second {
			t.Errorf("%d ticks, slowest %v, over %v", rec.ticks, rec.slowest, rec.ended.Sub(rec.started))
		}
	})
}

func TestInterruptedRecording(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 550*time.Millisecond)
		defer cancel()
		var db memory
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
		db := memory{fail: daybook.ErrNoSpace}
		err := newRecording(&db, []sensor{steady("r", 0, 0)}, time.Second, 100*time.Millisecond, nil).run(t.Context())
		if !errors.Is(err, daybook.ErrNoSpace) {
			t.Errorf("error %v; want ErrNoSpace", err)
		}
	})
}

// runTestDemo runs the demo with sensors of its own, shortly.
func runTestDemo(t *testing.T, dir string, sensors ...sensor) (out, errOut string) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	cmd := &cobra.Command{}
	cmd.SetOut(&stdout)
	cmd.SetErr(&stderr)
	cmd.SetContext(t.Context())
	flags := demoFlags{length: 200 * time.Millisecond, every: 10 * time.Millisecond, keep: ageFlag{"30d", 30 * str2duration.Day}}
	if err := runDemo(cmd, dir, flags, sensors); err != nil {
		t.Fatal(err)
	}
	return stdout.String(), stderr.String()
}

func TestDemoContinuesItsHistory(t *testing.T) {
	dir := newDir(t)
	first, errOut := runTestDemo(t, dir, steady("host.cpu.total", 0, 0), absent("temperatures"))
	wantParts(t, first, "Starting a new history in "+dir, "No readings of temperatures on this host.",
		"── The newest value of each record", "host.cpu.total, % busy", "── What the store weighs",
		"exactly 48 values.", "── Try next", `--dir "`)
	if strings.Contains(first, "runs in this history") || errOut != "" {
		t.Errorf("a first run says:\n%s\n%s", first, errOut)
	}
	before := stored(t, dir)

	second, _ := runTestDemo(t, dir, steady("host.cpu.total", 0, 0))
	wantParts(t, second, fmt.Sprintf("which holds %d values of 2 records,", len(before)),
		"host.cpu.total in the run before", "── The runs in this history", "exactly 48 values.")
	after := stored(t, dir)
	for _, v := range before {
		if !slices.ContainsFunc(after, func(w daybook.StoredValue) bool { return cmp.Equal(v, w) }) {
			t.Errorf("the second run lost %v", v)
		}
	}
}

func TestDemoDeletesOnlyWhatItPlanted(t *testing.T) {
	tests := []struct {
		why string
		old daybook.StoredValue
	}{
		{"a record that is nobody's", value("invoices", `1`, 0)},
		{"a record with a name like the readings'", value("host.load", `{"load1":1}`, 0)},
		{"a record with a name like the demo's own", value("demo.run.notes", `1`, 0)},
		{"an earlier run's note about itself", value("demo.run", `{"started":1,"ended":2,"values":3}`, 0)},
	}
	for _, test := range tests {
		t.Run(test.why, func(t *testing.T) {
			dir := filledDir(t, test.old)
			out, _ := runTestDemo(t, dir, steady("host.memory", 0, 0))
			wantParts(t, out, "Stored 48 values of demo.expired", "exactly 48 values.")
			if !slices.ContainsFunc(stored(t, dir), func(v daybook.StoredValue) bool { return cmp.Equal(v, test.old) }) {
				t.Error("the demo deleted somebody's value")
			}
		})
	}
}

func TestDemoWithoutAnySensor(t *testing.T) {
	out, _ := runTestDemo(t, newDir(t), failing("CPUs"), absent("memory"))
	wantParts(t, out, "Recorded 0 values of 0 records", "No readings of CPUs on this host.", "No readings of memory on this host.")
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
		why   string
		width int
		want  string // of the last line
	}{
		{"room for everything", 80, strings.Repeat("█", 15) + strings.Repeat("░", 15) + "    5.0 s   12,345 values   2469 values/s"},
		{"a narrow one goes without the bar", 50, " 5.0 s   12,345 values   2469 values/s"},
		{"one column short of the rate", 38, " 5.0 s   12,345 values"},
		{"a very narrow one cuts", 9, " 5.0 s"},
		{"one column is the cursor's", 1, ""},
	}
	for _, test := range tests {
		t.Run(test.why, func(t *testing.T) {
			var out bytes.Buffer
			live := &liveLine{out: &out, width: func() int { return test.width }, length: 10 * time.Second}
			live.show(0, 0)
			live.show(5*time.Second, 12_345)
			lines := strings.Split(out.String(), "\r")
			// Spaces hide what the line before has left.
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

func wantParts(t *testing.T, out string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(out, part) {
			t.Errorf("no %q in:\n%s", part, out)
		}
	}
}
