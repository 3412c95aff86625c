// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/engine"
)

// awkwardValues are what formats trip over: line breaks, quotes, commas, equal times, the least and greatest time, numbers
// that a float does not hold, and a name that is no word.
func awkwardValues() []daybook.StoredValue {
	values := []daybook.StoredValue{
		value("a", "{\"b\" : [1,\t2]}", 5),
		value("a", `"second of the same time, \"quoted\""`, 5),
		value("a", `12345678901234567890.000000000000000001`, 0),
		value("a, \"b\"\né", `"é\u0000"`, 1<<64-1),
		value("z", `null`, 1<<63),
	}
	for i := range uint64(3000) {
		values = append(values, value("many", fmt.Sprintf(`{"n":%d}`, i), i/2))
	}
	return values
}

func TestExportAndImport(t *testing.T) {
	dir := filledDir(t, awkwardValues()...)
	want := stored(t, dir)
	for _, format := range transferFormats {
		t.Run(format, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "history."+format)
			out := mustRun(t, "", "export", "*", file, "--dir", dir)
			if !strings.HasPrefix(out, "exported 3,005 values, ") {
				t.Errorf("export said %q", out)
			}
			copied := newDir(t)
			if out := mustRun(t, "", "import", file, "--dir", copied); !strings.HasPrefix(out, "imported 3,005 values from 1 file in ") {
				t.Errorf("import said %q", out)
			}
			if diff := cmp.Diff(want, stored(t, copied)); diff != "" {
				t.Errorf("what was imported (-want +got):\n%s", diff)
			}
			piped := mustRun(t, "", "export", "*", "-", "--format", format, "--dir", dir)
			if data, err := os.ReadFile(file); err != nil || format != "parquet" && piped != string(data) {
				t.Errorf("what is piped differs from the file (%v)", err)
			}
		})
	}
}

func TestExportSelects(t *testing.T) {
	dir := filledDir(t, awkwardValues()...)
	got := mustRun(t, "", "export", "many", "-", "--format", "csv", "--since", "10", "--until", "10", "--dir", dir)
	if want := "record_name,stored_at,value\nmany,10,\"{\"\"n\"\":20}\"\nmany,10,\"{\"\"n\"\":21}\"\n"; got != want {
		t.Errorf("got %q; want %q", got, want)
	}
}

// TestImportRefuses files that are cut off, altered, or something else.
func TestImportRefuses(t *testing.T) {
	dir := filledDir(t, awkwardValues()...)
	parquet := filepath.Join(t.TempDir(), "history.parquet")
	mustRun(t, "", "export", "*", parquet, "--dir", dir)
	data, err := os.ReadFile(parquet)
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		why, name, data, want string
		before                string // what was stored
	}{
		{"a Parquet file that is cut off", "x.parquet", string(data[:len(data)/2]), "it is not a whole Parquet file", ""},
		{"something else", "x.parquet", "no parquet", "it is not a whole Parquet file", ""},
		{"a binary file for CSV", "x.csv", "PAR1" + strings.Repeat("\x01\xff", 1000), `the header is ["PAR1\x01\xff\x01`, ""},
		{"another CSV", "x.csv", "a,b\n1,2\n", "the header is", ""},
		{"a row of CSV that is too short", "x.csv", "record_name,stored_at,value\na,1,1\nb,2\n", "wrong number of fields", "1 value was"},
		{"a value that is no JSON", "x.csv", "record_name,stored_at,value\na,1,1\nb,2,{\n", "x.csv:3: ", "1 value was"},
		{"a time that is none", "x.csv", "record_name,stored_at,value\na,soon,1\n", `x.csv:2: column 2 ("stored_at"): "soon" is not a time`, "0 values were"},
		{"a line that is no JSON", "x.ndjson", "{\n", "x.ndjson:1: ", "0 values were"},
	}
	for _, test := range tests {
		t.Run(test.why, func(t *testing.T) {
			file := writeFile(t, test.name, test.data)
			dir := newDir(t)
			got := run(t, "", "import", file, "--dir", dir)
			if got.status != statusFailed || got.out != "" || strings.Count(got.err, "\n") != 1 || len(got.err) > 400 || !strings.Contains(got.err, test.want) || (test.before == "") == strings.Contains(got.err, " stored before it") || !strings.Contains(got.err, test.before) {
				t.Errorf("status %d, stdout %q, stderr %q; want %q, and %q", got.status, got.out, got.err, test.want, test.before)
			}
			if _, err := os.Stat(dir); test.before == "" && !os.IsNotExist(err) {
				t.Errorf("a directory was made for what is no export: %v", err)
			}
		})
	}
}

func TestBackupAndRestore(t *testing.T) {
	dir := filledDir(t, awkwardValues()...)
	want := stored(t, dir)
	file := filepath.Join(t.TempDir(), "history.daybook")
	if out := mustRun(t, "", "backup", file, "--dir", dir); !strings.HasPrefix(out, "3,005 values of 4 records in ") {
		t.Errorf("backup said %q", out)
	}
	restored := newDir(t)
	if out := mustRun(t, "", "restore", file, "--dir", restored); out != "restored 3,005 values of 4 records into "+restored+"\n" {
		t.Errorf("restore said %q", out)
	}
	if diff := cmp.Diff(want, stored(t, restored)); diff != "" {
		t.Errorf("what was restored (-want +got):\n%s", diff)
	}
	piped := newDir(t)
	mustRun(t, mustRun(t, "", "backup", "-", "--dir", dir), "restore", "-", "--dir", piped)
	if diff := cmp.Diff(want, stored(t, piped)); diff != "" {
		t.Errorf("what was piped (-want +got):\n%s", diff)
	}

	whole, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	altered := bytes.Clone(whole)
	altered[len(altered)/2] ^= 1
	tests := []struct {
		why  string
		args []string
		want string
	}{
		{"a backup that is cut off", []string{"restore", writeFile(t, "cut", string(whole[:len(whole)-100])), "--dir", newDir(t)}, "cut off"},
		{"one that was altered", []string{"restore", writeFile(t, "altered", string(altered)), "--dir", newDir(t)}, "has been altered"},
		{"a directory that holds something", []string{"restore", file, "--dir", restored}, "is not empty"},
		{"a file that is there", []string{"backup", file, "--dir", dir}, "is there already"},
		{"a backup that is not there", []string{"restore", file + "x", "--dir", newDir(t)}, "no such file"},
		{"a directory that holds nothing", []string{"backup", file + "x", "--dir", newDir(t)}, "there is no daybook"},
	}
	for _, test := range tests {
		t.Run(test.why, func(t *testing.T) {
			got := run(t, "", test.args...)
			if got.status != statusFailed || got.out != "" || strings.Count(got.err, "\n") != 1 || !strings.Contains(got.err, test.want) {
				t.Errorf("status %d, stdout %q, stderr %q; want %q", got.status, got.out, got.err, test.want)
			}
			if dir := test.args[len(test.args)-1]; dir != restored && test.args[0] == "restore" {
				if _, err := os.Stat(dir); !os.IsNotExist(err) {
					t.Errorf("the directory is there: %v", err)
				}
			}
		})
	}
	if diff := cmp.Diff(want, stored(t, restored)); diff != "" {
		t.Errorf("what was restored has changed (-want +got):\n%s", diff)
	}
	if left, _ := filepath.Glob(filepath.Join(filepath.Dir(file), "*.part")); len(left) > 0 {
		t.Errorf("%q are left", left)
	}
}

func TestCheck(t *testing.T) {
	dir := filledDir(t, someValues()...)
	if out := mustRun(t, "", "check", "--dir", dir); !strings.HasPrefix(out, "4 values of 3 records are whole, in ") {
		t.Errorf("check said %q", out)
	}
	damaged := damagedDir(t, someValues()...)
	got := run(t, "", "check", "--dir", damaged)
	if got.status != statusFailed || got.out != "" || strings.Count(got.err, "\n") != 1 || !strings.Contains(got.err, `record "a.two"`) || !strings.Contains(got.err, "check --quarantine") {
		t.Errorf("status %d, stdout %q, stderr %q; want the record that is damaged, and the remedy", got.status, got.out, got.err)
	}
	want := "lost 1 value that could not be read\nset aside " + filepath.Join(damaged, "daybook.corrupt-1.db") + "\n3 values of 2 records are whole, in "
	if out := mustRun(t, "", "check", "--quarantine", "--dir", damaged); !strings.HasPrefix(out, want) {
		t.Errorf("got %q; want %q", out, want)
	}
	mustRun(t, "", "check", "--dir", damaged)
}

// damagedDir returns a directory with values, of which each with <tag> in it is damaged, as that of a.two of someValues.
func damagedDir(t *testing.T, values ...daybook.StoredValue) string {
	t.Helper()
	damaged := t.TempDir()
	data, err := os.ReadFile(filepath.Join(filledDir(t, values...), "daybook.db"))
	if err != nil {
		t.Fatal(err)
	}
	data = bytes.ReplaceAll(data, []byte("<tag>"), []byte("<tug>"))
	if err := os.WriteFile(filepath.Join(damaged, "daybook.db"), data, 0o600); err != nil {
		t.Fatal(err)
	}
	return damaged
}

// TestCheckSaysWhatIsMissing loses a chunk, so that the list of records says more than there is.
func TestCheckSaysWhatIsMissing(t *testing.T) {
	values := []daybook.StoredValue{value("r", `"<tag>"`, 1)}
	for i := range uint64(1499) {
		values = append(values, value("r", "1", i+2))
	}
	got := run(t, "", "check", "--dir", damagedDir(t, values...))
	if want := "says count 1500, bytes 1506, oldest 1, newest 1500 with sequence number 1500; its chunks hold count "; !strings.Contains(got.err, want) || strings.Contains(got.err, "{") {
		t.Errorf("%+v; want %q", got, want)
	}
}

func TestCheckQuarantines(t *testing.T) {
	dir := filledDir(t, someValues()...)
	path := filepath.Join(dir, "daybook.db")
	if err := os.WriteFile(path, []byte("the disk has lost its mind"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := run(t, "", "check", "--dir", dir); got.status != statusFailed || !strings.Contains(got.err, path) {
		t.Errorf("status %d, stderr %q; want the file that is damaged", got.status, got.err)
	}
	want := "set aside " + filepath.Join(dir, "daybook.corrupt-1.db") + "\n0 values of 0 records are whole, in "
	if out := mustRun(t, "", "check", "--quarantine", "--dir", dir); !strings.HasPrefix(out, want) {
		t.Errorf("got %q; want %q", out, want)
	}
	mustRun(t, `{"record_name":"a","value":1,"stored_at":1}`, "ingest", "--dir", dir)
	missing := newDir(t)
	if got := run(t, "", "check", "--quarantine", "--dir", missing); got.status != statusFailed || !strings.Contains(got.err, "there is no daybook") {
		t.Errorf("where nothing is: status %d, stderr %q", got.status, got.err)
	}
}

func TestPrune(t *testing.T) {
	tests := []struct {
		why  string
		args []string
		want int // values that are left
	}{
		{"by age", []string{"*", "--older-than", "1970-01-01T00:00:01.2Z"}, 2},
		{"by age, but spares", []string{"*", "--older-than", "1970-01-01T00:00:01.2Z", "--keep-newest", "1"}, 3},
		{"by count", []string{"a.*", "--max-per-record", "1"}, 3},
		{"by size", []string{"*", "--max-bytes", "27B"}, 2},
		{"but some", []string{"*", "--older-than", "1d", "--except", "a.t*", "--except", "b"}, 2},
		{"a topic", []string{"*", "--topic", "--older-than", "1d"}, 3},
	}
	for _, test := range tests {
		t.Run(test.why, func(t *testing.T) {
			dir := filledDir(t, someValues()...)
			out := mustRun(t, "", append([]string{"prune", "--dir", dir}, test.args...)...)
			if got := stored(t, dir); len(got) != test.want || !strings.HasPrefix(out, "deleted "+counted(4-test.want, "value")+" in ") {
				t.Errorf("%q, and %d values are left: %v; want %d", out, len(got), got, test.want)
			}
		})
	}
	refused := []struct {
		why  string
		args []string
		want string
	}{
		{"nothing to delete by", []string{"*"}, "prune needs --older-than"},
		{"a time that is none", []string{"*", "--older-than", "soon"}, `--older-than "soon" is not a time`},
		{"a size that is none", []string{"*", "--max-bytes", "much"}, `--max-bytes "much": want a number and a unit`},
		{"a size without a unit", []string{"*", "--max-bytes", "500"}, `--max-bytes "500": want a unit, as in 500B, 500kB or 500MB`},
		{"no size at all", []string{"*", "--max-bytes", "0B"}, `--max-bytes "0B": want more than 0`},
		{"a number below none", []string{"*", "--max-per-record", "-1"}, "--max-per-record -1: want 1 or more"},
		{"none of each", []string{"*", "--max-per-record", "0"}, "--max-per-record 0: want 1 or more"},
		{"fewer than none kept", []string{"*", "--older-than", "1d", "--keep-newest", "-1"}, "--keep-newest -1: want 0 or more"},
		{"more kept than the most", []string{"*", "--max-per-record", "1", "--keep-newest", "2"}, "--keep-newest 2 is more than --max-per-record 1"},
		{"an exception that is no pattern", []string{"*", "--older-than", "1d", "--except", ""}, `daybook: --except: invalid pattern: it is empty`},
	}
	for _, test := range refused {
		t.Run(test.why, func(t *testing.T) {
			dir := filledDir(t, someValues()...)
			got := run(t, "", append([]string{"prune", "--dir", dir}, test.args...)...)
			if got.status != statusUsage || !strings.Contains(got.err, test.want) || len(stored(t, dir)) != 4 {
				t.Errorf("%+v; want status %d, %q and nothing deleted", got, statusUsage, test.want)
			}
		})
	}
}

func TestTail(t *testing.T) {
	dir := filledDir(t, someValues()...)
	want := `{"record_name":"a.two","value":"<tag> & \u00e9","stored_at":1500}
{"record_name":"a.one","value":{"x":2},"stored_at":2000}
`
	if got := mustRun(t, "", "tail", "a.*", "-n", "2", "--dir", dir); got != want {
		t.Errorf("the last two: got %q; want %q", got, want)
	}
	missing := newDir(t)
	if got := run(t, "", "tail", "*", "-f", "--dir", missing); got.status != statusFailed || !strings.Contains(got.err, "there is no daybook in "+missing) {
		t.Errorf("where nothing is: status %d, stderr %q", got.status, got.err)
	}
}

// TestTailFollows another one that stores, as another process does, and is interrupted.
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
		done <- execute(ctx, []string{"tail", "-f", "*", "-n", "2", "--format", "csv", "--dir", dir}, strings.NewReader(""), &out, &out)
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

// lockedBuffer is a buffer that one goroutine writes to and another one reads.
type lockedBuffer struct {
	mu     sync.Mutex
	buffer bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buffer.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buffer.String()
}

func (b *lockedBuffer) waitFor(t *testing.T, text string) {
	t.Helper()
	for range 1000 {
		if strings.Contains(b.String(), text) {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("%q never came; got %q", text, b.String())
}

// TestTailFollowsShortLived stores in commands that open the daybook, store and close it again, and then has another daybook
// in its place.
func TestTailFollowsShortLived(t *testing.T) {
	dir := filledDir(t, someValues()...)
	ctx, interrupt := context.WithCancel(t.Context())
	defer interrupt()
	var out lockedBuffer
	done := make(chan int)
	go func() {
		done <- execute(ctx, []string{"tail", "-f", "new*", "--format", "csv", "--dir", dir}, strings.NewReader(""), &out, &out)
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
	out.waitFor(t, "another daybook has come into the directory\nnew.again,1,1\n")
	interrupt()
	<-done
}
