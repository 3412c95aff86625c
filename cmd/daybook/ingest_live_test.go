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

// sending is what a sender writes, piece by piece. It does not write the next piece before the values
// that the ones until then hold are stored.
type sending struct {
	why    string
	pieces []sentPiece
}

type sentPiece struct {
	text   string
	values int // that are to be stored before the next piece
}

// sendings pause where it matters. Each has three values in the end.
func sendings() []sending {
	line := func(n int) string { return fmt.Sprintf(`{"record_name":"r","value":%d,"stored_at":5}`, n) + "\n" }
	long := `{"record_name":"r","value":"` + strings.Repeat("x", 5*inputBuffer)
	return []sending{
		{"between lines", []sentPiece{{line(0), 1}, {line(1), 1}, {line(2), 1}}},
		{"within a line", []sentPiece{{line(0) + line(1) + line(2)[:5], 2}, {line(2)[5:], 1}}},
		{"within a line that is longer than what is read at a time", []sentPiece{{line(0) + line(1) + long, 2}, {`","stored_at":5}` + "\n", 1}}},
	}
}

// storeFunc is a store that calls a function.
type storeFunc func([]daybook.StoredValue)

func (f storeFunc) StoreBatch(_ context.Context, batch []daybook.StoredValue) error {
	f(batch)
	return nil
}

// send writes the pieces to out, and waits on stored for their values to be.
func (s sending) send(out io.WriteCloser, stored <-chan int) {
	defer out.Close()
	for _, piece := range s.pieces {
		_, _ = io.WriteString(out, piece.text)
		for missing := piece.values; missing > 0; {
			missing -= <-stored // never, if a value waits for what comes after it
		}
	}
}

// mustStoreBeforeWaiting ingests what a sender writes.
func (s sending) mustStoreBeforeWaiting(t *testing.T, in io.Reader, out io.WriteCloser, inputs []input, flags ingestFlags) {
	t.Helper()
	stored := make(chan int, 3)
	go s.send(out, stored)
	i := &ingestion{db: storeFunc(func(batch []daybook.StoredValue) { stored <- len(batch) }), in: in, flags: flags}
	if err := i.examine(t.Context(), inputs); err != nil {
		t.Fatal(err)
	}
	if err := i.run(t.Context(), inputs); err != nil || i.stored != 3 {
		t.Errorf("%d values, %v; want 3", i.stored, err)
	}
}

// mustFind finds inputs.
func mustFind(t *testing.T, names ...string) []input {
	t.Helper()
	inputs, _, err := findInputs(names)
	if err != nil {
		t.Fatal(err)
	}
	return inputs
}

func TestSlowSender(t *testing.T) {
	for _, s := range sendings() {
		t.Run(s.why, func(t *testing.T) {
			in, out := io.Pipe()
			s.mustStoreBeforeWaiting(t, in, out, mustFind(t), ingestFlags{format: choiceFlag{value: "auto"}})
		})
	}
}

func TestSlowSenderOfCSV(t *testing.T) {
	rows := sending{"within a row of several lines", []sentPiece{
		{"t,a\n1,x\n2,y\n3,\"one\ntwo\n", 2}, {"three\"\n", 1}}}
	in, out := io.Pipe()
	flags := ingestFlags{format: choiceFlag{value: "auto"}, record: "r", timeColumn: "t"}
	rows.mustStoreBeforeWaiting(t, in, out, mustFind(t), flags)
}

// fullDisk is a store that takes nothing.
type fullDisk struct{}

func (fullDisk) StoreBatch(context.Context, []daybook.StoredValue) error { return daybook.ErrNoSpace }

func TestStoreFaultBeforeWaitingIsNotTheInputs(t *testing.T) {
	in, out := io.Pipe()
	defer out.Close()
	go fmt.Fprintln(out, `{"record_name":"r","value":1,"stored_at":5}`)
	i := &ingestion{db: fullDisk{}, in: in, flags: ingestFlags{format: choiceFlag{value: "auto"}}}
	err := i.run(t.Context(), []input{{name: stdinName, live: true}})
	if err == nil || errorLine(err) != "no space left" {
		t.Errorf("error %v; want the store's alone", err)
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
	if status != statusInterrupted || !strings.Contains(errOut.String(), "interrupted") {
		t.Errorf("status %d, stderr %q", status, errOut.String())
	}
	want := fmt.Sprintf("%s stored before it\n", wereCounted(len(stored(t, dir)), "value"))
	if !strings.HasSuffix(errOut.String(), want) {
		t.Errorf("stderr %q; want that it ends in %q", errOut.String(), want)
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
	if diff := cmp.Diff("daybook: stdin: interrupted\n", errOut.String()); status != statusInterrupted || diff != "" {
		t.Errorf("status %d, stderr (-want +got):\n%s", status, diff)
	}
	if _, err := os.Stat(dir); !os.IsNotExist(err) {
		t.Errorf("%s: %v; want that it was not created", dir, err)
	}
}
