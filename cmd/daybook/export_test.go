// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/daybook-db/daybook"
)

func TestExportSelects(t *testing.T) {
	dir := filledDir(t, awkwardValues()...)
	got := mustRun(t, "", "export", "many", "-", "--format", "csv", "--since", "10", "--until", "10", "--dir", dir)
	want := "record_name,stored_at,value\nmany,10,\"{\"\"n\"\":20}\"\nmany,10,\"{\"\"n\"\":21}\"\n"
	if got != want {
		t.Errorf("got %q; want %q", got, want)
	}
}

// TestExportRefusesNamesThatCSVChanges wants an error instead of a file with other record names.
func TestExportRefusesNamesThatCSVChanges(t *testing.T) {
	dir := filledDir(t, value("a\r\nb", "1", 1))
	got := run(t, "", "export", "*", "-", "--format", "csv", "--dir", dir)
	if got.status != statusFailed || !strings.Contains(got.err, "export to ndjson or parquet") {
		t.Errorf("%+v; want a failure that names the other formats", got)
	}
	mustRun(t, "", "export", "*", "-", "--format", "ndjson", "--dir", dir)
}

// TestExportToAnUnknownEnding wants an error that says what to do, and no file. With --format any
// name will do.
func TestExportToAnUnknownEnding(t *testing.T) {
	dir := filledDir(t, someValues()...)
	for _, name := range []string{"history.txt", "history", "history.csv.gz", "-"} {
		path := name
		if name != "-" {
			path = filepath.Join(t.TempDir(), name)
		}
		got := run(t, "", "export", "*", path, "--dir", dir)
		if got.status != statusUsage || !strings.Contains(got.err, "--format") || got.out != "" {
			t.Errorf("to %s: got %+v; want a usage error that names --format", name, got)
		}
		if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("to %s: the file is there (%v)", name, err)
		}
		mustRun(t, "", "export", "*", path, "--format", "ndjson", "--dir", dir)
	}
}

// interruptingWriter is an output that interrupts the command at the first write.
type interruptingWriter struct {
	bytes.Buffer
	interrupt context.CancelFunc
}

func (w *interruptingWriter) Write(p []byte) (int, error) {
	w.interrupt()
	return w.Buffer.Write(p)
}

// TestInterruptedExportEndsWithALine wants that the values that were read are written, in whole
// lines.
func TestInterruptedExportEndsWithALine(t *testing.T) {
	var values []daybook.StoredValue
	for i := range uint64(9000) {
		values = append(values, value("r", fmt.Sprintf(`{"n":%d,"text":"%060d"}`, i, i), i))
	}
	dir := filledDir(t, values...)
	lineEnd := map[string]string{"ndjson": "\n", "json": "}", "csv": "\n"}
	for _, format := range []string{"ndjson", "json", "csv"} {
		ctx, cancel := context.WithCancel(t.Context())
		out := &interruptingWriter{interrupt: cancel}
		var errOut bytes.Buffer
		args := []string{"export", "*", "-", "--format", format, "--dir", dir}
		status := execute(ctx, args, strings.NewReader(""), out, &errOut)
		if status != statusInterrupted || errOut.String() != "daybook: interrupted\n" {
			t.Errorf("%s: status %d, stderr %q", format, status, errOut.String())
		}
		whole := mustRun(t, "", "export", "*", "-", "--format", format, "--dir", dir)
		got := out.String()
		if got == whole || !strings.HasPrefix(whole, got) || !strings.HasSuffix(got, lineEnd[format]) {
			t.Errorf("%s: %d of %d bytes, which end with %q; want the first of them, in whole lines",
				format, len(got), len(whole), got[max(len(got)-20, 0):])
		}
	}
}

// TestExportBeforeDamageIsWritten wants all values before a damaged one.
func TestExportBeforeDamageIsWritten(t *testing.T) {
	dir := damagedDir(t, someValues()...)
	for format, want := range map[string]string{
		"ndjson": `{"record_name":"a.one","value":{"x": 1},"stored_at":1000}` + "\n" +
			`{"record_name":"a.one","value":{"x":2},"stored_at":2000}` + "\n",
		"csv": "record_name,stored_at,value\na.one,1000,\"{\"\"x\"\": 1}\"\na.one,2000,\"{\"\"x\"\":2}\"\n",
	} {
		got := run(t, "", "export", "*", "-", "--format", format, "--dir", dir)
		if got.status != statusFailed || got.out != want || !strings.Contains(got.err, `record "a.two"`) {
			t.Errorf("%s: %+v; want %q and the damaged record", format, got, want)
		}
	}
}

// TestOldPartsAreRemoved wants that the part files of killed processes are removed, and no other
// files.
func TestOldPartsAreRemoved(t *testing.T) {
	dir := filledDir(t, someValues()...)
	for _, args := range [][]string{{"export", "*"}, {"backup"}} {
		t.Run(args[0], func(t *testing.T) {
			outDir := t.TempDir()
			kept := []string{
				".[x].csv.2.part", ".y.csv.1.part", ".[x].csv.mine.part", ".[x].csv..part", "[x].csv.1.part",
			}
			for _, name := range append(kept, ".[x].csv.1.part") {
				file := filepath.Join(outDir, name)
				if err := os.WriteFile(file, nil, 0o600); err != nil {
					t.Fatal(err)
				}
				written := time.Now().Add(-maxPartAge - time.Minute)
				if name == kept[0] { // it may still be in use
					written = time.Now().Add(-maxPartAge + time.Minute)
				}
				if err := os.Chtimes(file, written, written); err != nil {
					t.Fatal(err)
				}
			}
			mustRun(t, "", append(args, filepath.Join(outDir, "[x].csv"), "--dir", dir)...)
			entries, err := os.ReadDir(outDir)
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
