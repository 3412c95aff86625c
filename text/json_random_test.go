// SPDX-License-Identifier: Apache-2.0

package text

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/daybook-db/daybook"
)

// randomObject is an object with a time and other members, as JSON.
var randomObject = rapid.Custom(func(t *rapid.T) string {
	scalar := rapid.OneOf(
		rapid.StringMatching(`-?(0|[1-9][0-9]{0,20})(\.[0-9]{1,5})?([eE][+-]?[0-9]{1,3})?`),
		rapid.SampledFrom([]string{"true", "null", `""`, `"]}"`, `"\"\\"`, `"\u00e9,"`, `[]`, `{}`, `[1,{"a":[2]}]`}),
		rapid.Map(rapid.String(), func(s string) string { text, _ := json.Marshal(s); return string(text) }),
	)
	space := rapid.SampledFrom([]string{"", " ", "\t"})
	var members []string
	for i := range rapid.IntRange(0, 4).Draw(t, "members") {
		members = append(members, fmt.Sprintf(`"m%d"%s:%s%s`, i, space.Draw(t, "space"), space.Draw(t, "space"),
			scalar.Draw(t, "value")))
	}
	at := rapid.IntRange(0, len(members)).Draw(t, "at")
	time := fmt.Sprintf(`"t":%d`, rapid.IntRange(1_000_000_000, 1_760_000_000).Draw(t, "time"))
	members = append(members[:at:at], append([]string{time}, members[at:]...)...)
	return "{" + space.Draw(t, "space") + strings.Join(members, space.Draw(t, "space")+",") + "}"
})

// TestFormsOfJSON wants the same values of the same objects as NDJSON, as an array, over several
// lines, and in a document.
func TestFormsOfJSON(t *testing.T) {
	plain := ReadOptions{Record: "r", Time: []string{"t"}}
	inDocument := plain
	inDocument.JSON.Rows = "a.rows"
	rapid.Check(t, func(t *rapid.T) {
		objects := rapid.SliceOfN(randomObject, 1, 5).Draw(t, "objects")
		var want []daybook.StoredValue
		for _, object := range objects {
			want = append(want, wantedValue(t, object))
		}
		list := strings.Join(objects, ",\n")
		for _, test := range []struct {
			name  string
			opts  ReadOptions
			input string
		}{
			{"NDJSON", plain, strings.Join(objects, "\n")},
			{"an array", plain, "[" + list + "]"},
			{"an array over several lines", plain, " [\n" + list + "\n]\n"},
			{"a document", inDocument, `{"x":[1],"a":{"b":{},"rows":[` + list + `]},"z":"]"}`},
			{"documents", inDocument, `{"a":{"rows":[]}}` + "\n" + `{"a":{"rows":[` + list + `]}}`},
		} {
			var got []daybook.StoredValue
			r, err := NewJSONReader(iotest.OneByteReader(strings.NewReader(test.input)), test.opts)
			if err == nil {
				got, err = readAll(r)
			}
			if diff := cmp.Diff(want, got); diff != "" || err != nil {
				t.Fatalf("%s: error %v; values (-want +got):\n%s", test.name, err, diff)
			}
		}
	})
}

// wantedValue returns the value of an object, which encoding/json reads.
func wantedValue(t *rapid.T, object string) daybook.StoredValue {
	var members struct{ T uint64 }
	if err := json.Unmarshal([]byte(object), &members); err != nil {
		t.Fatal(err)
	}
	time := fmt.Sprintf(`"t":%d`, members.T)
	before, after, _ := strings.Cut(object, time)
	rest := strings.TrimLeft(after, " \t")
	if strings.HasPrefix(rest, ",") {
		after = strings.TrimLeft(rest[1:], " \t")
	} else if trimmed := strings.TrimRight(before, " \t"); strings.HasSuffix(trimmed, ",") {
		before = strings.TrimSuffix(trimmed, ",")
	}
	return value("r", before+after, members.T*1000)
}

// repeatedReader is a file of the same text many times.
type repeatedReader struct {
	text  []byte
	times int
	rest  []byte
}

func (r *repeatedReader) Read(p []byte) (n int, err error) {
	if len(r.rest) == 0 {
		if r.times == 0 {
			return 0, io.EOF
		}
		r.times--
		r.rest = r.text
	}
	n = copy(p, r.rest)
	r.rest = r.rest[n:]
	return n, nil
}

// TestMemoryOfJSON wants that memory does not grow with the file.
func TestMemoryOfJSON(t *testing.T) {
	const rows = 60_000 // 4 MB
	row := []byte(`{"t":1764000000,"v":[1,2,3,4,5,6,7,8,9,10],"s":"some text"},` + "\n")
	tests := []struct {
		name, before, after string
		opts                ReadOptions
	}{
		{"an array", "[", `{"t":1764000000}]`, ReadOptions{}},
		{"a document", `{"a":[`, `{"t":1764000000}]}`, ReadOptions{JSON: JSONOptions{Rows: "a"}}},
		{"a member that is skipped", `{"b":{"c":[1,`, `2]},"a":[{"t":1764000000}]}`,
			ReadOptions{JSON: JSONOptions{Rows: "a"}}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			opts := test.opts
			opts.Record, opts.Time = "r", []string{"t"}
			input := io.MultiReader(strings.NewReader(test.before), &repeatedReader{text: row, times: rows},
				strings.NewReader(test.after))
			r, err := NewJSONReader(input, opts)
			if err != nil {
				t.Fatal(err)
			}
			var before, now runtime.MemStats
			runtime.ReadMemStats(&before)
			for n := 0; ; n++ {
				_, err := r.Read()
				if err == io.EOF {
					break
				}
				if err != nil {
					t.Fatal(err)
				}
				if n%(rows/4) == 0 {
					runtime.GC()
					if runtime.ReadMemStats(&now); now.HeapAlloc > before.HeapAlloc+1<<20 {
						t.Fatalf("after %d values the heap has %d bytes; it had %d", n, now.HeapAlloc, before.HeapAlloc)
					}
				}
			}
		})
	}
}

// TestDeepJSON wants an error, and no deep stack, for values that are nested too deep.
func TestDeepJSON(t *testing.T) {
	const depth = 1_000_000
	for _, input := range []string{
		strings.Repeat("[", depth),
		"[" + strings.Repeat("[", depth) + strings.Repeat("]", depth) + "]",
		`{"t":1764000000,"v":` + strings.Repeat("[", depth) + strings.Repeat("]", depth) + "}",
		`{"a":` + strings.Repeat(`{"a":`, depth),
		`{"topic":"x","payload":` + strings.Repeat(`{"a":`, depth),
	} {
		for _, rows := range []string{"", "a.a.a", "b", "*"} {
			opts := ReadOptions{Time: []string{"t"}, JSON: JSONOptions{Rows: rows}}
			r, err := NewJSONReader(strings.NewReader(input), opts)
			if err != nil {
				t.Fatal(err)
			}
			values, bad, err := readGood(r)
			if isEnd := errors.As(err, new(*EndError)); len(values) > 0 || len(bad) == 1 == isEnd || len(bad) > 1 {
				t.Errorf("%.30s: values %v, bad lines %d, error %v; want one error", input, values, len(bad), err)
			}
		}
	}
}

// FuzzJSONReader wants of any input that each value is valid, and that each error has its line.
func FuzzJSONReader(f *testing.F) {
	for _, seed := range []string{
		`{"t":1764000000,"v":1}`, `[{"t":1764000000,"v":1},{"t":5}]`, `{"a":[{"t":1764000000}],"b":[1,{}]}`,
		`{"a":{"t":[1764000000,1764000001],"v":[1,2]}}`, `{"topic":"a/b","payload":On, "x","t":1764000000}`,
		"{\n\"t\":1764000000}\n{}", `{"a":{"a":{"a":[{"t":"\u0031"}]}}}`, `[[1,2],"x"]`, "{\"t\":\"\xff\"}",
	} {
		for form := range byte(6) {
			f.Add([]byte(seed), form)
		}
	}
	f.Fuzz(func(t *testing.T, input []byte, form byte) {
		opts := ReadOptions{Record: "r.{v}", Time: []string{"t"}, StampNow: form&64 != 0}
		switch form % 6 {
		case 1:
			opts.JSON.Rows = "a"
		case 2:
			opts.JSON = JSONOptions{Rows: "a", Columns: true}
		case 3:
			opts.Record, opts.JSON.Rows = "r.{*}", AnyMember
		case 4:
			opts = ReadOptions{StampNow: true}
		case 5:
			opts.Record, opts.Value, opts.JSON.Columns = "", "v.0", true
		}
		r, err := NewJSONReader(bytes.NewReader(input), opts)
		if err != nil {
			t.Fatal(err)
		}
		checkReader(t, r, bytes.Count(input, []byte{'\n'})+1)
	})
}

// FuzzLineProtocol is FuzzJSONReader for line protocol.
func FuzzLineProtocol(f *testing.F) {
	for _, seed := range []string{
		"m v=1 1764000000",
		`m\ ,a=1,b\=2=x v=1i,w="a \" b",x=t 1764000000000000000`,
		"# x\n\nm a=NaN,b=.5e3,c=-007.", `m,=1 x=`,
	} {
		f.Add([]byte(seed), false)
	}
	f.Fuzz(func(t *testing.T, input []byte, template bool) {
		opts := ReadOptions{StampNow: true}
		if template {
			opts.Record = "{measurement}.{a}"
		}
		r, err := NewLineProtocolReader(bytes.NewReader(input), opts)
		if err != nil {
			t.Fatal(err)
		}
		checkReader(t, r, bytes.Count(input, []byte{'\n'})+1)
	})
}

// checkReader reads a file of some lines to its end.
func checkReader(t *testing.T, r ValueReader, lines int) {
	for n := 0; ; n++ {
		v, err := r.Read()
		var bad *LineError
		var end *EndError
		switch {
		case err == io.EOF:
			return
		case errors.As(err, &end):
			if end.Line < 1 || end.Line > lines {
				t.Fatalf("%+v, which says %v; the file has %d lines", end, err, lines)
			}
			return
		case err == nil:
			if _, err := checkedValue(v.RecordName, v.Value, v.StoredAt); err != nil {
				t.Fatal(err)
			}
		case !errors.As(err, &bad):
			t.Fatalf("got %v; want a LineError", err)
		case bad.Line < 1 || bad.LastLine < bad.Line || bad.LastLine > lines || strings.Contains(err.Error(), "%!"):
			t.Fatalf("%+v, which says %v; the file has %d lines", bad, err, lines)
		}
		if n > maxReads {
			t.Fatal("the file does not end")
		}
	}
}
