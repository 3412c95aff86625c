// SPDX-License-Identifier: Apache-2.0

package rows

import (
	"bytes"
	"encoding/csv"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
)

// FuzzRows reads a text at once and in single bytes, which must not differ, and compares it with
// encoding/csv, where both read the same language.
func FuzzRows(f *testing.F) {
	for _, seed := range []string{
		"a,b\n1,\"x\ny\"\n", "a;b\r\n1;\"x\"\"y\"\r\n", "a\rb\r\r\nc", "#c\na,b\"c\n",
		"\"", "\"a\" , b \n", "\x00\x00a\n1",
		"\"a\"b\n\"c", ",\n,,\n", "a,\"\"\n\"\"\n", "\n\n", "x,\"a\rb\r\nc\nd\"\ne",
	} {
		f.Add([]byte(seed), byte(','), byte('#'), false)
	}
	f.Add([]byte("  a   b\tc  \n\t1 \t \"x y\"\t2 \n   \n"), byte(' '), byte('#'), false)
	f.Add([]byte("a\tb\"c\"\t\"d\te\"\n"), byte('\t'), byte('#'), false)
	f.Add([]byte("a  b \n \"\" \n"), byte(' '), byte('#'), true)
	f.Fuzz(func(t *testing.T, text []byte, delimiter, comment byte, keepBlanks bool) {
		if strings.IndexByte("\"\r\n\x00", delimiter) >= 0 || delimiter == comment {
			return
		}
		opts := Options{Delimiter: delimiter, Comment: comment, KeepBlanks: keepBlanks, MaxLen: 1 << 10}
		atOnce := readRows(t, bytes.NewReader(text), opts)
		inBytes := readRows(t, iotest.OneByteReader(bytes.NewReader(text)), opts)
		if diff := cmp.Diff(atOnce, inBytes); diff != "" && len(text) <= opts.MaxLen {
			t.Errorf("%q: rows (-at once +in single bytes):\n%s", text, diff)
		}
		if len(text) <= opts.MaxLen && !bytes.ContainsAny(text, "\r\x00 \t") && delimiter == ',' && comment == '#' {
			compare(t, text, atOnce)
		}
	})
}

// compare compares rows with those of encoding/csv, up to the first malformed one.
func compare(t *testing.T, text []byte, got [][]string) {
	r := csv.NewReader(bytes.NewReader(text))
	r.FieldsPerRecord, r.Comment = -1, '#'
	for _, row := range got {
		want, err := r.Read()
		malformed := row[0] == "error" && len(row) == 2 && strings.HasPrefix(row[1], "line ")
		if err != nil && errors.As(err, new(*csv.ParseError)) && malformed {
			return
		}
		if diff := cmp.Diff(want, row); err != nil || diff != "" {
			t.Fatalf("%q: encoding/csv reads %q, error %v; got %q", text, want, err, row)
		}
	}
	if row, err := r.Read(); err != io.EOF {
		t.Fatalf("%q: encoding/csv reads another row, %q, error %v", text, row, err)
	}
}
