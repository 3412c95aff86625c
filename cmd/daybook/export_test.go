// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/daybook-db/daybook"
)

// interrupting is an output whose reader interrupts the command with the first that it gets.
type interrupting struct {
	bytes.Buffer
	interrupt context.CancelFunc
}

func (i *interrupting) Write(p []byte) (int, error) {
	i.interrupt()
	return i.Buffer.Write(p)
}

// TestInterruptedExportEndsWithALine shows that what has been read is written, and no half of a line.
func TestInterruptedExportEndsWithALine(t *testing.T) {
	var values []daybook.StoredValue
	for i := range uint64(9000) {
		values = append(values, value("r", fmt.Sprintf(`{"n":%d,"text":"%060d"}`, i, i), i))
	}
	dir := filledDir(t, values...)
	for _, format := range []string{"ndjson", "csv"} {
		ctx, cancel := context.WithCancel(t.Context())
		out := &interrupting{interrupt: cancel}
		var errOut bytes.Buffer
		status := execute(ctx, []string{"export", "*", "-", "--format", format, "--dir", dir}, strings.NewReader(""), out, &errOut)
		if status != statusInterrupted || errOut.String() != "daybook: interrupted\n" {
			t.Errorf("%s: status %d, stderr %q", format, status, errOut.String())
		}
		whole := mustRun(t, "", "export", "*", "-", "--format", format, "--dir", dir)
		if got := out.String(); got == whole || !strings.HasPrefix(whole, got) || !strings.HasSuffix(got, "\n") {
			t.Errorf("%s: %d of %d bytes, which end with %q; want a part of them, in whole lines", format, len(got), len(whole), got[max(len(got)-20, 0):])
		}
	}
}

// TestExportBeforeDamageIsWritten shows that a value that is damaged costs none of those before it.
func TestExportBeforeDamageIsWritten(t *testing.T) {
	dir := damagedDir(t, someValues()...)
	for format, want := range map[string]string{
		"ndjson": "{\"record_name\":\"a.one\",\"value\":{\"x\": 1},\"stored_at\":1000}\n{\"record_name\":\"a.one\",\"value\":{\"x\":2},\"stored_at\":2000}\n",
		"csv":    "record_name,stored_at,value\na.one,1000,\"{\"\"x\"\": 1}\"\na.one,2000,\"{\"\"x\"\":2}\"\n",
	} {
		got := run(t, "", "export", "*", "-", "--format", format, "--dir", dir)
		if got.status != statusFailed || got.out != want || !strings.Contains(got.err, `record "a.two"`) {
			t.Errorf("%s: %+v; want %q and the record that is damaged", format, got, want)
		}
	}
}

// TestLeftoversAreRemoved finds what a killed export or backup has left, and lets alone what is in use or not its own.
func TestLeftoversAreRemoved(t *testing.T) {
	dir := filledDir(t, someValues()...)
	for _, args := range [][]string{{"export", "*"}, {"backup"}} {
		t.Run(args[0], func(t *testing.T) {
			place := t.TempDir()
			kept := []string{".[x].csv.2.part", ".y.csv.1.part", ".[x].csv.mine.part", ".[x].csv..part", "[x].csv.1.part"}
			for _, name := range append(kept, ".[x].csv.1.part") {
				file := filepath.Join(place, name)
				if err := os.WriteFile(file, nil, 0o600); err != nil {
					t.Fatal(err)
				}
				written := time.Now().Add(-61 * time.Minute)
				if name == kept[0] {
					written = time.Now().Add(-59 * time.Minute)
				}
				if err := os.Chtimes(file, written, written); err != nil {
					t.Fatal(err)
				}
			}
			mustRun(t, "", append(args, filepath.Join(place, "[x].csv"), "--dir", dir)...)
			entries, err := os.ReadDir(place)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, entry := range entries {
				got = append(got, entry.Name())
			}
			want := append(kept, "[x].csv")
			slices.Sort(want)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("files (-want +got):\n%s", diff)
			}
		})
	}
}
