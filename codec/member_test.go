// SPDX-License-Identifier: Apache-2.0

package codec

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

var memberTests = []struct {
	name   string
	value  func(i int) string
	member bool
	reason string // why the row is here
}{
	{"states", func(i int) string { return fmt.Sprintf(`{"state":"%s","n":%d}`, words[i*i%7], i) }, true,
		"the usual values: a dictionary beside numbers"},
	{"true, false and null", func(i int) string {
		return `{"on":` + []string{"true", "false", "null"}[i*i%3] + `}`
	}, true,
		"scalars that are neither numbers nor strings"},
	{"null in place of a number", func(i int) string {
		return `{"c":` + []string{"21.5", "null", "-3"}[i%3] + `,"x":"` + words[i%5] + `"}`
	}, true, "one column for the numbers, and one for null"},
	{"optional members", optionalMembers, true, "many templates, but one column for each member"},
	{"arrays of other lengths", func(i int) string {
		return `{"samples":[` + strings.Repeat("7,", i%6) + strconv.Itoa(i) + `]}`
	}, true, "one column for each index"},
	{"numbers in texts", func(i int) string {
		return fmt.Sprintf(`{"line":"%s.%d","at":"%02d:%02d"}`, words[i%4], i%9, i/60, i%60)
	},
		true, "a form for each text around a number"},
	{"identifiers", func(i int) string { return `{"id":"` + identifier(uint64(i)) + `"}` }, true,
		"digits of an alphabet around hyphens"},
	{"identifiers of other lengths", func(i int) string {
		v := uint64(i)
		return fmt.Sprintf(`"%X"`, v*v*v*v*v)
	}, true,
		"digits of one alphabet"},
	{"identifiers in base 64", func(i int) string {
		return `"` + base64.RawURLEncoding.EncodeToString([]byte(identifier(uint64(i))[:9])) + `"`
	}, true, "digits of 6 bits"},
	{"too many forms", func(i int) string { return fmt.Sprintf(`{"id":"%x"}`, uint64(i)*0x9e3779b97f4a7c1) }, true,
		"random identifiers follow one another"},
	{"long texts", func(i int) string {
		return fmt.Sprintf(`{"text":"%s"}`, strings.Repeat(words[i%7]+" ", 5+i*i%19))
	}, true,
		"longer than what is copied at once"},
	{"escapes", func(i int) string { return fmt.Sprintf(`{"a\"b":"%s\\","c":"\u00e9\""}`, words[i%7]) }, true,
		"a quote after a backslash is part of a string"},
	{"spaces", func(i int) string { return fmt.Sprintf("{ \"state\" : \"%s\",\n\t\"n\": %d }", words[i%7], i) }, true,
		"as Python and people write JSON"},
	{"numbers that are no decimals", func(i int) string {
		return fmt.Sprintf(`[%de-7,12345678901234567890,-0,"%s"]`, i, words[i%3])
	}, true,
		"texts"},
	{"empty texts", func(i int) string {
		return fmt.Sprintf(`["%s"]`, strings.Repeat("x", i%3))
	}, true, "a form without bytes"},
	{"one text", func(i int) string { return `"` + words[i%7] + `"` }, true, "a value that is a string"},
	{"one name twice", func(i int) string { return fmt.Sprintf(`{"a":"%s","a":"%s"}`, words[i%7], words[i%3]) }, true,
		"two places with one path share a column"},
	{"always the same", func(int) string { return `{"state":"idle"}` }, true, "the text is a part of the template"},
	{"a style that changes", func(i int) string { return []string{`{"c":1.50}`, `{"c":1.5}`}[i%2] }, false,
		"no style writes both"},
	{"no end", func(i int) string { return `{"a":"` + words[i%7] }, false, "a string without a closing quote"},
	{"a byte that marks a place", func(i int) string {
		return "\"\x01" + words[i%7] + `"`
	}, false, "no JSON contains it"},
	{"such a byte after a backslash", func(i int) string {
		return `{"\` + "\x02" + `":"` + words[i%7] + `"}`
	}, false, "nor this"},
	{"such a byte between values", func(i int) string { return "[\x00," + strconv.Itoa(i) + `]` }, false, "nor this"},
	{"closed too often", func(i int) string { return `]` + strconv.Itoa(i) }, false, "not JSON"},
	{"nested too deeply", func(i int) string {
		return strings.Repeat("[", maxMemberDepth+1) + strconv.Itoa(i)
	}, false, "the limit"},
	{"nested deeply", func(i int) string {
		return strings.Repeat("[", maxMemberDepth) + strconv.Itoa(i)
	}, true, "the limit is inclusive"},
	{"the maximum of templates", func(i int) string {
		return arrayOf(i % maxMemberTemplates)
	}, true, "the limit is inclusive"},
	{"one template too many", func(i int) string {
		return arrayOf(i % (maxMemberTemplates + 1))
	}, false, "beyond the limit"},
	{"one column too many", func(i int) string { return arrayOf(i%2*maxMemberColumns + 1) }, false, "beyond the limit"},
	{"the maximum of columns", func(i int) string {
		return arrayOf(i%2*(maxMemberColumns-1) + 1)
	}, true, "the limit is inclusive"},
}

var words = []string{"running", "idle", "setup", "blocked", "fault", "cleaning", "off"}

// arrayOf returns an array of n numbers.
func arrayOf(n int) string { return "[" + strings.TrimSuffix(strings.Repeat("7,", n), ",") + "]" }

// optionalMembers returns an object in which each of four members is absent from some values.
func optionalMembers(i int) string {
	s := fmt.Sprintf(`{"id":%d`, i)
	state, name := words[i%7], words[i%5]
	members := []string{`,"state":"` + state + `"`, `,"n":7`, `,"user":{"name":"` + name + `"}`, `,"ok":true`}
	for bit, member := range members {
		if i*31>>bit%2 == 0 {
			s += member
		}
	}
	return s + "}"
}

// identifier returns a text such as 6f1ea9c0-1b2c that seems to be random.
func identifier(i uint64) string {
	digits := fmt.Sprintf("%016x", (i+1)*0x9e3779b97f4a7c15)
	return digits[:8] + "-" + digits[8:12]
}

// memberChunk returns entries as a chunk of members, also if another encoding is shorter; nil if
// that is impossible.
func memberChunk(entries []Entry) (key, chunk []byte) {
	h := headerOf(entries)
	body := coder.appendMemberBody(nil, entries, &h)
	key = Key{Record: "record", Timestamp: h.First}.Append(nil)
	if len(body) == 0 {
		return key, nil
	}
	return key, appendHeaderAndBody(nil, key, &h, encodingMembers, body)
}

func memberEntries(n int, value func(i int) string) (entries []Entry) {
	for i := range n {
		entries = append(entries, Entry{1000 + 250*uint64(i), 7 + 3*uint64(i), []byte(value(i))})
	}
	return entries
}

func TestMembers(t *testing.T) {
	for _, test := range memberTests {
		t.Run(test.name, func(t *testing.T) {
			entries := memberEntries(300, test.value)
			key, chunk := memberChunk(entries)
			if got := chunk != nil; got != test.member {
				t.Fatalf("members: got %v, want %v (%s)", got, test.member, test.reason)
			}
			var b Buffer
			bestKey, best := encode(entries)
			checkDecodes(t, &b, bestKey, best, entries)
			if chunk == nil {
				return
			}
			if best[1] == encodingMembers && len(best) > len(chunk) {
				t.Errorf("AppendChunk makes %d bytes; want at most %d", len(best), len(chunk))
			}
			checkDecodes(t, &b, key, chunk, entries)
			wantCounts(t, key, chunk, entries[:20])
			wantSequences(t, key, chunk, entries)
			wantRanges(t, key, chunk, entries)
			for _, n := range []int{0, 1, 150, len(entries) - 1} {
				tailKey, tail, err := coder.Tail(key, chunk, n)
				if err != nil {
					t.Fatalf("Tail(%d): %v", n, err)
				}
				checkDecodes(t, &b, tailKey, tail, entries[n:])
			}
			for _, n := range []int{2, 150, len(entries) - 1} {
				firstKey, first := memberChunk(entries[:n])
				joined, err := coder.Join(key, []EncodedChunk{{firstKey, first}}, entries[n:])
				if err != nil {
					t.Fatalf("Join(%d): %v", n, err)
				}
				if joined != nil {
					checkDecodes(t, &b, key, joined, entries)
				}
			}
		})
	}
}

// TestMembersJoin compares joined chunks, and a tail, with the same values encoded at once.
func TestMembersJoin(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	entries := memberEntries(600, func(i int) string {
		id, state := identifier(uint64(i)), words[random.IntN(7)]
		if random.IntN(3) == 0 {
			return fmt.Sprintf(`{"type":"x","id":"%s","n":%d,"on":%v}`, id, random.IntN(99), random.IntN(2) > 0)
		}
		return fmt.Sprintf(`{"type":"x","id":"%s","state":"%s","by":"%s-%d","c":%d.5}`, id, state, state, i%9, i%40)
	})
	key, want := memberChunk(entries)
	var chunks []EncodedChunk
	for _, part := range [][]Entry{entries[:100], entries[100:150], entries[150:400]} {
		key, chunk := memberChunk(part)
		chunks = append(chunks, EncodedChunk{key, chunk})
	}
	got, err := coder.Join(key, chunks, entries[400:])
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("got %d bytes, %v; want the %d bytes of the values encoded at once", len(got), err, len(want))
	}
	tailKey, tail, err := coder.Tail(key, want, 350)
	wantKey, wantTail := memberChunk(entries[350:])
	if err != nil || !bytes.Equal(tailKey, wantKey) || len(tail) > len(wantTail)+len(wantTail)/16 {
		t.Errorf("Tail: got %d bytes, %v; want about the %d bytes of its values", len(tail), err, len(wantTail))
	}
	if got, err := coder.Join(key, []EncodedChunk{chunks[1]}, entries[:100]); got != nil || err != nil {
		t.Errorf("out of order: got %d bytes, %v; want no chunk", len(got), err)
	}
	more := []Entry{{1 << 40, 1 << 40, []byte("no JSON\x00")}}
	if got, err := coder.Join(key, []EncodedChunk{chunks[1]}, more); got != nil || err != nil {
		t.Errorf("with a value that is not JSON: got %d bytes, %v; want no chunk", len(got), err)
	}
	templatesKey, templates := encode(memberEntries(10, func(i int) string { return strconv.Itoa(i * i) }))
	mixed := []EncodedChunk{chunks[0], {templatesKey, templates}}
	if got, err := coder.Join(key, mixed, nil); got != nil || err != nil {
		t.Errorf("with a chunk of templates: got %d bytes, %v; want no chunk", len(got), err)
	}
	chunks[1].Chunk = chunks[1].Chunk[:len(chunks[1].Chunk)-1]
	if _, err := coder.Join(key, chunks, entries[400:]); !errors.Is(err, ErrCorrupt) {
		t.Errorf("with a chunk cut short: got %v, want ErrCorrupt", err)
	}
}

// TestMembersPay: what each kind of column is for. Among the sizes are the timestamps, the sequence
// numbers and the template.
func TestMembersPay(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for _, test := range []struct {
		name     string
		value    func(i int) string
		maxBytes int    // a value
		reason   string // why the row is here
	}{
		{"states", func(int) string {
			return `{"state":"` + words[random.IntN(7)] + `","mode":"` + words[random.IntN(7)] + `"}`
		}, 1,
			"3 bits each"},
		{"optional members", func(i int) string {
			return optionalMembers(random.IntN(1 << 16))
		}, 4, "the identifier takes 16 bits"},
		{"numbers in texts", func(int) string {
			order, by := 200_000+random.IntN(4096), words[random.IntN(7)]
			return fmt.Sprintf(`{"order":"A-%d","by":"%s.%d"}`, order, by, random.IntN(8))
		}, 3, "12, 3 and 3 bits"},
	} {
		entries := memberEntries(1000, test.value)
		_, chunk := encode(entries)
		if chunk[1] != encodingMembers || len(chunk) > test.maxBytes*len(entries) {
			t.Errorf("%s: encoding %d, %d bytes for %d values; want members, %d bytes a value (%s)",
				test.name, chunk[1], len(chunk), len(entries), test.maxBytes, test.reason)
		}
	}
}

// TestMemberPaths: places at one path have one column, whatever is before and after them; others
// have columns of their own.
func TestMemberPaths(t *testing.T) {
	for _, test := range []struct {
		name string
		a, b string // the paths of their last places are compared
		want bool
	}{
		{"first and second member", `{"x":1}`, `{"y":2,"x":1}`, true},
		{"after an array", `{"x":1}`, `{"y":[2,3],"x":1}`, true},
		{"after an object", `{"x":1}`, `{"y":{"z":3},"x":1}`, true},
		{"in an array after an array", `{"x":[1]}`, `{"y":[2,3],"x":[1]}`, true},
		{"in an array after an object", `[[],[1]]`, `[{"a":2},[1]]`, true},
		{"in an array after a name", `{"x":[1]}`, `{"y":7,"x":[1]}`, true},
		{"number and text", `{"x":1}`, `{"x":"a"}`, false},
		{"text and another", `{"x":"a"}`, `{"x":"b"}`, true},
		{"text and null", `{"x":"a"}`, `{"x":null}`, true},
		{"other names", `{"x":1}`, `{"y":1}`, false},
		{"longer name", `{"x":1}`, `{"xx":1}`, false},
		{"other elements", `[1]`, `[1,1]`, false},
		{"object and array", `{"x":1}`, `[1]`, false},
		{"deeper", `{"x":1}`, `{"x":{"x":1}}`, false},
		{"deeper array", `[1]`, `[[1]]`, false},
		{"in another object", `{"a":{"x":1}}`, `{"b":{"x":1}}`, false},
		{"in another element", `[{"x":1}]`, `[{"x":1},{"x":1}]`, false},
		{"after a deeper one", `{"b":1}`, `{"a":{"b":[2]},"b":1}`, true},
	} {
		var paths []memberPath
		for _, value := range []string{test.a, test.b} {
			var s memberSplitter
			s.split([]byte(value))
			of, ok := appendPaths(nil, s.skeleton)
			if !ok || len(of) != len(s.scalars) {
				t.Fatalf("%s: %s has %d paths, %v; want %d", test.name, value, len(of), ok, len(s.scalars))
			}
			paths = append(paths, of[len(of)-1])
		}
		if (paths[0] == paths[1]) != test.want {
			t.Errorf("%s: the last places of %s and %s have paths %x; want equal ones: %v",
				test.name, test.a, test.b, paths, test.want)
		}
	}
}

// documents draws JSON that has members in common.
func documents() *rapid.Generator[string] {
	word := rapid.SampledFrom(words)
	scalar := rapid.OneOf(
		rapid.Map(word, strconv.Quote),
		rapid.SampledFrom([]string{"true", "false", "null", `""`, `"7"`, "1e-7", "-0", "12345678901234567890"}),
		rapid.Map(rapid.IntRange(-1000, 1000), strconv.Itoa),
		rapid.Map(rapid.StringMatching(`[a-c]-[0-9]{1,3}`), strconv.Quote),
		rapid.Map(rapid.StringMatching(`[0-9a-f]{4}-[0-9a-f]{2}`), strconv.Quote),
		rapid.Map(rapid.String(), strconv.Quote))
	return rapid.Custom(func(t *rapid.T) string {
		var s strings.Builder
		separator := `{`
		for _, name := range []string{"state", "n", "id"} {
			if rapid.Bool().Draw(t, name) {
				s.WriteString(separator + strconv.Quote(name) + `:` + scalar.Draw(t, "scalar"))
				separator = `,`
			}
		}
		if rapid.Bool().Draw(t, "array") {
			elements := rapid.SliceOfN(scalar, 0, 3).Draw(t, "elements")
			s.WriteString(separator + `"of":[` + strings.Join(elements, ",") + `]`)
			separator = `,`
		}
		if separator == `{` {
			return scalar.Draw(t, "scalar alone")
		}
		return s.String() + "}"
	})
}

// TestMembersRoundTrip encodes drawn documents by members, also where another encoding is shorter,
// and compares what is decoded with the documents.
func TestMembersRoundTrip(t *testing.T) {
	var b Buffer
	encoded := 0
	rapid.Check(t, func(t *rapid.T) {
		drawn := rapid.SliceOfN(documents(), 2, 40).Draw(t, "documents")
		entries := memberEntries(len(drawn), func(i int) string { return drawn[i] })
		key, chunk := memberChunk(entries)
		if chunk == nil {
			return // a number is written in two styles
		}
		encoded++
		checkDecodes(t, &b, key, chunk, entries)
		checkRange(t, &b, key, chunk, entries)
		checkSequences(t, &b, key, chunk, entries)
		checkTail(t, &b, key, chunk, entries)
		n := rapid.IntRange(1, len(entries)).Draw(t, "values of the first chunk")
		firstKey, first := memberChunk(entries[:n])
		if first == nil {
			return
		}
		joined, err := coder.Join(key, []EncodedChunk{{firstKey, first}}, entries[n:])
		if err != nil {
			t.Fatal(err)
		}
		if joined != nil {
			checkDecodes(t, &b, key, joined, entries)
		}
	})
	if encoded == 0 {
		t.Error("no documents were encoded by members")
	}
}
