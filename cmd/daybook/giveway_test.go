// SPDX-License-Identifier: Apache-2.0

package main

import (
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/engine"
)

// startCommand starts a command line in a process of its own.
func startCommand(t *testing.T, out io.Writer, args ...string) *exec.Cmd {
	t.Helper()
	command := exec.Command(os.Args[0], args...)
	command.Env = append(os.Environ(), "DAYBOOK_TEST_COMMAND=1")
	command.Stdout = out
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = command.Process.Kill()
		_ = command.Wait()
	})
	return command
}

// mustOpenBesideReaders opens the directory for writing, and stores and reads a value. Open waits
// for a minute, because the readers are processes that may be late to give way on a busy machine.
func mustOpenBesideReaders(t *testing.T, dir string) {
	t.Helper()
	start := time.Now()
	db, err := engine.Open(dir, &engine.Options{LockTimeout: time.Minute})
	took := time.Since(start)
	if err != nil {
		t.Errorf("Open for writing beside readers: %v after %v", err, took)
		return
	}
	t.Logf("Open for writing took %v", took)
	if err := db.Store(t.Context(), "new", []byte("1"), 1); err != nil {
		t.Error(err)
	}
	if values, err := db.Query(t.Context(), "new", daybook.QueryParams{}); err != nil || len(values) == 0 {
		t.Errorf("read %d values, %v; want the one that was stored", len(values), err)
	}
	if err := db.Close(); err != nil {
		t.Error(err)
	}
}

// TestReadersGiveWay opens a daybook for writing while other processes read it. They must not make
// that fail, even those that stand still because nobody reads their output.
func TestReadersGiveWay(t *testing.T) {
	var values []daybook.StoredValue
	for i := range 20_000 {
		values = append(values, daybook.StoredValue{
			RecordName: "record", Value: []byte(`"` + strings.Repeat("x", 50) + `"`), StoredAt: uint64(i),
		})
	}
	dir := filledDir(t, values...)
	commands := [][]string{
		{"export", "*", "-", "--format", "ndjson"}, {"query", "*"}, {"tail", "*", "-n", "20000"},
	}
	for _, args := range commands {
		t.Run(strings.Join(args, " ")+" | sleep", func(t *testing.T) {
			reader, writer, err := os.Pipe() // that is full after 64 KiB
			if err != nil {
				t.Fatal(err)
			}
			defer reader.Close()
			startCommand(t, writer, append(args, "--dir", dir)...)
			_ = writer.Close()
			if _, err := io.ReadFull(reader, make([]byte, 1)); err != nil {
				t.Fatalf("no output: %v", err)
			}
			mustOpenBesideReaders(t, dir)
		})
	}
	readers, rounds := 20, 5
	if runtime.GOOS == "windows" {
		readers, rounds = 5, 2 // wine is slow
	}
	t.Run("readers in loops", func(t *testing.T) {
		var reading sync.WaitGroup
		stop := make(chan struct{})
		for i := range readers {
			args := [][]string{{"check"}, {"query", "new"}, {"records"}, {"tail", "*"}, {"stats"}}[i%5]
			reading.Go(func() {
				for {
					select {
					case <-stop:
						return
					default:
					}
					command := exec.Command(os.Args[0], append(args, "--dir", dir)...)
					command.Env = append(os.Environ(), "DAYBOOK_TEST_COMMAND=1")
					out, err := command.CombinedOutput()
					says := func(text string) bool { return strings.Contains(string(out), text) }
					if err != nil && !says("another process") && !says("gave way") {
						t.Errorf("daybook %q: %v: %s", args, err, out)
					}
				}
			})
		}
		for range rounds {
			time.Sleep(20 * time.Millisecond)
			mustOpenBesideReaders(t, dir)
		}
		close(stop)
		reading.Wait()
	})
}
