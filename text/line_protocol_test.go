// SPDX-License-Identifier: Apache-2.0

package text

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/daybook-db/daybook"
)

func readPoints(t *testing.T, input string, opts ReadOptions) ([]daybook.StoredValue, []*LineError) {
	t.Helper()
	r, err := NewLineProtocolReader(strings.NewReader(input), opts)
	if err != nil {
		t.Fatal(err)
	}
	values, bad, err := readGood(r)
	if err != nil {
		t.Fatal(err)
	}
	return values, bad
}

func TestLineProtocolReader(t *testing.T) {
	const ms = 1764000000000
	tests := []struct {
		name   string
		record string
		line   string
		want   daybook.StoredValue
	}{
		{"tags and floats", "", `air,id=TLM0100 temperature=71.170,humidity=35.12 1764000000000000000`,
			value("air.TLM0100", `{"temperature":71.170,"humidity":35.12}`, ms)},
		{"tags in the order of their keys", "", `m,b=2,a=1 v=1 1764000000000000000`, value("m.1.2", `{"v":1}`, ms)},
		{"types", "", `m a=1i,b=2u,c=-3i,d=t,e=FALSE,f="x y",g=1e-5,h=+1.5 1764000000000000000`,
			value("m", `{"a":1,"b":2,"c":-3,"d":true,"e":false,"f":"x y","g":1e-5,"h":1.5}`, ms)},
		{"floats that JSON writes otherwise", "", `m a=.5,b=5.,c=-007.50,d=00 1764000000000000000`,
			value("m", `{"a":0.5,"b":5,"c":-7.50,"d":0}`, ms)},
		{"an integer of 64 bits", "", `m a=9223372036854775807i 1764000000000000000`,
			value("m", `{"a":9223372036854775807}`, ms)},
		{"no number", "", `m a=NaN,b=1,c=+Inf 1764000000000000000`, value("m", `{"b":1}`, ms)},
		{"escapes", "", `my\ m\,x,t\=a=v\ 1 f\,1="a \"b\" \\ c" 1764000000000000000`,
			value("my m,x.v 1", `{"f,1":"a \"b\" \\ c"}`, ms)},
		{"seconds", "", `m a=1 1764000000`, value("m", `{"a":1}`, ms)},
		{"a template", "{site}.{measurement}", `m,site=s,x=y a=1 1764000000`, value("s.m", `{"a":1}`, ms)},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, bad := readPoints(t, "# a comment\n\n"+test.line+"\r\n", ReadOptions{Record: test.record})
			if diff := cmp.Diff([]daybook.StoredValue{test.want}, got); diff != "" || len(bad) > 0 {
				t.Errorf("bad lines %v; values (-want +got):\n%s", bad, diff)
			}
		})
	}
}

func TestBadPoints(t *testing.T) {
	tests := []struct{ line, want string }{
		{`m`, "not Influx line protocol: the line ends early at byte 2: want the key of a field"},
		{`m,a v=1 1`, "not Influx line protocol: want an equals sign after the key of a tag at byte 4"},
		{`m v=one 1764000000`, "not Influx line protocol: want a number, a bool or a string in quotes at byte 5"},
		{`m v="one 1764000000`, "not Influx line protocol: the line ends early at byte 20: want the end of a string"},
		{`m v=1.5i 1764000000`, "not Influx line protocol: want a number, a bool or a string in quotes at byte 5"},
		{`m v=1 1764000000 x`, "not Influx line protocol: want nothing after the time at byte 17"},
		{`m v=1 12`, `"12" is not a time without a unit`},
		{`m v=1`, "it has no time"},
		{`m,a=1,a=2 v=1 1764000000`, `tag "a": it is there twice`},
		{`m v=1,w=2,v=3 1764000000`, `field "v": it is there twice`},
	}
	for _, test := range tests {
		values, bad := readPoints(t, "m v=1 1764000000\n"+test.line+"\nm v=1 1764000000\n", ReadOptions{})
		if len(values) != 2 || len(bad) != 1 || bad[0].Line != 2 || !strings.Contains(bad[0].Error(), test.want) {
			t.Errorf("%s: %d values, bad lines %v; want 2 and %q", test.line, len(values), bad, test.want)
		}
	}
	_, bad := readPoints(t, "m v=1\n", ReadOptions{})
	if len(bad) != 1 || !errors.Is(bad[0], ErrMissingTime) {
		t.Errorf("bad lines %v; want ErrMissingTime", bad)
	}
	if values, _ := readPoints(t, "m v=1\n", ReadOptions{StampNow: true}); len(values) != 1 || values[0].StoredAt == 0 {
		t.Errorf("values %v; want one with the clock's time", values)
	}
}

func TestLineProtocolIsUnended(t *testing.T) {
	for _, test := range []struct {
		input, reason string
		want          bool
	}{
		{"m v=1 1764000000", "no line has an end, as where a program prints one", false},
		{"m v=1 1764000000\n", "the last line has its end", false},
		{"m v=1 1764000000\nm v=2 1764000001\n", "each line has its end", false},
		{"m v=1 1764000000\nm v=2 1764000001", "the last line may have been cut off", true},
	} {
		r, err := NewLineProtocolReader(strings.NewReader(test.input), ReadOptions{})
		if err != nil {
			t.Fatal(err)
		}
		mustReadAll(t, r)
		if got := r.(LineReader).IsUnended(); got != test.want {
			t.Errorf("%q: got %v; want %v, because %s", test.input, got, test.want, test.reason)
		}
	}
}
