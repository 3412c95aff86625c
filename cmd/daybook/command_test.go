// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/engine"
)

func TestMain(m *testing.M) {
	if os.Getenv("DAYBOOK_TEST_COMMAND") != "" { // a test wants a process of its own
		main()
	}
	// Times are shown in local time: here it must not be the machine's.
	time.Local = time.FixedZone("test", 60*60)
	os.Exit(m.Run())
}

// result is what one command line printed and returned.
type result struct {
	out, err string
	status   int
}

// run runs a command line in this process.
func run(t *testing.T, stdin string, args ...string) result {
	t.Helper()
	var out, errOut bytes.Buffer
	status := execute(t.Context(), args, strings.NewReader(stdin), &out, &errOut)
	return result{out.String(), errOut.String(), status}
}

// mustRun runs a command line that must succeed without a word on standard error, and returns its
// output.
func mustRun(t *testing.T, stdin string, args ...string) string {
	t.Helper()
	got := run(t, stdin, args...)
	if got.status != statusDone || got.err != "" {
		t.Fatalf("daybook %q: status %d, stderr %q", args, got.status, got.err)
	}
	return got.out
}

// newDir returns a directory that does not exist yet. What is in it at the end of the test is checked.
func newDir(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "history")
	t.Cleanup(func() {
		if _, err := os.Stat(dir); err != nil {
			return
		}
		db, err := engine.Open(dir, &engine.Options{ReadOnly: true})
		if err != nil {
			t.Errorf("open after the test: %v", err)
			return
		}
		if err := db.Check(context.Background()); err != nil {
			t.Errorf("check after the test: %v", err)
		}
		if err := db.Close(); err != nil {
			t.Errorf("close after the test: %v", err)
		}
	})
	return dir
}

// filledDir returns a directory that holds values.
func filledDir(t *testing.T, values ...daybook.StoredValue) string {
	t.Helper()
	dir := newDir(t)
	db, err := engine.Open(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := db.StoreBatch(t.Context(), values); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	return dir
}

// stored returns all values of a directory, oldest first.
func stored(t *testing.T, dir string) []daybook.StoredValue {
	t.Helper()
	db, err := engine.Open(dir, &engine.Options{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	values, err := db.Query(t.Context(), "*", daybook.QueryParams{Order: daybook.OldestFirst})
	if err != nil {
		t.Fatal(err)
	}
	return values
}

func value(record, text string, at uint64) daybook.StoredValue {
	return daybook.StoredValue{RecordName: record, Value: json.RawMessage(text), StoredAt: at}
}

// someValues are a small history for the commands that read.
func someValues() []daybook.StoredValue {
	return []daybook.StoredValue{
		value("a.one", `{"x": 1}`, 1000),
		value("a.one", `{"x":2}`, 2000),
		value("a.two", `"<tag> & \u00e9"`, 1500),
		value("b", `null`, 0),
	}
}

func TestErrorsAreOneLine(t *testing.T) {
	missing := filepath.Join(t.TempDir(), "missing")
	filled := filledDir(t, someValues()...)
	file := writeFile(t, "file", "")
	tests := []struct {
		why    string
		args   []string
		want   string // what standard error holds, beside its prefix
		status int
	}{
		{"a subcommand that does not exist", []string{"remember"}, `unknown command "remember"`, statusUsage},
		{"a flag that does not exist", []string{"stats", "--yaml"}, "unknown flag: --yaml", statusUsage},
		{"too few arguments", []string{"query"}, "query needs a PATTERN", statusUsage},
		{"a pattern that the shell has expanded", []string{"query", "a", "b"}, "is it in quotes?", statusUsage},
		{"the same for records", []string{"records", "a", "b"}, "records takes one PATTERN, and got 2 arguments", statusUsage},
		{"help on what does not exist", []string{"help", "remember"}, `unknown command "remember" for "daybook" (see daybook help --help)`, statusUsage},
		{"help on what query does not have", []string{"help", "query", "a"}, `unknown command "query a"`, statusUsage},
		{"a shell that does not exist", []string{"completion", "dos"}, `unknown command "dos" for "daybook completion"`, statusUsage},
		{"too much for a shell", []string{"completion", "bash", "zsh"}, `bash takes no arguments, and got "zsh"`, statusUsage},
		{"an age without its flag", []string{"cleanup", "7d"}, `cleanup takes no arguments, and got "7d": want --older-than before it`, statusUsage},
		{"rules without their flag", []string{"retain", "rules.yaml"}, `retain takes no arguments, and got "rules.yaml": want --rules before it`, statusUsage},
		{"an argument that nothing wants", []string{"stats", "a"}, `stats takes no arguments, and got "a" (see daybook stats --help)`, statusUsage},
		{"one is not a plural", []string{"export", "*"}, "and got 1 argument (see", statusUsage},
		{"a file in a directory that is not there", []string{"export", "*", filepath.Join(missing, "x.csv"), "--dir", filled}, "x.csv cannot be written: there is no directory " + missing, statusFailed},
		{"a backup in a directory that is a file", []string{"backup", file + "/x", "--dir", filled}, "/x cannot be written: ", statusFailed},
		{"a limit that is no number", []string{"query", "*", "--limit", "x"}, `invalid argument "x" for "--limit" flag: want a whole number`, statusUsage},
		{"a switch that is neither on nor off", []string{"records", "--json=maybe"}, "want true or false", statusUsage},
		{"a directory that is a file", []string{"stats", "--dir", file}, file + " is not a directory", statusFailed},
		{"a file for cleanup", []string{"cleanup", "--older-than", "1d", "--dir", file}, file + " is not a directory", statusFailed},
		{"a file for ingest", []string{"ingest", "--dir", file}, file + " is not a directory", statusFailed},
		{"a directory without a name", []string{"stats", "--dir", ""}, "--dir is empty", statusUsage},
		{"seconds for milliseconds", []string{"query", "*", "--since", "1764000000"}, "want Unix milliseconds, 1764000000000", statusUsage},
		{"a word that is not a choice", []string{"query", "*", "--format", "xml"}, "want one of table, ndjson, csv", statusUsage},
		{"a limit below none", []string{"query", "*", "--limit", "-1"}, "--limit -1", statusUsage},
		{"a time that is none", []string{"query", "*", "--since", "yesterday"}, `--since "yesterday" is not a time`, statusUsage},
		{"a relative time without its sign", []string{"query", "*", "--until", "7d"}, "is written -7d", statusUsage},
		{"a pattern that is empty", []string{"query", "", "--dir", filled}, "invalid pattern", statusUsage},
		{"a pattern that ends within an escape", []string{"query", `a\`, "--dir", filled}, "invalid pattern", statusUsage},
		{"a bad pattern for records", []string{"records", `a\`, "--dir", filled}, "invalid pattern", statusUsage},
		{"query where nothing is", []string{"query", "*", "--dir", missing}, "there is no daybook in " + missing, statusFailed},
		{"records where nothing is", []string{"records", "--dir", missing}, "daybook demo", statusFailed},
		{"stats where nothing is", []string{"stats", "--dir", missing}, "daybook ingest", statusFailed},
		{"cleanup where nothing is creates nothing either", []string{"cleanup", "--older-than", "1d", "--dir", missing}, "there is no daybook", statusFailed},
		{"cleanup does not guess what to delete", []string{"cleanup", "--dir", filled}, "needs --older-than", statusUsage},
		{"a cutoff in the future would delete everything", []string{"cleanup", "--older-than", "+1h", "--dir", filled}, "in the future", statusUsage},
		{"so would a time in the future", []string{"cleanup", "--older-than", "3000-01-01", "--dir", filled}, "in the future", statusUsage},
		{"an age longer than a duration can be", []string{"cleanup", "--older-than", "400000d", "--dir", filled}, `"400000d" is before 1970`, statusUsage},
		{"a retention longer than there is time", []string{"demo", "--keep", "30000d", "--dir", missing}, "1970", statusUsage},
		{"a demo without a reading", []string{"demo", "--for", "1ms"}, "at least one reading", statusUsage},
		{"a retention that is no age", []string{"demo", "--keep", "0d"}, "want an age", statusUsage},
	}
	for _, test := range tests {
		t.Run(test.why, func(t *testing.T) {
			got := run(t, "", test.args...)
			if got.status != test.status || got.out != "" {
				t.Errorf("status %d, stdout %q; want status %d and no output", got.status, got.out, test.status)
			}
			line, isLine := strings.CutSuffix(got.err, "\n")
			if !isLine || strings.Contains(line, "\n") || !strings.HasPrefix(line, "daybook: ") || !strings.Contains(line, test.want) {
				t.Errorf("stderr %q; want one line with %q", got.err, test.want)
			}
			if strings.Count(line, "daybook: ") != 1 {
				t.Errorf("stderr %q says its name twice", got.err)
			}
		})
	}
	if _, err := os.Stat(missing); !os.IsNotExist(err) {
		t.Errorf("%s: %v; want that no command created it", missing, err)
	}
}

func TestReadingAnEmptyDirectoryLeavesItEmpty(t *testing.T) {
	dir := t.TempDir()
	for _, args := range [][]string{{"query", "*"}, {"records"}, {"stats"}, {"cleanup", "--older-than", "1d"}, {"compact"}} {
		got := run(t, "", append(args, "--dir", dir)...)
		if got.status != statusFailed || !strings.Contains(got.err, "there is no daybook in "+dir) {
			t.Errorf("daybook %q: status %d, stderr %q", args, got.status, got.err)
		}
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) > 0 {
		t.Errorf("the directory holds %v, %v; want nothing", entries, err)
	}
}

func TestLockedByAnotherProcess(t *testing.T) {
	t.Parallel()
	dir := newDir(t)
	db, err := engine.Open(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	for _, args := range [][]string{{"query", "*"}, {"stats"}, {"ingest"}, {"cleanup", "--older-than", "1d"}, {"compact"}} {
		got := run(t, "", append(args, "--dir", dir)...)
		if got.status != statusFailed || !strings.Contains(got.err, "open in another process") || !strings.Contains(got.err, dir) ||
			strings.Contains(got.err, "demo or an ingest") || // it may as well be a query
			!strings.Contains(got.err, `"daybook tail -f" works beside it`) || !strings.Contains(got.err, "DB.Backup") || strings.Count(got.err, "\n") != 1 {
			t.Errorf("daybook %q: status %d, stderr %q", args, got.status, got.err)
		}
	}
	mustRun(t, "", "tail", "*", "--dir", dir)
}

func TestReadersShareADirectory(t *testing.T) {
	dir := filledDir(t, someValues()...)
	db, err := engine.Open(dir, &engine.Options{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	mustRun(t, "", "query", "*", "--dir", dir)
}

// closedPipe is what standard output is when its reader has left.
type closedPipe struct{}

func (closedPipe) Write([]byte) (int, error) { return 0, syscall.EPIPE }

func TestBrokenPipeIsQuiet(t *testing.T) {
	dir := filledDir(t, someValues()...)
	for _, args := range [][]string{
		{"query", "*"}, {"query", "*", "--format", "csv"}, {"query", "*", "--format", "ndjson"},
		{"records"}, {"records", "--json"}, {"stats"}, {"stats", "--json"}, {"cleanup", "--older-than", "0"}, {"compact"},
	} {
		var errOut bytes.Buffer
		status := execute(t.Context(), append(args, "--dir", dir), strings.NewReader(""), closedPipe{}, &errOut)
		if status != statusDone || errOut.Len() > 0 {
			t.Errorf("daybook %q: status %d, stderr %q; want a quiet end", args, status, errOut.String())
		}
	}
}

func TestInterruptedQuery(t *testing.T) {
	dir := filledDir(t, someValues()...)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var out, errOut bytes.Buffer
	status := execute(ctx, []string{"query", "*", "--dir", dir}, strings.NewReader(""), &out, &errOut)
	if status != statusInterrupted || errOut.String() != "daybook: interrupted\n" {
		t.Errorf("status %d, stderr %q", status, errOut.String())
	}
}

func TestRecords(t *testing.T) {
	dir := filledDir(t, someValues()...)
	want := `RECORD  VALUES  BYTES  OLDEST                         NEWEST
a.one        2   15 B  1970-01-01T01:00:01.000+01:00  1970-01-01T01:00:02.000+01:00
a.two        1   16 B  1970-01-01T01:00:01.500+01:00  1970-01-01T01:00:01.500+01:00
b            1    4 B  1970-01-01T01:00:00.000+01:00  1970-01-01T01:00:00.000+01:00
`
	if diff := cmp.Diff(want, mustRun(t, "", "records", "--dir", dir)); diff != "" {
		t.Errorf("table (-want +got):\n%s", diff)
	}
	want = `{"record_name":"a.one","count":2,"bytes":15,"oldest":1000,"newest":2000}
{"record_name":"a.two","count":1,"bytes":16,"oldest":1500,"newest":1500}
`
	if diff := cmp.Diff(want, mustRun(t, "", "records", "a.*", "--topic", "--json", "--dir", dir)); diff != "" {
		t.Errorf("lines (-want +got):\n%s", diff)
	}
	if got := run(t, "", "records", "c*", "--dir", dir); got != (result{"", "no records that match the glob \"c*\"\n", 0}) {
		t.Errorf("no match: %+v", got)
	}
}

func TestStats(t *testing.T) {
	dir := filledDir(t, someValues()...)
	var got statsJSON
	if err := json.Unmarshal([]byte(mustRun(t, "", "stats", "--json", "--dir", dir)), &got); err != nil {
		t.Fatal(err)
	}
	if got.Values != 4 || got.Records != 3 || got.ValueBytes != 35 || got.DiskBytes <= 0 {
		t.Errorf("stats: %+v", got)
	}
	table := mustRun(t, "", "stats", "--dir", dir)
	for _, want := range []string{"records", "values", "raw JSON          35 B", "8.8 B", "directory"} {
		if !strings.Contains(table, want) {
			t.Errorf("no %q in:\n%s", want, table)
		}
	}
}

func TestCleanup(t *testing.T) {
	tests := []struct {
		why       string
		olderThan string
		want      string
		left      int
	}{
		{"what is as old as the cutoff stays", "1500", "deleted 2 values stored before 1970-01-01T01:00:01.500+01:00\n", 2},
		{"an RFC 3339 time", "1970-01-01T00:00:01.001Z", "deleted 2 values stored before 1970-01-01T01:00:01.001+01:00\n", 2},
		{"one is not a plural", "1", "deleted 1 value stored before 1970-01-01T01:00:00.001+01:00\n", 3},
		{"nothing is older", "0", "deleted 0 values stored before 1970-01-01T01:00:00.000+01:00\n", 4},
	}
	for _, test := range tests {
		t.Run(test.why, func(t *testing.T) {
			dir := filledDir(t, someValues()...)
			got := mustRun(t, "", "cleanup", "--older-than", test.olderThan, "--dir", dir)
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("output (-want +got):\n%s", diff)
			}
			if left := len(stored(t, dir)); left != test.left {
				t.Errorf("%d values are left; want %d", left, test.left)
			}
		})
	}
}

func TestCompact(t *testing.T) {
	dir := filledDir(t, someValues()...)
	db, err := engine.Open(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := range uint64(40) { // more than what is left is worth
		if err := db.Store(t.Context(), "large", []byte(`"`+strings.Repeat(strconv.FormatUint(i*i*i, 7), 10_000)+`"`), 1); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := db.Prune(t.Context(), "large", daybook.PruneParams{OlderThan: 2}); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	before := stored(t, dir)
	got := mustRun(t, "", "compact", "--dir", dir)
	if !regexp.MustCompile(`^the file had \d+ kB and has \d+ kB, [0-9.]+ B for each of 4 values\n$`).MatchString(got) {
		t.Errorf("output %q", got)
	}
	if diff := cmp.Diff(before, stored(t, dir)); diff != "" {
		t.Errorf("values (-before +after):\n%s", diff)
	}
}

func TestCleanupByAge(t *testing.T) {
	fresh := daybook.Now()
	day := uint64(24 * time.Hour / time.Millisecond)
	dir := filledDir(t, value("r", "1", fresh), value("r", "2", fresh-6*day), value("r", "3", fresh-8*day))
	got := mustRun(t, "", "cleanup", "--older-than", "1w", "--dir", dir)
	if !strings.HasPrefix(got, "deleted 1 value stored before ") {
		t.Errorf("output %q", got)
	}
}

func TestHelpOfEveryCommand(t *testing.T) {
	for _, command := range newRootCommand().Commands() {
		help := mustRun(t, "", command.Name(), "--help")
		if !strings.Contains(help, "Examples:") || !strings.Contains(help, "--dir") {
			t.Errorf("help of %s:\n%s", command.Name(), help)
		}
	}
	if help := mustRun(t, ""); !strings.Contains(help, "Available Commands:") {
		t.Errorf("help:\n%s", help)
	}
}
