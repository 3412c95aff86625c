// SPDX-License-Identifier: Apache-2.0

package detect

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/daybook-db/daybook/text"
)

// TestCSVForms reads files in the forms of programs and devices.
func TestCSVForms(t *testing.T) {
	tests := []struct {
		name     string
		file     string
		sentence string // after "CSV, "
		lines    []string
	}{
		{"Campbell TOA5: title, units and processing",
			"\"TOA5\",\"CR1000\",\"CR1000\",\"1234\"\n\"TIMESTAMP\",\"RECORD\",\"batt\"\n" +
				"\"TS\",\"RN\",\"Volts\"\n\"\",\"\",\"Min\"\n\"2009-04-01 00:00:00\",0,12.5\n",
			`',' between columns, line 1 skipped, header in line 2, lines 3-4 after the header skipped; ` +
				`time: "TIMESTAMP" as YYYY-MM-DD HH:MM:SS, UTC; record "x"`,
			[]string{`x 1238544000000 {"RECORD":0,"batt":12.5}`}},
		{"HOBO: a title, and the zone in the header",
			"\"Plot Title: x\"\n\"#\",\"Date Time, GMT-05:00\",\"Temp\"\n1,06/18/22 07:00:00 PM,15.7\n",
			`',' between columns, line 1 skipped, header in line 2; ` +
				`time: "Date Time, GMT-05:00" as MM/DD/YY HH:MM:SS AM/PM, UTC; record "x"`,
			[]string{`x 1655578800000 {"#":1,"Temp":15.7}`}},
		{"Zeek: the header in a comment",
			"#separator \\x09\n#path\tconn\n#fields\tts\tuid\tid.orig_p\n#types\ttime\tstring\tport\n" +
				"1559839210.123456\tCabc\t5353\n#close\t2019-06-06-16-50-10\n",
			`a tab between columns, lines that begin with # skipped, header in line 3; ` +
				`time: "ts" as Unix time in s, cut off below 1 ms; record "x"`,
			[]string{`x 1559839210123 {"uid":"Cabc","id.orig_p":5353}`}},
		{"numpy: the header in a comment",
			"# time, temp\n2024-01-01T00:00:00Z, 1.5\n",
			`',' between columns, lines that begin with # skipped, header in line 1; ` +
				`time: "time" as RFC 3339; record "x"`,
			[]string{`x 1704067200000 {"temp":1.5}`}},
		{"InfluxDB: annotations, and a second table",
			"#group,false,false,true,true\n#datatype,string,long,dateTime:RFC3339,double\n" +
				"#default,_result,,,\n,result,table,_start,_time,_value\n" +
				",,0,2022-12-31T05:41:24Z,2023-01-01T00:52:00Z,15.43\n" +
				",,0,2022-12-31T05:41:24Z,2023-01-01T00:53:00Z,15\n\n,result,table,_start,_time,_value\n",
			`',' between columns, lines that begin with # skipped, header; time: "_time" as RFC 3339; record "x"`,
			[]string{
				`x 1672534320000 {"table":0,"_start":"2022-12-31T05:41:24Z","_value":15.43}`,
				`x 1672534380000 {"table":0,"_start":"2022-12-31T05:41:24Z","_value":15}`,
				`x.csv:8: column 5 ("_time"): "_time" is not a time: want RFC 3339`,
			}},
		{"a PLC: a date and a time of day, points of thousands, a delimiter at the end",
			"Datum;Uhrzeit;A;B;\n13.01.2024;00:00:05;21,5;1.234,50;\n13.01.2024;00:00:10;-1,0;999,00;\n",
			`';' between columns, decimal comma, header; ` +
				`time: "Datum" and "Uhrzeit" as DD.MM.YYYY HH:MM:SS, UTC; record "x"`,
			[]string{`x 1705104005000 {"A":21.5,"B":1234.50}`, `x 1705104010000 {"A":-1.0,"B":999.00}`}},
		{"points that may be of thousands",
			"Zeit;lat;kWh;T\n13.01.2024 00:00:05;48.123;1.234,5;1,5\n13.01.2024 00:00:10;48.124;999;2\n",
			`';' between columns, decimal comma, header; ` +
				`time: "Zeit" as DD.MM.YYYY HH:MM:SS, UTC; record "x"; points of thousands dropped in "lat"`,
			[]string{`x 1705104005000 {"lat":48123,"kWh":1234.5,"T":1.5}`,
				`x 1705104010000 {"lat":48124,"kWh":999,"T":2}`}},
		{"rows whose last delimiter the header has not",
			"Zeit;Wert\n13.01.2024 00:00:05;21,5;\n13.01.2024 00:00:10;2;\n",
			`';' between columns, decimal comma, header in line 1; ` +
				`time: "Zeit" as DD.MM.YYYY HH:MM:SS, UTC; record "x"`,
			[]string{`x 1705104005000 {"Wert":21.5}`, `x 1705104010000 {"Wert":2}`}},
		{"a header whose last delimiter the rows have not",
			"Zeit;Wert;\n13.01.2024 00:00:05;21,5\n13.01.2024 00:00:10;2\n",
			`';' between columns, decimal comma, header in line 1; ` +
				`time: "Zeit" as DD.MM.YYYY HH:MM:SS, UTC; record "x"`,
			[]string{`x 1705104005000 {"Wert":21.5}`, `x 1705104010000 {"Wert":2}`}},
		{"Excel: the line that says the delimiter",
			"sep=;\nDatum;Wert\n13.01.2024 10:00;1,5\n",
			`';' between columns, decimal comma, header in line 2; ` +
				`time: "Datum" as DD.MM.YYYY HH:MM, UTC; record "x"`,
			[]string{`x 1705140000000 {"Wert":1.5}`}},
		{"numbers for names",
			"time,1,2\n2024-01-01T00:00:00Z,1.5,2\n",
			`',' between columns, header; time: "time" as RFC 3339; record "x"`,
			[]string{`x 1704067200000 {"1":1.5,"2":2}`}},
		{"numbers with an exponent, which may be names",
			"time,a,b\n2024-01-01T00:00:00Z,7.65E-05,1E5\n2024-01-01T00:00:01Z,,0F7\n",
			`',' between columns, header; time: "time" as RFC 3339; record "x"; ` +
				`strings, not numbers: "a" because of "7.65E-05"`,
			[]string{`x 1704067200000 {"a":"7.65E-05","b":"1E5"}`, `x 1704067201000 {"b":"0F7"}`}},
		{"a topic for each row",
			"ts,topic,payload\n1700000000,home/kitchen,21.5\n1700000001,home/hall,on\n",
			`',' between columns, header; time: "ts" as Unix time in s; record "{topic}"; ` +
				`strings, not numbers: "payload" because of "on"`,
			[]string{
				`home.kitchen 1700000000000 {"payload":"21.5"}`,
				`home.hall 1700000001000 {"payload":"on"}`,
			}},
		{"a name twice",
			"Date,Year,Year\n2024-01-13,1,2\n",
			`',' between columns, header, column 3 "Year" is called "Year_2"; ` +
				`time: "Date" as YYYY-MM-DD, UTC; record "x"`,
			[]string{`x 1705104000000 {"Year":1,"Year_2":2}`}},
		{"times of day that are readings",
			"date,sunrise,rain\n2024-01-13,07:45,0.0\n",
			`',' between columns, header; time: "date" as YYYY-MM-DD, UTC; record "x"`,
			[]string{`x 1705104000000 {"sunrise":"07:45","rain":0.0}`}},
		{"texts alone beside the time",
			"time,level,message\n2024-01-01T00:00:00Z,info,\"hello, world\"\n2024-01-01T00:00:01Z,warn,bye\n",
			`',' between columns, header; time: "time" as RFC 3339; record "x"`,
			[]string{
				`x 1704067200000 {"level":"info","message":"hello, world"}`,
				`x 1704067201000 {"level":"warn","message":"bye"}`,
			}},
		{"points and commas: no decimal comma",
			"time;v\n2024-01-01T00:00:00Z;1,234.5\n2024-01-01T00:00:01Z;2\n",
			`';' between columns, header; time: "time" as RFC 3339; record "x"; ` +
				`strings, not numbers: "v" because of "1,234.5"`,
			[]string{`x 1704067200000 {"v":"1,234.5"}`, `x 1704067201000 {"v":"2"}`}},
		{"UTC in the name",
			"Time (UTC);v\n2024-01-13 00:00:00;1\n",
			`';' between columns, header; time: "Time (UTC)" as YYYY-MM-DD HH:MM:SS, UTC; record "x"`,
			[]string{`x 1705104000000 {"v":1}`}},
		{"LibreHardwareMonitor: identifiers over the names",
			",/cpu/0,/cpu/1\nTime,\"CPU Core\",Load\n01/15/2024 14:30:00,\"54.1\",\"5.5\"\n",
			`',' between columns, line 1 skipped, header in line 2; ` +
				`time: "Time" as MM/DD/YYYY HH:MM:SS, UTC; record "x"`,
			[]string{`x 1705329000000 {"CPU Core":54.1,"Load":5.5}`}},
		{"SBFspot: serial numbers over the names, and a form of the time for its name",
			"sep=;\nVersion CSV1|Tool\n\n;SN: 1;SN: 1\n;2100000001;2100000001\ndd/MM/yyyy HH:mm:ss;kWh;kW\n" +
				"15/01/2024 12:00:00;1234,567;0,554\n",
			`';' between columns, decimal comma, lines 2-5 skipped, header in line 6; ` +
				`time: "dd/MM/yyyy HH:mm:ss" as DD/MM/YYYY HH:MM:SS, UTC; record "x"`,
			[]string{`x 1705320000000 {"kWh":1234.567,"kW":0.554}`}},
		{"a text without a time, before the first time", "time,event\n,boot\n2024-01-01T00:00:00Z,run\n",
			`',' between columns, header; time: "time" as RFC 3339; record "x"`,
			[]string{`x.csv:2: column 1 ("time"): it has no time`, `x 1704067200000 {"event":"run"}`}},
		{"start and end", "DATE,START TIME,END TIME,v\n2024-01-15,00:00,00:14,0.12\n",
			`',' between columns, header; time: "DATE" and "START TIME" (not "END TIME") as YYYY-MM-DD HH:MM, UTC; ` +
				`record "x"`,
			[]string{`x 1705276800000 {"END TIME":"00:14","v":0.12}`}},
		{"a title with a quote in it",
			"Station \"Wien\"\ntime,v,w\n2024-01-01T00:00:00Z,5,\n",
			`',' between columns, lines before line 2 skipped, header in line 2; ` +
				`time: "time" as RFC 3339; record "x"`,
			[]string{`x 1704067200000 {"v":5}`}},
		{"a title line and a line end in a quoted name",
			"log\ntime,\"a\nb\"\n2024-01-01T00:00:00Z,5\n",
			`',' between columns, line 1 skipped, header in line 2; time: "time" as RFC 3339; record "x"`,
			[]string{`x 1704067200000 {"a\nb":5}`}},
		{"cells without a value decide nothing",
			"time,a,b\n2024-01-01T00:00:00Z,,NaN\n2024-01-01T00:00:01Z,5,N/A\n",
			`',' between columns, header; time: "time" as RFC 3339; record "x"`,
			[]string{`x 1704067200000 {}`, `x 1704067201000 {"a":5}`}},
		{"bars, and truths",
			"time|a|b\n2024-01-01T00:00:00Z|true|true\n2024-01-01T00:00:01Z|false|1\n",
			`'|' between columns, header; time: "time" as RFC 3339; record "x"`,
			[]string{`x 1704067200000 {"a":true,"b":"true"}`, `x 1704067201000 {"a":false,"b":"1"}`}},
		{"a header alone",
			"time,v\n",
			`',' between columns, header; time: "time"; record "x"`,
			nil},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) { mustRead(t, test.file, "x.csv", test.sentence, test.lines) })
	}
}

// TestZoneInText wants the zone that a header or a title names, unless a person has said another.
func TestZoneInText(t *testing.T) {
	tests := []struct {
		name string
		file string
		want uint64
	}{
		{"in the header", "\"Date Time, GMT-05:00\",v\n06/18/22 07:00:00 PM,1\n", 1655596800000},
		{"with minutes and without a colon", "Time (UTC+0530),v\n2022-06-18 19:00:00,1\n", 1655559000000},
		{"UTC in the header", "timestamp_utc,v\n2022-06-18 19:00:00,1\n", 1655578800000},
		{"UTC after a word", "TimeUTC,v\n2022-06-18 19:00:00,1\n", 1655578800000},
		{"GMT alone", "time (GMT),v\n2022-06-18 19:00:00,1\n", 1655578800000},
		{"in a title", "Station X GMT+1\ntime,v\n2022-06-18 19:00:00,1\n", 1655575200000},
		{"in a text", "time,v\n2022-06-18T19:00:00Z,GMT+1\n", 1655578800000},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			f, err := detectCSV(Sample{[]byte(test.file), true}, Hints{Reader: text.ReadOptions{Name: "x"}})
			if err != nil {
				t.Fatal(err)
			}
			r, err := text.NewCSVReader(strings.NewReader(test.file), f.Reader)
			if err != nil {
				t.Fatal(err)
			}
			v, err := r.Read()
			if err != nil || v.StoredAt != test.want || strings.Contains(f.String(), "this machine") {
				t.Errorf("%s: time %d, error %v; want %d", f, v.StoredAt, err, test.want)
			}
		})
	}
}

// TestZoneNamedInTitle wants that a zone is asked for which a line before the header names.
func TestZoneNamedInTitle(t *testing.T) {
	const rows = "time,v\n2022-06-18 19:00,1\n2022-06-18 19:05,2\n"
	for _, title := range []string{"Timezone: Asia/Kolkata\n", "Report in PST\n", "# all times are Asia/Kolkata\n"} {
		_, err := detectCSV(Sample{[]byte(title + rows), true}, Hints{Reader: text.ReadOptions{Name: "x.csv"}})
		if !errors.Is(err, text.ErrNoZone) || !strings.Contains(err.Error(), "because line 1 names it") {
			t.Errorf("%q: error %v; want that line 1 names a zone", title, err)
		}
	}
	for _, file := range []string{"Room/Kitchen\n" + rows, "Report in PST\ntime,v\n2022-06-18T19:00:00Z,1\n"} {
		if _, err := detectCSV(Sample{[]byte(file), true}, Hints{Reader: text.ReadOptions{Name: "x.csv"}}); err != nil {
			t.Errorf("%q: %v", file, err)
		}
	}
}

// TestHalfDays wants times of day refused that go from 12 to 1 on the same day.
func TestHalfDays(t *testing.T) {
	for clocks, want := range map[string]bool{
		"11:30 12:30 1:30":                true,
		"1:30 12:30 11:30":                true,
		"11:30 12:30 13:30":               false,
		"0:30 12:30 1:30":                 false,
		"12:30AM 1:30AM":                  false,
		"11:30:00.5 12:30:00.5 1:30:00.5": true,
	} {
		file, lines := "time,v\n", ""
		for _, clock := range strings.Fields(clocks) {
			file += "2024-01-15 " + clock + ",1\n"
			lines += `{"time":"2024-01-15 ` + clock + `","v":1}` + "\n"
		}
		_, err := detectCSV(Sample{[]byte(file), true}, Hints{Reader: text.ReadOptions{Name: "x.csv"}})
		if errors.Is(err, ErrHalfDays) != want {
			t.Errorf("%s: error %v; refused %v is wanted", clocks, err, want)
		}
		_, err = detectJSON(Sample{[]byte(lines), true}, Hints{Reader: text.ReadOptions{Name: "x.ndjson"}})
		if errors.Is(err, ErrHalfDays) != want {
			t.Errorf("%s in JSON: error %v; refused %v is wanted", clocks, err, want)
		}
		if want && !strings.HasPrefix(err.Error(), "line 2: ") && !strings.HasPrefix(err.Error(), "line 3: ") {
			t.Errorf("%s in JSON: error %v; want the line where it goes back", clocks, err)
		}
	}
	file := "time,v\n2024-01-15 12:30,1\n2024-01-16 01:30,1\n"
	if _, err := detectCSV(Sample{[]byte(file), true}, Hints{}); err != nil {
		t.Errorf("two days: %v", err)
	}
}

// TestClockOfDate wants a date joined with the time of day that belongs to it.
func TestClockOfDate(t *testing.T) {
	for header, want := range map[string]string{
		"Date,Time,x":                     "[Date Time]",
		"Date,Max Time,Time":              "[Date Time]",
		"Date,Max_at,Min_at":              "[Date]",
		"UTC Date,Local Time,UTC Time":    "[UTC Date UTC Time]",
		"Start Date,Stop Time,Start Time": "[Start Date Start Time]",
		"Date,Local Time,Time":            "[Date Time]",
	} {
		file := header + "\n2024-01-15,08:30,09:30\n2024-01-15,08:40,09:40\n"
		finding, err := detectCSV(Sample{[]byte(file), true}, Hints{Reader: text.ReadOptions{Name: "x.csv"}})
		if err != nil {
			t.Errorf("%s: %v", header, err)
		} else if got := fmt.Sprint(finding.Reader.Time); got != want {
			t.Errorf("%s: the time is in %s; want %s", header, got, want)
		}
	}
}

// TestPartsOfTime wants that a file is refused if a part of its time stands in a column that is not
// added to it.
func TestPartsOfTime(t *testing.T) {
	tests := []struct {
		name string
		file string
		hint []string // columns of the time
		want string   // "": no error
	}{
		{"hours beside a date", "date,hour,v\n2024-01-15,0,1\n2024-01-15,1,2\n", nil, `x.csv:2: column 2 ("hour"): `},
		{"times of day as numbers", "Datum,Zeit,v\n2024-01-15,1430,1\n", nil, `x.csv:2: column 2 ("Zeit"): `},
		{"no hours in the column", "date,hour,v\n2024-01-15,,1\n", nil, ""},
		{"a person has named the time", "date,hour,v\n2024-01-15,0,1\n", []string{"date"}, ""},
		{"a column of zones", "time,tz_cd\n2024-01-15 08:30,EST\n", nil, `x.csv:2: column 2 ("tz_cd"): `},
		{"seconds beside minutes", "time,s,v\n2024-01-15 08:30,0,1\n2024-01-15 08:30,20,2\n", nil,
			`x.csv:2: column 2 ("s"): `},
		{"seconds beside seconds", "time,s,v\n2024-01-15 08:30:05,20,1\n", nil, ""},
		{"seconds of something else", "time,delay_s,v\n2024-01-15 08:30,20,1\n", nil, ""},
		{"more than a minute", "time,s,v\n2024-01-15 08:30,60,1\n", nil, ""},
		{"a column of zones beside times with one", "time,timezone\n2024-01-15T08:30:00Z,EST\n", nil, ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			hints := Hints{Reader: text.ReadOptions{Name: "x.csv", Time: test.hint}}
			_, err := detectCSV(Sample{[]byte(test.file), true}, hints)
			if (err != nil) != (test.want != "") || err != nil && !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v; want %q", err, test.want)
			}
			if test.want != "" && !errors.Is(err, ErrPartOfTime) {
				t.Errorf("error %v; want ErrPartOfTime", err)
			}
		})
	}
}
