// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/daybook-db/daybook"
)

// slowSender writes an input piece by piece. It writes a piece only after the values of the pieces
// before it are stored.
type slowSender struct {
	name   string
	pieces []sentPiece
}

type sentPiece struct {
	text   string
	values int // that must be stored before the next piece
}

// slowSenders pause at the places that matter. Each sends three values.
func slowSenders() []slowSender {
	line := func(n int) string { return fmt.Sprintf(`{"record_name":"r","value":%d,"stored_at":5}`, n) + "\n" }
	long := `{"record_name":"r","value":"` + strings.Repeat("x", 5*inputBuffer)
	return []slowSender{
		{"between lines", []sentPiece{{line(0), 1}, {line(1), 1}, {line(2), 1}}},
		{"within a line", []sentPiece{{line(0) + line(1) + line(2)[:5], 2}, {line(2)[5:], 1}}},
		{"within a line that is longer than the input buffer",
			[]sentPiece{{line(0) + line(1) + long, 2}, {`","stored_at":5}` + "\n", 1}}},
	}
}

// storeFunc is a store that calls a function.
type storeFunc func([]daybook.StoredValue)

func (f storeFunc) StoreBatch(_ context.Context, batch []daybook.StoredValue) error {
	f(batch)
	return nil
}

// send writes the pieces to out. After each piece it receives from stored until its values are
// stored; it would wait for ever if a value waited for the next piece.
func (s slowSender) send(out io.WriteCloser, stored <-chan int) {
	defer out.Close()
	for _, piece := range s.pieces {
		_, _ = io.WriteString(out, piece.text)
		for missing := piece.values; missing > 0; {
			missing -= <-stored
		}
	}
}

// mustStoreBeforeWaiting ingests what the sender writes to out. The inputs read that from in, or
// from a file of their own.
func (s slowSender) mustStoreBeforeWaiting(
	t *testing.T, in io.Reader, out io.WriteCloser, inputs []input, flags *ingestFlags,
) {
	t.Helper()
	stored := make(chan int, 3)
	go s.send(out, stored)
	db := storeFunc(func(batch []daybook.StoredValue) { stored <- len(batch) })
	i := &ingestion{loader: loader{db: db}, stdin: in, flags: flags, out: io.Discard}
	if err := i.examine(t.Context(), inputs); err != nil {
		t.Fatal(err)
	}
	if err := i.run(t.Context(), inputs); err != nil || i.stored != 3 {
		t.Errorf("stored %d values, error %v; want 3 values", i.stored, err)
	}
}

// mustFind returns the inputs that names stand for.
func mustFind(t *testing.T, names ...string) []input {
	t.Helper()
	inputs, _, err := findInputs(names)
	if err != nil {
		t.Fatal(err)
	}
	return inputs
}

func autoFormat() *ingestFlags { return newIngestFlags() }

func TestValuesOfSlowSenderAreStored(t *testing.T) {
	for _, s := range slowSenders() {
		t.Run(s.name, func(t *testing.T) {
			in, out := io.Pipe()
			s.mustStoreBeforeWaiting(t, in, out, mustFind(t), autoFormat())
		})
	}
}

func TestRowsOfSlowSenderAreStored(t *testing.T) {
	rows := slowSender{"within a row of several lines", []sentPiece{
		{"t,a\n1764000001,x\n1764000002,y\n1764000003,\"one\ntwo\n", 2}, {"three\"\n", 1}}}
	in, out := io.Pipe()
	flags := autoFormat()
	flags.record, flags.time = "r", []string{"t"}
	rows.mustStoreBeforeWaiting(t, in, out, mustFind(t), flags)
}

// fullDisk is a store without space.
type fullDisk struct{}

func (fullDisk) StoreBatch(context.Context, []daybook.StoredValue) error { return daybook.ErrNoSpace }

// TestStoreErrorBeforeWaitIsReported wants the error of the store, not one about the input that had
// to wait.
func TestStoreErrorBeforeWaitIsReported(t *testing.T) {
	in, out := io.Pipe()
	defer out.Close()
	go fmt.Fprintln(out, `{"record_name":"r","value":1,"stored_at":5}`)
	i := &ingestion{loader: loader{db: fullDisk{}}, stdin: in, flags: autoFormat(), out: io.Discard}
	err := i.run(t.Context(), []input{{name: stdinName, live: true}})
	if err != daybook.ErrNoSpace {
		t.Errorf("error %v; want ErrNoSpace as it is", err)
	}
}

func TestInterruptedIngest(t *testing.T) {
	dir := newDir(t)
	ctx, cancel := context.WithCancel(t.Context())
	in, sender := io.Pipe()
	defer sender.Close()
	go func() {
		fmt.Fprintln(sender, `{"record_name":"r","value":1,"stored_at":5}`)
		cancel()
	}()
	var out, errOut bytes.Buffer
	status := execute(ctx, []string{"ingest", "--format", "ndjson", "--dir", dir}, in, &out, &errOut)
	want := "daybook: interrupted\n" // before a value was stored, there is no directory
	if _, err := os.Stat(dir); err == nil {
		want = fmt.Sprintf("daybook: interrupted: %s stored before it\n", wereCounted(len(stored(t, dir)), "value"))
	}
	got := strings.Replace(errOut.String(), ": 0 values were stored before it", "", 1)
	if diff := cmp.Diff(want, got); status != statusInterrupted || diff != "" {
		t.Errorf("status %d, stderr (-want +got):\n%s", status, diff)
	}
}

func TestInterruptedBeforeAnyInput(t *testing.T) {
	dir := newDir(t)
	ctx, cancel := context.WithCancel(t.Context())
	in, sender := io.Pipe()
	defer sender.Close()
	go cancel()
	var out, errOut bytes.Buffer
	status := execute(ctx, []string{"ingest", "--dir", dir}, in, &out, &errOut)
	if diff := cmp.Diff("daybook: interrupted\n", errOut.String()); status != statusInterrupted || diff != "" {
		t.Errorf("status %d, stderr (-want +got):\n%s", status, diff)
	}
	if _, err := os.Stat(dir); !os.IsNotExist(err) {
		t.Errorf("%s: %v; want that the directory was not created", dir, err)
	}
}
