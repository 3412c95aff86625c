// SPDX-License-Identifier: Apache-2.0

package text

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestHeadersWithinCSV reads files that were joined of several. Rows are never read with the names
// of another header, also if the lines of the headers are skipped as malformed.
func TestHeadersWithinCSV(t *testing.T) {
	const first, row = "time,a,b\n2026-01-05T10:00:00Z,1,2\n", "2026-01-05T11:00:00Z,3,4\n"
	for _, test := range []struct {
		name, reason, rest string
		want               []string
	}{
		{"the same header", "its rows have the same columns", "time,a,b\n" + row, []string{"3: time", `{"a":3,"b":4}`}},
		{"in capitals", "that changes no column", "TIME,A,B\n" + row, []string{"3: time", `{"a":3,"b":4}`}},
		{"another order", "the values would be swapped", "time,b,a\n" + row, []string{"3: time", "4: header 3"}},
		{"another time", "the names are those of the columns", "a,b,c\n" + row, []string{"3: time", "4: header 3"}},
		{"other columns", "they are of another device", "time,x,y\n" + row, []string{"3: time", "4: header 3"}},
		{"and an empty row", "it has no names", "time,x,y\n,,\n" + row, []string{"3: time", "4: time", "5: header 3"}},
		{"and the first again", "the columns are the first ones", "time,x,y\n" + row + "time,a,b\n" + row,
			[]string{"3: time", "4: header 3", "5: time", `{"a":3,"b":4}`}},
		{"a malformed line", "it is no header", "error,error,error\n" + row, []string{"3: time", `{"a":3,"b":4}`}},
		{"a cell that is a name", "it is a value", "lost,a,x\n" + row, []string{"3: time", `{"a":3,"b":4}`}},
	} {
		t.Run(test.name, func(t *testing.T) {
			r, err := NewCSVReader(strings.NewReader(first+test.rest), ReadOptions{Record: "r", Time: []string{"time"}})
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for {
				value, err := r.Read()
				var malformed *LineError
				switch {
				case err == io.EOF:
					if diff := cmp.Diff(append([]string{`{"a":1,"b":2}`}, test.want...), got); diff != "" {
						t.Errorf("%s (-want +got):\n%s", test.reason, diff)
					}
					return
				case errors.As(err, &malformed) && strings.Contains(err.Error(), "follows another header, in line 3"):
					got = append(got, fmt.Sprintf("%d: header 3", malformed.Line))
				case errors.As(err, &malformed):
					got = append(got, fmt.Sprintf("%d: time", malformed.Line))
				case err != nil:
					t.Fatal(err)
				default:
					got = append(got, string(value.Value))
				}
			}
		})
	}
}
