// SPDX-License-Identifier: Apache-2.0

package text

import (
	"encoding/json"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/daybook-db/daybook"
)

// member is a member that scanMembers visits.
type member struct{ Name, Value string }

// scanned returns the members of a line, or why it has none.
func scanned(text string) (members []member, err error) {
	err = scanMembers([]byte(text), func(name string, value json.RawMessage) error {
		members = append(members, member{name, string(value)})
		return nil
	})
	return members, err
}

func TestScanMembers(t *testing.T) {
	tests := []struct {
		name string
		text string
		want []member
	}{
		{"an empty object", ` { } `, nil},
		{"every kind of value", `{"a":1,"b":"x","c":null,"d":true,"e":[1,{}],"f":{"a":[]}}`,
			[]member{{"a", `1`}, {"b", `"x"`}, {"c", `null`}, {"d", `true`}, {"e", `[1,{}]`}, {"f", `{"a":[]}`}}},
		{"white space around values", "\t{ \"a\" : [ 1 ] , \"b\" :\r2 }\n", []member{{"a", `[ 1 ]`}, {"b", `2`}}},
		{"commas and brackets inside strings", `{"a":",}]\"","b":["]"]}`, []member{{"a", `",}]\""`}, {"b", `["]"]`}}},
		{"an escaped backslash at the end of a string", `{"a":"\\","b":1}`, []member{{"a", `"\\"`}, {"b", `1`}}},
		{"a name with escapes", `{"\u0061\n":1}`, []member{{"a\n", `1`}}},
		{"names that differ in case, and one twice", `{"a":1,"A":2,"a":3}`,
			[]member{{"a", `1`}, {"A", `2`}, {"a", `3`}}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := scanned(test.text)
			if diff := cmp.Diff(test.want, got); err != nil || diff != "" {
				t.Errorf("%v, members (-want +got):\n%s", err, diff)
			}
		})
	}
}

func TestScanMembersErrors(t *testing.T) {
	tests := []struct {
		name string
		text string
		want string
	}{
		{"nothing", ``, "the line ends early"},
		{"another kind of JSON", `"x"`, "it is a JSON string: want an object"},
		{"not JSON", `x`, "want an object at byte 1"},
		{"no end", `{"a":1`, "the line ends early at byte 7"},
		{"no value", `{"a":}`, "want a value at byte 6"},
		{"a comma for a value", `{"a":,"b":1}`, "want a value at byte 6"},
		{"no value and no end", `{"a":`, "the line ends early at byte 6"},
		{"no colon", `{"a" 1}`, "want a colon"},
		{"no comma", `{"a":1 "b":2}`, "want a comma"},
		{"a comma too many", `{"a":1,}`, "want the name of a member at byte 8"},
		{"a name that is not a string", `{a:1}`, "want the name of a member at byte 2"},
		{"a name without an end", `{"a`, "want the name of a member at byte 2"},
		{"a quote alone", `{"`, "want the name of a member at byte 2"},
		{"a name with a line break", "{\"a\nb\":1}", "want the name of a member"},
		{"two objects", `{} {}`, "want nothing after the object at byte 4"},
		{"brackets that do not match", `{"a":[}]}`, `member "a": invalid value`},
		{"an unknown word", `{"a":yes}`, `member "a": invalid value`},
		{"the longest name that is not cut", `{"` + strings.Repeat("n", 64) + `":x}`, strings.Repeat("n", 64) + `": `},
		{"a long name, which is cut", `{"` + strings.Repeat("n", 100) + `":x}`, strings.Repeat("n", 64) + `..."`},
		{"as deep as a line is long", `{"a":` + strings.Repeat("[", MaxLineLen-5), `member "a": value too large`},
		{"not an object, as deep as a line is long", strings.Repeat("[", MaxLineLen), "want an object"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if _, err := scanned(test.text); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v; want one with %q", err, test.want)
			}
		})
	}
}

// TestScanMembersAgainstEncodingJSON changes lines at random. scanMembers and encoding/json must
// accept the same lines, with the same members. encoding/json keeps the last of two members with
// the same name.
func TestScanMembersAgainstEncodingJSON(t *testing.T) {
	lines := []string{
		`{"record_name":"sensor.kitchen","value":{"celsius":21.5},"stored_at":1764000000000}`,
		`{ "topic" : "a\u00e9\"b" , "payload" : [ [ ] , { "x" : -1.5e+3 } , "}," ] , "ts" : null }`,
		`{"a":true,"b":false,"":"\\","c":[1,2,[3]]}`,
	}
	const pieces = `{}[],:"\ 0123e.-+tfn` + "\t\n\x01u"
	seed := rand.Uint64()
	random := rand.New(rand.NewPCG(seed, 0))
	for range 30_000 {
		text := []byte(lines[random.IntN(len(lines))])
		for range random.IntN(4) {
			at := random.IntN(len(text))
			switch piece := pieces[random.IntN(len(pieces))]; random.IntN(3) {
			case 0:
				text[at] = piece
			case 1:
				text = append(text[:at:at], append([]byte{piece}, text[at:]...)...)
			case 2:
				text = append(text[:at:at], text[at+1:]...)
			}
		}
		var want map[string]json.RawMessage
		wantErr := json.Unmarshal(text, &want)
		members, err := scanned(string(text))
		if (err == nil) != (wantErr == nil) {
			t.Fatalf("seed %d: %q: %v; encoding/json says %v", seed, text, err, wantErr)
		}
		if err != nil {
			continue
		}
		got := map[string]json.RawMessage{}
		for _, m := range members {
			got[m.Name] = json.RawMessage(m.Value)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("seed %d: %q: members (-encoding/json +got):\n%s", seed, text, diff)
		}
	}
}

var lineSink daybook.StoredValue

func BenchmarkParseLine(b *testing.B) {
	line := []byte(`{"record_name":"sensor.kitchen",` +
		`"value":{"celsius":21.5,"humidity":40,"name":"kitchen"},"stored_at":1764000000000}`)
	b.SetBytes(int64(len(line)))
	b.ReportAllocs()
	for b.Loop() {
		var err error
		if lineSink, err = parseLine(line, ReadOptions{}); err != nil {
			b.Fatal(err)
		}
	}
}
