// SPDX-License-Identifier: Apache-2.0

package detect

import (
	"errors"
	"strings"
	"testing"

	"github.com/daybook-db/daybook/text"
	"github.com/daybook-db/daybook/text/timeform"
)

// rowsOfText returns the lines of CSV, or the objects of NDJSON with the names of the first line.
func rowsOfText(file string, asJSON bool) string {
	lines := strings.Split(strings.TrimSpace(file), "\n")
	if !asJSON {
		return strings.Join(lines, "\n") + "\n"
	}
	names := strings.Split(lines[0], ",")
	objects := ""
	for _, line := range lines[1:] {
		var members []string
		for i, cell := range strings.Split(line, ",") {
			if _, isNumber := text.UnitOf(cell); !isNumber {
				cell = `"` + cell + `"`
			}
			members = append(members, `"`+names[i]+`":`+cell)
		}
		objects += "{" + strings.Join(members, ",") + "}\n"
	}
	return objects
}

// TestAddends wants a second and its parts joined, and what may be a part of the time refused,
// in CSV and in JSON.
func TestAddends(t *testing.T) {
	tests := []struct {
		name string
		file string
		want string // in the sentence, or the column of ErrPartOfTime after "!"
	}{
		{"seconds and microseconds", "ts_sec,ts_usec,id\n1764000000,250000,18\n1764000001,5,19",
			`"ts_sec" and "ts_usec" as Unix time in s, plus us`},
		{"of a timespec", "v,tv_sec,tv_nsec\n18,1764000000,250000000\n19,1764000001,5",
			`"tv_sec" and "tv_nsec" as Unix time in s, plus ns`},
		{"words alone", "seconds,microseconds\n1764000000,250000\n1764000001,5",
			`"seconds" and "microseconds" as Unix time in s, plus us`},
		{"in camel case", "timeSec,timeMs,v\n1764000000,250,1\n1764000001,5,1",
			`"timeSec" and "timeMs" as Unix time in s, plus ms`},
		{"too large for a part", "ts_sec,ts_usec\n1764000000,1250000\n1764000001,5", `"ts_sec" as Unix time in s;`},
		{"a whole time in ms beside it", "ts_sec,ts_ms\n1764000000,1764000000250\n1764000001,1764000001005",
			`as Unix time in`},
		{"nothing but zeros", "ts_sec,ts_usec\n1764000000,0\n1764000001,0",
			`"ts_sec" and "ts_usec" as Unix time in s, plus us;`},
		{"ms that may be the time's", "timestamp,ms\n2025-11-24 16:00:00,250\n2025-11-24 16:00:01,5", `!"ms"`},
		{"a reading us", "time,us\n2025-11-24 16:00:00,25\n2025-11-24 16:00:01,5", `"time" as`},
		{"ms of another name", "timestamp,response_ms\n2025-11-24 16:00:00,250\n2025-11-24 16:00:01,5",
			`"timestamp" as YYYY-MM-DD HH:MM:SS`},
		{"ms beside times with a fraction", "timestamp,ms\n2025-11-24 16:00:00.5,250\n2025-11-24 16:00:01.5,5",
			`"timestamp" as YYYY-MM-DD HH:MM:SS.fff`},
		{"ms beside numbers with a fraction", "time,ms\n1764000000.5,250\n1764000001.5,5", `"time" as Unix time in s;`},
		{"ms beside times without seconds", "time,ms\n2025-11-24 16:00,250\n2025-11-24 16:01,5", `"time" as`},
		{"elapsed seconds", "start,elapsed_s,v\n2026-01-01 10:00:00,0,1\n2026-01-01 10:00:00,1.5,2\n" +
			"2026-01-01 10:00:00,3,3", `!"elapsed_s"`},
		{"elapsed since several starts", "start_time,time\n2026-01-01 10:00:00,0\n2026-01-01 10:00:00,1\n" +
			"2026-01-01 10:00:00,2\n2026-01-01 10:00:00,3\n2026-01-01 11:00:00,0\n2026-01-01 11:00:00,1", `!"time"`},
		{"seconds of a day", "date,seconds\n2026-01-01,60\n2026-01-01,120\n2026-01-01,180", `!"seconds"`},
		{"a snapshot of counters", "time,sensor,v\n2026-01-01 10:00:00,a,0\n2026-01-01 10:00:00,b,1\n" +
			"2026-01-01 10:00:00,c,2", `"time" as`},
		{"elapsed that does not rise", "time,elapsed_s\n2026-01-01 10:00:00,2\n2026-01-01 10:00:00,1\n" +
			"2026-01-01 10:00:00,3", `"time" as`},
		{"a counter far from 0", "time,uptime_s\n2026-01-01 10:00:00,5000\n2026-01-01 10:00:00,5001\n" +
			"2026-01-01 10:00:00,5002", `"time" as`},
		{"elapsed beside times that go on", "time,elapsed_s\n2026-01-01 10:00:00,0\n2026-01-01 10:00:01,1\n" +
			"2026-01-01 10:00:02,2", `"time" as`},
	}
	for _, test := range tests {
		for _, asJSON := range []bool{false, true} {
			sample := Sample{[]byte(rowsOfText(test.file, asJSON)), true}
			f, err := Detect(sample, Hints{Reader: text.ReadOptions{Name: "x"}, Time: timeform.Options{AnyTime: true}})
			column, isRefused := strings.CutPrefix(test.want, "!")
			switch {
			case isRefused && (!errors.Is(err, ErrPartOfTime) || !strings.Contains(err.Error(), column)):
				t.Errorf("%s, JSON %v: error %v; want ErrPartOfTime of %s", test.name, asJSON, err, column)
			case !isRefused && err != nil:
				t.Errorf("%s, JSON %v: %v; want %s", test.name, asJSON, err, test.want)
			case !isRefused && !strings.Contains(f.String(), test.want):
				t.Errorf("%s, JSON %v: %s; want %s", test.name, asJSON, f, test.want)
			}
		}
	}
}

// TestSaidAddends wants the last of the named columns added to the time in the others.
func TestSaidAddends(t *testing.T) {
	const elapsed = "start,elapsed\n2026-01-01 10:00:00,0\n2026-01-01 10:00:00,1\n"
	tests := []struct {
		name, file, columns string
		unit                text.TimeUnit
		want                string
	}{
		{"the unit in the name", "date,time,ms\n2026-01-01,10:00:00,250\n", "date,time,ms", "",
			"YYYY-MM-DD HH:MM:SS, plus ms"},
		{"the unit in a flag", elapsed, "start,elapsed", "s", "YYYY-MM-DD HH:MM:SS, plus s"},
		{"hours of a date", "date,hour\n2026-01-01,0\n2026-01-01,1\n", "date,hour", "", "YYYY-MM-DD HH"},
		{"seconds of a day", "date,seconds\n2026-01-01,0\n2026-01-01,1\n", "date,seconds", "", "YYYY-MM-DD, plus s"},
		{"a date in parts", "year,month,day,hour,minute,second\n2026,1,2,3,4,5\n",
			"year,month,day,hour,minute,second", "", "YYYY MM DD HH:MM, plus s"},
	}
	for _, test := range tests {
		hints := Hints{Reader: text.ReadOptions{Name: "x", Time: strings.Split(test.columns, ",")},
			Time: timeform.Options{Unit: test.unit}}
		f, err := Detect(Sample{[]byte(test.file), true}, hints)
		if err != nil || !strings.Contains(f.String(), test.want) {
			t.Errorf("%s: %v, %v; want %s", test.name, f, err, test.want)
		}
	}
}
