// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/engine"
)

func TestTail(t *testing.T) {
	dir := filledDir(t, someValues()...)
	want := `{"record_name":"a.two","value":"<tag> & \u00e9","stored_at":1500}
{"record_name":"a.one","value":{"x":2},"stored_at":2000}
`
	if got := mustRun(t, "", "tail", "a.*", "-n", "2", "--dir", dir); got != want {
		t.Errorf("the newest two: got %q; want %q", got, want)
	}
	missing := newDir(t)
	got := run(t, "", "tail", "*", "-f", "--dir", missing)
	if got.status != statusFailed || !strings.Contains(got.err, "there is no daybook in "+missing) {
		t.Errorf("without a daybook: status %d, stderr %q", got.status, got.err)
	}
}

// TestTailOfEqualTimes wants the order that the help names.
func TestTailOfEqualTimes(t *testing.T) {
	dir := filledDir(t, value("a", "1", 5), value("b", "2", 5), value("a", "3", 5))
	want := "record_name,stored_at,value\nb,5,2\na,5,1\na,5,3\n"
	if got := mustRun(t, "", "tail", "*", "--format", "csv", "--dir", dir); got != want {
		t.Errorf("got %q; want %q", got, want)
	}
}

// TestTailFollows stores values, as another process would, while tail -f runs.
func TestTailFollows(t *testing.T) {
	dir := newDir(t)
	db, err := engine.Open(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	store := func(n int) {
		t.Helper()
		if err := db.Store(t.Context(), "r", json.RawMessage(fmt.Sprint(n)), uint64(n)); err != nil {
			t.Fatal(err)
		}
	}
	for n := range 5 {
		store(n)
	}
	ctx, interrupt := context.WithCancel(t.Context())
	var out lockedBuffer
	done := make(chan int)
	go func() {
		args := []string{"tail", "-f", "*", "-n", "2", "--format", "csv", "--dir", dir}
		done <- execute(ctx, args, strings.NewReader(""), &out, &out)
	}()
	out.waitFor(t, "r,4,4\n")
	for n := 5; n < 8; n++ {
		store(n)
	}
	out.waitFor(t, "r,7,7\n")
	interrupt()
	if status := <-done; status != statusDone {
		t.Errorf("status %d; want %d", status, statusDone)
	}
	if got, want := out.String(), "record_name,stored_at,value\nr,3,3\nr,4,4\nr,5,5\nr,6,6\nr,7,7\n"; got != want {
		t.Errorf("got %q; want %q", got, want)
	}
}

// TestTailFollowsShortCommands runs commands that open the daybook, store and close it again. Then
// it replaces the daybook by another one.
func TestTailFollowsShortCommands(t *testing.T) {
	dir := filledDir(t, someValues()...)
	ctx, interrupt := context.WithCancel(t.Context())
	defer interrupt()
	var out lockedBuffer
	done := make(chan int)
	go func() {
		args := []string{"tail", "-f", "new*", "--format", "csv", "--dir", dir}
		done <- execute(ctx, args, strings.NewReader(""), &out, &out)
	}()
	out.waitFor(t, "record_name,stored_at,value\n")
	want := "record_name,stored_at,value\n"
	for n := range 4 {
		line := fmt.Sprintf(`{"record_name":"new.%d","value":%d,"stored_at":%d}`, n, n, n)
		mustRun(t, line, "ingest", "--dir", dir)
		mustRun(t, `{"record_name":"other","value":1,"stored_at":1}`, "ingest", "--dir", dir)
		row := fmt.Sprintf("new.%d,%d,%d\n", n, n, n)
		if want += row; n%2 == 1 {
			out.waitFor(t, row)
		}
	}
	if got := out.String(); got != want {
		t.Errorf("got %q; want %q", got, want)
	}
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	mustRun(t, `{"record_name":"new.again","value":1,"stored_at":1}`, "ingest", "--dir", dir)
	out.waitFor(t, "the directory now holds another history (was a backup restored?)\n")
	out.waitFor(t, "new.again,1,1\n") // after a note if tail looked before ingest ended
	interrupt()
	<-done
}

// TestTailAfter goes on after a place, in another process each time. Then the place is one of
// another history.
func TestTailAfter(t *testing.T) {
	dir := filledDir(t, value("a", "1", 5), value("b", "2", 4), value("a", "3", 3))
	place := ""
	for _, step := range []struct{ store, after, want, note string }{
		{"", "0", "a,5,1\nb,4,2\na,3,3\n", ""},
		{`{"record_name":"c","value":4,"stored_at":2}`, "", "c,2,4\n", ""},
		{"", "", "", ""},
		{"", "0123456789abcdef0123456789abcdef:2", "a,5,1\nb,4,2\na,3,3\nc,2,4\n", "another history"},
	} {
		if step.store != "" {
			mustRun(t, step.store, "ingest", "--dir", dir)
		}
		if step.after != "" {
			place = step.after
		}
		got := run(t, "", "tail", "*", "--after", place, "--format", "csv", "--dir", dir)
		note, reached, found := strings.Cut(got.err, "reached ")
		if got.status != statusDone || got.out != "record_name,stored_at,value\n"+step.want || !found ||
			!strings.Contains(note, step.note) {
			t.Errorf("after %s: status %d, got %q, stderr %q; want %q", place, got.status, got.out, got.err, step.want)
		}
		place = strings.TrimSpace(reached)
	}
	for _, after := range [][]string{nil, {"--after", "0"}, {"-f"}} { // the zero Pattern would be all records
		got := run(t, "", append([]string{"tail", "", "--dir", dir}, after...)...)
		if got.status != statusUsage || got.out != "" {
			t.Errorf("an empty pattern, %q: status %d, got %q, stderr %q", after, got.status, got.out, got.err)
		}
	}
	for _, wrong := range []string{"1", "x:1"} {
		if got := run(t, "", "tail", "*", "--after", wrong, "--dir", dir); got.status != statusUsage {
			t.Errorf("--after %s: status %d, stderr %q; want %d", wrong, got.status, got.err, statusUsage)
		}
	}
}

// TestTailAfterBesideAWriter reads the log, because a program has the daybook open. It wants a note
// where that may be less than was asked for, and the values also after a place that is not there.
func TestTailAfterBesideAWriter(t *testing.T) {
	dir := filledDir(t, value("old", "1", 1))
	db, err := engine.Open(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := db.Store(t.Context(), "new", json.RawMessage("2"), 2); err != nil {
		t.Fatal(err)
	}
	const inLog = "only the values in its log are printed"
	for _, c := range []struct{ after, pattern, want, note string }{
		{"0", "*", "new,2,2\n", inLog},
		{"0", "old", "", inLog},
		{"0123456789abcdef0123456789abcdef:1", "*", "new,2,2\n", "another history"},
	} {
		got := run(t, "", "tail", c.pattern, "--after", c.after, "--format", "csv", "--dir", dir)
		if got.status != statusDone || got.out != "record_name,stored_at,value\n"+c.want {
			t.Errorf("%s after %s: status %d, got %q; want %q", c.pattern, c.after, got.status, got.out, c.want)
		}
		wantParts(t, got.err, c.note, "reached ")
	}
}

// TestTailAfterWithoutADaybook has reached no place.
func TestTailAfterWithoutADaybook(t *testing.T) {
	got := run(t, "", "tail", "*", "--after", "0", "--dir", newDir(t))
	if got.status != statusFailed || strings.Contains(got.err, "reached") {
		t.Errorf("status %d, stderr %q; want one line that says what is missing", got.status, got.err)
	}
}

// TestTailAfterIntoAFullDisk has printed nothing, and so has reached no other place.
func TestTailAfterIntoAFullDisk(t *testing.T) {
	dir := filledDir(t, value("a", "1", 1))
	var notes strings.Builder
	args := []string{"tail", "*", "--after", "0", "--dir", dir}
	status := execute(t.Context(), args, strings.NewReader(""), fullOutput{}, &notes)
	if status != statusFailed || !strings.HasPrefix(notes.String(), "reached 0\n") {
		t.Errorf("status %d, stderr %q; want a failure that has reached 0", status, notes.String())
	}
}

// fullOutput is the file of a full disk.
type fullOutput struct{}

func (fullOutput) Write([]byte) (int, error) { return 0, daybook.ErrNoSpace }

// TestTailAfterOlderBackup goes on after the last value that a restored backup still has.
func TestTailAfterOlderBackup(t *testing.T) {
	dir, backup := filledDir(t, value("a", "1", 1), value("a", "2", 2)), newDir(t)+".backup"
	mustRun(t, "", "backup", backup, "--dir", dir)
	mustRun(t, `{"record_name":"a","value":3,"stored_at":3}`, "ingest", "--dir", dir)
	_, place, _ := strings.Cut(run(t, "", "tail", "*", "--after", "0", "--dir", dir).err, "reached ")
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	mustRun(t, "", "restore", backup, "--dir", dir)
	mustRun(t, `{"record_name":"a","value":4,"stored_at":4}`, "ingest", "--dir", dir)
	got := run(t, "", "tail", "*", "--after", strings.TrimSpace(place), "--format", "csv", "--dir", dir)
	if want := "record_name,stored_at,value\na,4,4\n"; got.out != want ||
		!strings.Contains(got.err, "the values after number 2 were taken back") {
		t.Errorf("got %q, stderr %q; want %q", got.out, got.err, want)
	}
}
