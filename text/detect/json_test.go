// SPDX-License-Identifier: Apache-2.0

package detect

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/daybook-db/daybook/text"
)

// readFound reads a file as it was found, and returns a line for each value or bad line.
func readFound(in []byte, f *Finding) (lines []string, err error) {
	newReader := text.NewJSONReader
	if f.Kind == LineProtocol {
		newReader = text.NewLineProtocolReader
	}
	r, err := newReader(bytes.NewReader(in), f.Reader)
	if err != nil {
		return nil, err
	}
	for {
		v, err := r.Read()
		switch {
		case err == io.EOF:
			return lines, nil
		case errors.As(err, new(*text.LineError)):
			lines = append(lines, err.Error())
		case err != nil:
			return lines, err
		default:
			lines = append(lines, fmt.Sprintf("%s %d %s", v.RecordName, v.StoredAt, v.Value))
		}
	}
}

// TestJSONCases reads files of other people.
func TestJSONCases(t *testing.T) {
	tests := []struct {
		file     string
		sentence string
		lines    []string
	}{
		{"seconds.ndjson", `NDJSON; time: "ts" as Unix time in s; record from "topic"`, []string{`r 1585673980000 1`}},
		{"tb.ndjson", `NDJSON; time: "ts" as Unix time in ms; record "tb"`,
			[]string{`tb 1451649600512 {"values":{"key1":"value1", "key2":"value2"}}`}},
		{"air.lp", `Influx line protocol; time: Unix time in ns; record from the measurement and the tags`,
			[]string{`airSensors.TLM0100 1626537623000 {"temperature":71.17,"humidity":35.12}`}},
	}
	for _, test := range tests {
		t.Run(test.file, func(t *testing.T) {
			path := filepath.Join("testdata", test.file)
			data, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			hints := Hints{Reader: text.ReadOptions{Name: path}}
			find := detectJSON
			if strings.HasSuffix(test.file, ".lp") {
				find = detectLineProtocol
			}
			f, err := find(Sample{data, true}, hints)
			if err != nil {
				t.Fatal(err)
			}
			lines, err := readFound(data, f)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.sentence, f.String()); diff != "" {
				t.Errorf("sentence (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(test.lines, lines); diff != "" {
				t.Errorf("values (-want +got):\n%s", diff)
			}
		})
	}
}

// TestForms reads texts in the forms of other programs.
func TestForms(t *testing.T) {
	tests := []struct {
		name     string
		input    string
		sentence string
		lines    []string
	}{
		{"Home Assistant", `[{"entity_id":"s.a","state":"1","attributes":{"unit":"V"},` +
			`"last_changed":"2025-11-24T16:00:00+00:00","last_updated":"2025-11-24T16:00:00+00:00"}]`,
			`JSON array; time: "last_changed" (not "last_updated") as RFC 3339; record "in"`,
			[]string{`in 1764000000000 {"entity_id":"s.a","state":"1","attributes":{"unit":"V"},` +
				`"last_updated":"2025-11-24T16:00:00+00:00"}`}},
		{"mosquitto_sub %J", `{"tst":"2025-11-24T17:00:00.123+0100","topic":"z/b","qos":0,"retain":0,"payloadlen":2,` +
			`"payload":{"x":1}}` + "\n", `NDJSON; time: "tst" as RFC 3339; record from "topic"`,
			[]string{`z.b 1764000000123 {"x":1}`}},
		{"journald", `{"__MONOTONIC_TIMESTAMP":"1764000000",` +
			`"__REALTIME_TIMESTAMP":"1764000000123456","MESSAGE":"m"}` + "\n",
			`NDJSON; time: "__REALTIME_TIMESTAMP" as Unix time in us, cut off below 1 ms; record "in"`,
			[]string{`in 1764000000123 {"__MONOTONIC_TIMESTAMP":"1764000000","MESSAGE":"m"}`}},
		{"GeoJSON", `{"type":"FeatureCollection","metadata":{"generated":1764000009000},"features":[` +
			`{"type":"Feature","properties":{"mag":1.20,"time":1764000000000,"updated":1764000001000},"id":"a"}]}`,
			`JSON document, values in "features" (not stored: "type" and "metadata"); ` +
				`time: "properties.time" (not "properties.updated") as Unix time in ms; record "in"`,
			[]string{`in 1764000000000 {"type":"Feature","properties":{"mag":1.20,"updated":1764000001000},"id":"a"}`}},
		{"ThingsBoard", `{"temp":[{"ts":1764000000000,"value":"1"}],"hum":[{"ts":1764000000000,"value":"2"}]}`,
			`JSON document, an array of values in each member; time: "ts" as Unix time in ms; record "in.{*}"`,
			[]string{`in.temp 1764000000000 {"value":"1"}`, `in.hum 1764000000000 {"value":"2"}`}},
		{"Open-Meteo", `{"latitude":48.2,"utc_offset_seconds":3600,"timezone":"Europe/Vienna",` +
			`"hourly_units":{"time":"iso8601","t":"°C"},` +
			`"hourly":{"time":["2025-11-24T17:00","2025-11-24T18:00"],"t":[1.0,null]}}`,
			`JSON document, columns in "hourly" (not stored: "latitude", "utc_offset_seconds", "timezone" and ` +
				`"hourly_units"); time: "time" as YYYY-MM-DD HH:MM, UTC+01:00; record "in"`,
			[]string{`in 1764000000000 {"t":1.0}`, `in 1764003600000 {"t":null}`}},
		{"a document that is one value", "{\n  \"time\": \"2025-11-24T16:00:00Z\",\n  \"v\": 1\n}\n",
			`JSON document; time: "time" as RFC 3339; record "in"`, []string{"in 1764000000000 {\n  \"v\": 1\n}"}},
		{"date and time apart", `{"date":"2025-11-24","time":"16:00:00Z","v":1}`,
			`NDJSON; time: "date" and "time" as RFC 3339; record "in"`, []string{`in 1764000000000 {"v":1}`}},
		{"OpenWeather", `{"coord":{"lon":1,"lat":2},"weather":[{"id":800}],"dt":1764000000,` +
			`"sys":{"sunrise":1763990000},"name":"W"}`,
			`NDJSON; time: "dt" as Unix time in s; record "in"`,
			[]string{`in 1764000000000 {"coord":{"lon":1,"lat":2},"weather":[{"id":800}],` +
				`"sys":{"sunrise":1763990000},"name":"W"}`}},
		{"a zone beside times that have one", `{"time":"2025-11-24T16:00:00Z","tz":"America/New_York"}`,
			`NDJSON; time: "time" as RFC 3339; record "in"`, []string{`in 1764000000000 {"tz":"America/New_York"}`}},
		{"Zeek", `{"ts":1764000000.305988,"uid":"C"}` + "\n" + `{"ts":1764000001.1,"uid":"D"}` + "\n",
			`NDJSON; time: "ts" as Unix time in s, cut off below 1 ms; record "in"`,
			[]string{`in 1764000000305 {"uid":"C"}`, `in 1764000001100 {"uid":"D"}`}},
		{"a name for each value", `{"record_name":"r","value":{"x":1},"at":"2025-11-24T16:00:00Z"}`,
			`NDJSON; time: "at" as RFC 3339; record from "record_name"`, []string{`r 1764000000000 {"x":1}`}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			f, err := detectJSON(Sample{[]byte(test.input), true}, Hints{Reader: text.ReadOptions{Name: "dir/in.json"}})
			if err != nil {
				t.Fatal(err)
			}
			lines, err := readFound([]byte(test.input), f)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.sentence, f.String()); diff != "" {
				t.Errorf("sentence (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(test.lines, lines); diff != "" {
				t.Errorf("values (-want +got):\n%s", diff)
			}
		})
	}
}

// TestPayloadsWithoutTime wants that values without a time need the clock's, also payloads that are
// no JSON.
func TestPayloadsWithoutTime(t *testing.T) {
	data, err := os.ReadFile(filepath.Join("testdata", "mosquitto_plain.ndjson"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := detectJSON(Sample{data, true}, Hints{}); !errors.Is(err, ErrNoTime) {
		t.Errorf("got %v; want ErrNoTime", err)
	}
	f, err := detectJSON(Sample{data, true}, Hints{Reader: text.ReadOptions{StampNow: true}})
	if err != nil {
		t.Fatal(err)
	}
	lines, err := readFound(data, f)
	for i, line := range lines {
		name, rest, _ := strings.Cut(line, " ")
		_, value, _ := strings.Cut(rest, " ")
		lines[i] = name + " " + value
	}
	want := []string{`zigbee2mqtt.bridge.state {"state":"online"}`, `tele.plug.LWT "Online"`,
		`zigbee2mqtt.btn1 {"action":"single","battery":100}`}
	if diff := cmp.Diff(want, lines); diff != "" || err != nil {
		t.Errorf("error %v; values (-want +got):\n%s", err, diff)
	}
	if want := `NDJSON; time: now; record from "topic"`; f.String() != want {
		t.Errorf("got %s; want %s", f, want)
	}
}

// TestMalformedLines wants that lines are left to the reader, which says where each is wrong, if
// none of them is JSON.
func TestMalformedLines(t *testing.T) {
	for _, input := range []string{`{"a":`, "{\n{\n", `{"record_name":`} {
		found, err := detectJSON(Sample{[]byte(input), true}, Hints{})
		if err != nil || found.Kind != NDJSON || !found.Own {
			t.Errorf("%q: got %+v, %v; want lines in our own form", input, found, err)
		}
	}
}

// TestLongFirstLine wants that a line that is longer than a sample is known by its first member.
func TestLongFirstLine(t *testing.T) {
	for _, kind := range []Kind{"", NDJSON} {
		line := `{"record_name":"r","value":"` + strings.Repeat("x", SampleLen)
		found, err := detectJSON(Sample{Text: []byte(line)[:SampleLen]}, Hints{Kind: kind})
		if err != nil || found.Kind != NDJSON || !found.Own {
			t.Errorf("kind %q: got %+v, %v; want lines in our own form", kind, found, err)
		}
	}
}

// TestHintsForJSON wants that a person's words decide.
func TestHintsForJSON(t *testing.T) {
	const series = `{"k":[{"ts":1764000000000,"value":"1"}]}`
	tests := []struct {
		name  string
		input string
		opts  text.ReadOptions
		want  []string // of the values, or one text of the error
	}{
		{"a time in an array", `{"x":1,"a":[{"b":1764000000,"v":1}]}`, text.ReadOptions{Time: []string{"b"}},
			[]string{`in 1764000000000 {"v":1}`}},
		{"another time", `{"time":"2025-11-24T17:00:00Z","b":{"c":1764000000}}`,
			text.ReadOptions{Time: []string{"b.c"}},
			[]string{`in 1764000000000 {"time":"2025-11-24T17:00:00Z","b":{}}`}},
		{"record and value", `{"time":1764000000,"id":7,"v":[1.50]}`, text.ReadOptions{Record: "x.{id}", Value: "v.0"},
			[]string{`x.7 1764000000000 1.50`}},
		{"a topic in a name", `{"time":1764000000,"topic":"a/b","v":1}`, text.ReadOptions{Record: "x.{topic}"},
			[]string{`x.a.b 1764000000000 {"v":1}`}},
		{"our own form under another name", `{"record_name":"r","value":1,"stored_at":1764000000000}`,
			text.ReadOptions{Record: "x.{record_name}"}, []string{`x.r 1764000000000 1`}},
		{"a name for each array", series, text.ReadOptions{Record: "tb.{*}"},
			[]string{`tb.k 1764000000000 {"value":"1"}`}},
		{"one name for all arrays", series, text.ReadOptions{Record: "tb"}, []string{`want {*} in it`}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			test.opts.Name = "in.json"
			f, err := detectJSON(Sample{[]byte(test.input), true}, Hints{Reader: test.opts})
			if err != nil {
				if !strings.Contains(err.Error(), test.want[0]) {
					t.Errorf("got %v; want %q", err, test.want)
				}
				return
			}
			lines, err := readFound([]byte(test.input), f)
			if diff := cmp.Diff(test.want, lines); diff != "" || err != nil {
				t.Errorf("error %v; values (-want +got):\n%s", err, diff)
			}
		})
	}
}

// TestRefusedJSON wants an error that a person can act on.
func TestRefusedJSON(t *testing.T) {
	tests := []struct {
		name  string
		input string
		want  error
		text  string
	}{
		{"no time", `{"a":1,"b":{"c":"x"}}`, ErrNoTime, `its members are "a" and "b.c"`},
		{"a time without a unit", `[{"topic":"b","payload":1,"ts":1}]`, text.ErrNoUnit,
			`line 1: time in "ts": "1" is not`},
		{"a day as a number", `{"date":20140214,"v":1}`, text.ErrNoUnit, `"20140214"`},
		{"seconds beside minutes", `[{"time":"2025-11-24 16:00","sec":20,"v":1}]`, ErrPartOfTime, `"sec"`},
		{"expiry is no time of a reading", `{"expires_at":"2025-11-24T16:00:00Z"}`, ErrNoTime, ""},
		{"a document with a time of its own", `{"time":1764000000,"sensors":[{"seen":"2025-11-24T16:00:00Z"}]}`,
			ErrUnknownShape, ""},
		{"a report of intervals", `{"start_at":1714521600,"intervals":[{"end_at":1714521900,"w":3}]}`,
			ErrInnerTimes, ""},
		{"an array of reports", `[{"time":"2025-11-24T16:00:00Z","samples":[{"t":"2025-11-24T15:00:00Z","v":1}]}]`,
			ErrInnerTimes, ""},
		{"pairs beside a time", `{"time":1764000000,"values":[[1764000000,"1"],[1764000001,"2"]]}`, ErrInnerTimes, ""},
		{"a device's date is no time", `{"installed_at":"2025-11-24T16:00:00Z","v":1}`, ErrNoTime, ""},
		{"an id is no time", `{"last_id":1764000000,"v":1}`, ErrNoTime, ""},
		{"a zone for each value", `{"time":"2025-11-24 16:00","tz":"America/New_York"}`, text.ErrNoZone,
			`as "tz" says`},
		{"an offset for each value", `{"a":{"time":"2025-11-24 16:00","utc_offset":"-05:00"}}`, text.ErrNoZone,
			`as "a.utc_offset" says`},
		{"arrays in arrays", `[[1764000000,1]]`, ErrUnknownShape, ""},
		{"Prometheus", `{"data":{"result":[{"metric":{},"values":[[1764000000,"1"]]}]}}`, ErrUnknownShape, ""},
		{"two arrays of values", `{"a":[{"time":1764000000}],"b":[{"time":1764000000}]}`, ErrUnknownShape, ""},
		{"a time without a name", `{"":"2025-11-24T16:00:00Z","v":1}`, ErrNoTime, ""},
		{"a column without a name", `{"":["2025-11-24T16:00:00Z"],"":[]}`, ErrNoTime, ""},
		{"an array without a name", `{"":[{"time":1764000000}]}`, ErrUnknownShape, ""},
		{"an array that is cut", `[{"time":17640`, nil, "line 1: not JSON"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := detectJSON(Sample{[]byte(test.input), true}, Hints{})
			isWanted := err != nil && (test.want == nil || errors.Is(err, test.want))
			if !isWanted || !strings.Contains(err.Error(), test.text) {
				t.Errorf("got %v; want %v and %q", err, test.want, test.text)
			}
		})
	}
}

// TestInnerTimes reads values whose arrays have no times of their own, or of which a person named
// the time.
func TestInnerTimes(t *testing.T) {
	const report = `{"start_at":1764000000,"intervals":[{"end_at":1764000300,"w":3},{"end_at":1764000600,"w":4}]}`
	tests := []struct {
		name, input string
		time        []string
		want        []string
	}{
		{"an array of numbers", `{"time":1764000000,"axes":[1,2]}`, nil, []string{`f 1764000000000 {"axes":[1,2]}`}},
		{"an array of ids", `{"time":1764000000,"tags":[{"id":1764000000}]}`, nil,
			[]string{`f 1764000000000 {"tags":[{"id":1764000000}]}`}},
		{"the elements by their time", report, []string{"end_at"},
			[]string{`f 1764000300000 {"w":3}`, `f 1764000600000 {"w":4}`}},
		{"the whole value by its time", report, []string{"start_at"},
			[]string{`f 1764000000000 {"intervals":[{"end_at":1764000300,"w":3},{"end_at":1764000600,"w":4}]}`}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			f, err := detectJSON(Sample{[]byte(test.input), true},
				Hints{Reader: text.ReadOptions{Name: "f.json", Time: test.time}})
			if err != nil {
				t.Fatal(err)
			}
			lines, err := readFound([]byte(test.input), f)
			if diff := cmp.Diff(test.want, lines); err != nil || diff != "" {
				t.Errorf("%v; values (-want +got):\n%s", err, diff)
			}
		})
	}
}

func TestMemberOfUTC(t *testing.T) {
	for _, name := range []string{"time_utc", "dateTimeUTC", "utcTime"} {
		f, err := detectJSON(Sample{[]byte(`{"` + name + `":"2025-11-24 16:00:00","v":1}`), true}, Hints{})
		if err != nil || !strings.Contains(f.String(), "HH:MM:SS, UTC; record") {
			t.Errorf("%s: %v, error %v; want UTC", name, f, err)
		}
	}
}
