// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/engine"
)

// TestReadingBesideAWriter runs the commands that read beside a process that stores: an ingest
// whose input has not ended. They show what it has stored so far, and it goes on.
func TestReadingBesideAWriter(t *testing.T) {
	dir := newDir(t)
	writer := exec.Command(os.Args[0], "ingest", "--format", "ndjson", "--dir", dir)
	writer.Env = append(os.Environ(), "DAYBOOK_TEST_COMMAND=1")
	var errOut lockedBuffer
	writer.Stderr = &errOut
	input, err := writer.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := writer.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = writer.Process.Kill() })
	for i := range 3 {
		fmt.Fprintf(input, "{\"record_name\":\"probe\",\"value\":%d,\"stored_at\":%d}\n", i, i)
	}
	csv := "record_name,stored_at,value\nprobe,0,0\nprobe,1,1\nprobe,2,2\n"
	query := []string{"query", "*", "--oldest-first", "--limit", "0", "--format", "csv", "--dir", dir}
	var got result
	for end := time.Now().Add(time.Minute); got.out != csv && time.Now().Before(end); {
		time.Sleep(10 * time.Millisecond)
		got = run(t, "", query...)
	}
	if got.out != csv || got.err != "" {
		t.Fatalf("query beside a writer: %+v; want %q; the writer says %q", got, csv, errOut.String())
	}
	for _, test := range []struct {
		args []string
		want string // in the output
	}{
		{[]string{"records"}, "probe"},
		{[]string{"stats", "--json"}, `"values":3,`},
		{[]string{"export", "*", "-", "--format", "csv"}, "probe,2,2"},
		{[]string{"holds", "--json"}, ""},
		{[]string{"quarantine", "--json"}, ""},
		{[]string{"export", "*", filepath.Join(t.TempDir(), "all.csv")}, "exported 3 values"},
	} {
		got := run(t, "", append(test.args, "--dir", dir)...)
		if got.status != statusDone || !strings.Contains(got.out, test.want) {
			t.Errorf("daybook %q beside a writer: %+v; want %q", test.args, got, test.want)
		}
	}
	if got := run(t, "", "__complete", "query", "--dir", dir, "pr"); !strings.HasPrefix(got.out, "probe\n") {
		t.Errorf("completion beside a writer: %+v", got)
	}
	_ = input.Close()
	if err := writer.Wait(); err != nil {
		t.Errorf("the writer: %v, %s", err, errOut.String())
	}
	if got := mustRun(t, "", query...); got != csv {
		t.Errorf("after the writer, query prints %q; want %q", got, csv)
	}
}

// TestReadAgain changes a daybook while it is read. A command begins again, unless it has printed
// something: then it says that this is not complete.
func TestReadAgain(t *testing.T) {
	dir := filledDir(t, someValues()...)
	changed := fmt.Errorf("page 7: %w", daybook.ErrLocked)
	tests := []struct {
		name    string
		size    int // of what the first read writes
		failing int // number of reads that fail
		want    string
	}{
		{"nothing was printed", 100, 1, ""},
		{"it was printed", 5000, 1, "the output is not complete"},
		{"it changes all the time", 100, 1 << 30, "open changed it while it was read: try again"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			var out bytes.Buffer
			cmd := &cobra.Command{}
			cmd.SetOut(&out)
			reads := 0
			err := readDaybook(cmd, dir, 4<<10, func(_ *engine.DB, w *bufio.Writer) error {
				if reads++; reads > test.failing {
					_, err := w.WriteString("right")
					return err
				}
				_, _ = w.Write(make([]byte, test.size))
				return changed
			})
			switch {
			case test.want == "" && (err != nil || out.String() != "right"):
				t.Errorf("got %v, %d bytes; want the second answer", err, out.Len())
			case test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)):
				t.Errorf("got %v; want %q", err, test.want)
			}
		})
	}
}
