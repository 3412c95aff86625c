// SPDX-License-Identifier: Apache-2.0

package detect

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/text"
)

// FuzzCSV wants that a file that is taken for CSV is read to its end: each row is a valid value, or
// an error with its line.
func FuzzCSV(f *testing.F) {
	names, err := filepath.Glob("testdata/*.csv")
	if err != nil || len(names) == 0 {
		f.Fatalf("seeds %q, error %v", names, err)
	}
	for _, name := range names {
		data, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data, true, false, "")
		f.Add(data, false, true, "{column}")
	}
	f.Add([]byte("#fields\ta\n1\n"), true, false, "x.{a}")
	f.Add([]byte("sep=;\nDatum;Zeit;v;v\n13.01.2024;10:00;1.234,5;\n"), true, false, "")
	f.Add([]byte("date,time,v\n20260105,93000,1\n20260105,100000,2\n20260106,500,3\n"), true, false, "")
	f.Add([]byte("DATE;HHMM\n20260105;2330\n20260106;5\n"), false, false, "")
	f.Add([]byte("Datum;v\n1. März 2026 10h30;1\n"), true, false, "")
	f.Add([]byte("title\nDate  Time T\n           C\n2026-01-05 10:00 1\n2026-01-05  10:15 2\n"), true, false, "")
	f.Add([]byte(" r  b UTC\n 1 2 2026-01-05 10:00:01\n 1 2 2026-01-05 10:00:06\n 1  3"), false, false, "")
	f.Fuzz(func(t *testing.T, file []byte, whole, stampNow bool, record string) {
		sample := Sample{file[:min(len(file), SampleLen)], whole && len(file) <= SampleLen}
		opts := text.ReadOptions{Name: "x.csv", StampNow: stampNow, Record: record, Split: record == "{column}"}
		found, err := detectCSV(sample, Hints{Kind: CSV, Reader: opts})
		if err != nil || found.Own {
			return
		}
		if found.Time == nil && !stampNow && len(found.Reader.Time) == 0 {
			t.Fatalf("%q: %s: no time was found, and no error", file, found)
		}
		mustReadToEnd(t, file, found)
	})
}

// mustReadToEnd reads a file as it was found to be.
func mustReadToEnd(t *testing.T, file []byte, found *Finding) {
	r, err := text.NewCSVReader(bytes.NewReader(file), found.Reader)
	if err != nil {
		return // such as a column that names the record and is missing
	}
	last := 0
	for n := 0; ; n++ {
		v, err := r.Read()
		var bad *text.LineError
		switch {
		case err == io.EOF:
			return
		case n > len(file):
			t.Fatalf("%q: %s: more than %d values and errors", file, found, n)
		case errors.As(err, &bad):
			if bad.Line <= last || bad.LastLine < bad.Line {
				t.Fatalf("%q: lines %d to %d are bad, after line %d", file, bad.Line, bad.LastLine, last)
			}
			last = bad.LastLine
		case err != nil:
			t.Fatalf("%q: %s: %v", file, found, err)
		case daybook.ValidateRecordName(v.RecordName) != nil || daybook.ValidateValue(v.Value) != nil:
			t.Fatalf("%q: %s: an invalid value: %q %q", file, found, v.RecordName, v.Value)
		}
	}
}
