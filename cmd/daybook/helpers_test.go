// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/engine"
)

func TestMain(m *testing.M) {
	if os.Getenv("DAYBOOK_TEST_COMMAND") != "" { // a test runs the command as another process
		main()
	}
	// The command prints local times. The tests must not depend on the machine's zone.
	time.Local = time.FixedZone("test", 60*60)
	os.Exit(m.Run())
}

// result is the output and the exit status of one command line.
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

// mustRun runs a command line that must succeed and print nothing on standard error. It returns the
// output.
func mustRun(t *testing.T, stdin string, args ...string) string {
	t.Helper()
	got := run(t, stdin, args...)
	if got.status != statusDone || got.err != "" {
		t.Fatalf("daybook %q: status %d, stderr %q", args, got.status, got.err)
	}
	return got.out
}

// newDir returns a directory that does not exist yet. At the end of the test, a daybook in it is
// checked.
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

// damagedDir returns a directory that holds values. Those with <tag> in them, as that of a.two of
// someValues, are damaged.
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

// stored returns all values of a directory, the oldest first.
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

// someValues returns a small history for the commands that read.
func someValues() []daybook.StoredValue {
	return []daybook.StoredValue{
		value("a.one", `{"x": 1}`, 1000),
		value("a.one", `{"x":2}`, 2000),
		value("a.two", `"<tag> & \u00e9"`, 1500),
		value("b", `null`, 0),
	}
}

// writeFile writes a file with this name in a directory of its own, and returns its path.
func writeFile(t *testing.T, name, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// wantParts wants that out contains each of parts.
func wantParts(t *testing.T, out string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(out, part) {
			t.Errorf("no %q in:\n%s", part, out)
		}
	}
}

// lockedBuffer is a buffer that one goroutine writes and another one reads.
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

// waitFor waits until the buffer contains text.
func (b *lockedBuffer) waitFor(t *testing.T, text string) {
	t.Helper()
	b.waitForTimes(t, text, 1)
}

// waitForTimes waits until the buffer contains text as many times.
func (b *lockedBuffer) waitForTimes(t *testing.T, text string, times int) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); {
		if strings.Count(b.String(), text) >= times {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("%q was not printed %d times in a minute; got %q", text, times, b.String())
}
