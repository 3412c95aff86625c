// SPDX-License-Identifier: Apache-2.0

package detect

import (
	"strings"
	"testing"
	"time"

	"github.com/daybook-db/daybook/text"
	"github.com/daybook-db/daybook/text/timeform"
)

// TestSourceColumn finds the column of a file of several sensors that a person wants in the names
// of the records, and none where the rows are told apart by something else.
func TestSourceColumn(t *testing.T) {
	const at, later = "2026-01-05 10:00", "2026-01-05 10:10"
	file := func(header string, rows ...string) string { return header + "\n" + strings.Join(rows, "\n") + "\n" }
	for _, test := range []struct {
		name, reason, file, want string
	}{
		{"sensors", "each time has a row of each", file("time,Sensor ID,v",
			at+",a,1", at+",b,2", later+",a,3", later+",b,4"),
			`(--record "x.{Sensor ID}" makes one of each "Sensor ID")`},
		{"numbers of channels", "numbers name channels, too", file("time,channel,v",
			at+",1,1", at+",2,2", later+",1,3", later+",2,4"),
			`(--record "x.{channel}" makes one of each "channel")`},
		{"one sensor", "there is one row at a time", file("time,sensor,v", at+",a,1", later+",a,3"), ""},
		{"twice at a time", "the rows are not told apart", file("time,sensor,v",
			at+",a,1", at+",a,2", later+",a,3", later+",b,4"), ""},
		{"numbered rows", "no name comes twice", file("time,id,v",
			at+",1,1", at+",2,2", later+",3,3", later+",4,4"), ""},
		{"another name", "a state is no source", file("time,state,v",
			at+",on,1", at+",off,2", later+",on,3", later+",off,4"), ""},
		{"a topic", "it is in the record's name already", file("time,topic,name,v",
			at+",t,a,1", at+",t,b,2", later+",t,a,3", later+",t,b,4"), ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			found, err := detectCSV(Sample{[]byte(test.file), true}, Hints{
				Reader: text.ReadOptions{Name: "x.csv"}, Time: timeform.Options{Zone: time.UTC},
			})
			if err != nil {
				t.Fatal(err)
			}
			said := found.String()
			if test.want == "" && strings.Contains(said, "--record") || !strings.Contains(said, test.want) {
				t.Errorf("%s: got %s; want %q", test.reason, said, test.want)
			}
		})
	}
}
