// SPDX-License-Identifier: Apache-2.0

package text

import (
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/daybook-db/daybook"
)

func TestFormatOfName(t *testing.T) {
	for name, want := range map[string]Format{
		"a.csv": CSV, "a.CSV": CSV, "a.ndjson": NDJSON, "a.jsonl": NDJSON, "a.json": NDJSON,
		"dir.csv/a.parquet": Parquet, "a": "", "csv": "", "a.txt": "", "a.csv.gz": "",
	} {
		if got := FormatOfName(name); got != want {
			t.Errorf("%s: got %q; want %q", name, got, want)
		}
	}
}

// TestCauses wants the cause of each kind of error in its chain.
func TestCauses(t *testing.T) {
	cause := errors.New("the cause")
	for _, err := range []error{
		&LineError{Err: cause}, &MemberError{Err: cause}, &ColumnError{Err: cause}, &TimeError{Err: cause},
	} {
		if !errors.Is(err, cause) || !strings.Contains(err.Error(), cause.Error()) {
			t.Errorf("%T: got %v; want the cause in its chain and its text", err, err)
		}
	}
}

func TestCSVReaderRefusesARecordName(t *testing.T) {
	for _, opts := range []ReadOptions{
		{Record: "", Time: []string{"t"}}, {Record: "a\x00", Time: []string{"t"}}, {Record: "", StampNow: true},
	} {
		if _, err := NewCSVReader(strings.NewReader("t,v\n1,2\n"), opts); !errors.Is(err, daybook.ErrInvalidName) {
			t.Errorf("%+v: got %v; want ErrInvalidName", opts, err)
		}
	}
}

// TestCSVWriterErrors wants the error of the file at Flush, and at Close.
func TestCSVWriterErrors(t *testing.T) {
	for name, end := range map[string]func(ValueWriter) error{"Flush": ValueWriter.Flush, "Close": ValueWriter.Close} {
		w := NewCSVWriter(brokenWriter{})
		if err := w.Write(daybook.StoredValue{RecordName: "r", Value: []byte("1"), StoredAt: 1}); err != nil {
			t.Fatal(err) // it is in a buffer
		}
		if err := end(w); !errors.Is(err, io.ErrShortWrite) {
			t.Errorf("%s: got %v; want the error of the file", name, err)
		}
	}
}

type brokenWriter struct{}

func (brokenWriter) Write([]byte) (int, error) { return 0, io.ErrShortWrite }
