// SPDX-License-Identifier: Apache-2.0

package text

import (
	"bufio"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/daybook-db/daybook"
)

func TestDetectFormat(t *testing.T) {
	for _, test := range []struct {
		name, text string
		want       Format
	}{
		{"an object", `{"a":1}`, NDJSON},
		{"an object after white space", " \t\r\n\n{", NDJSON},
		{"an object after a byte order mark", "\xEF\xBB\xBF{", NDJSON},
		{"a header", "time,celsius\n", CSV},
		{"a header after a byte order mark", "\xEF\xBB\xBFtime,celsius\n", CSV},
		{"a part of a byte order mark", "\xEF\xBBx", CSV},
		{"an array", "[1]", CSV},
		{"nothing", "", ""},
		{"white space", " \n ", ""},
		{"a byte order mark alone", "\xEF\xBB\xBF", ""},
		{"an object at the end of the buffer", strings.Repeat(" ", 31) + "{", NDJSON},
		{"more white space than the buffer holds", strings.Repeat(" ", 64), ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			for name, in := range map[string]io.Reader{
				"whole":        strings.NewReader(test.text),
				"byte by byte": iotest.OneByteReader(strings.NewReader(test.text)),
			} {
				buffered := bufio.NewReaderSize(in, 32)
				got, err := DetectFormat(buffered)
				if got != test.want || err != nil {
					t.Errorf("%s: got %q, %v; want %q", name, got, err, test.want)
				}
				rest, err := io.ReadAll(buffered)
				if want := strings.TrimPrefix(test.text, "\xEF\xBB\xBF"); string(rest) != want || err != nil {
					t.Errorf("%s: %q, %v is left unread; want %q", name, rest, err, want)
				}
			}
		})
	}
}

// TestDetectFormatErrors wants the error of a reader that fails before the first character.
func TestDetectFormatErrors(t *testing.T) {
	broken := errors.New("the disk is broken")
	for _, before := range []string{"", " ", "\xEF", "\xEF\xBB\xBF", "\xEF\xBB\xBF\n"} {
		in := bufio.NewReader(io.MultiReader(strings.NewReader(before), iotest.ErrReader(broken)))
		if got, err := DetectFormat(in); got != "" || !errors.Is(err, broken) {
			t.Errorf("a reader that fails after %q: got %q, %v; want its error", before, got, err)
		}
		once := iotest.TimeoutReader(iotest.OneByteReader(strings.NewReader("\xEF\xBB\xBF\n{")))
		if got, err := DetectFormat(bufio.NewReader(once)); got != "" || !errors.Is(err, iotest.ErrTimeout) {
			t.Errorf("a reader that fails once: got %q, %v; want its error", got, err)
		}
	}
}

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
