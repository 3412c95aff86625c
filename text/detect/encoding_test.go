// SPDX-License-Identifier: Apache-2.0

package detect

import (
	"errors"
	"strings"
	"testing"

	"github.com/daybook-db/daybook/text"
)

// utf16 returns a text of ASCII as UTF-16 without a byte order mark.
func utf16(text string, bigEndian bool) string {
	var out strings.Builder
	for i := range len(text) {
		if bigEndian {
			out.WriteByte(0)
		}
		out.WriteByte(text[i])
		if !bigEndian {
			out.WriteByte(0)
		}
	}
	return out.String()
}

// TestUTF16WithoutMark wants that the error names the encoding, and that no other file gets it.
func TestUTF16WithoutMark(t *testing.T) {
	const csv, json = "time,v\n2026-01-05T10:00:00Z,1\n", `{"time":"2026-01-05T10:00:00Z","v":1}` + "\n"
	tests := []struct {
		name, file, want string
	}{
		{"CSV, little-endian", utf16(csv, false), "utf-16le"},
		{"CSV, big-endian", utf16(csv, true), "utf-16be"},
		{"JSON, little-endian", utf16(json, false), "utf-16le"},
		{"JSON, big-endian", utf16(json, true), "utf-16be"},
		{"letters of another script", utf16("time;", false) + "\x12\x04\x30\x04\x3b\x04\x43\x04" +
			utf16(";v\r\n1;2;3\r\n", false), "utf-16le"},
		{"UTF-8", csv, ""},
		{"NUL bytes after a power cut", csv + strings.Repeat("\x00", 1000), ""},
		{"NUL bytes at the start", strings.Repeat("\x00", 1000) + csv, ""},
		{"one NUL byte", csv + "\x00", ""},
		{"nothing", "", ""},
	}
	for _, test := range tests {
		_, err := Detect(Sample{[]byte(test.file), true}, Hints{Reader: text.ReadOptions{Name: "x.csv"}})
		var got *EncodingError
		if is := errors.As(err, &got); is != (test.want != "") || is && got.Name != test.want {
			t.Errorf("%s: error %v; want the encoding %q", test.name, err, test.want)
		}
	}
}

// TestDamagedSample wants an error with the line for a decoded file, unless bad lines are skipped.
func TestDamagedSample(t *testing.T) {
	sample := Sample{[]byte("time,v\n2026-01-05T10:00:00Z,1\n2026-01-05T10:00:01Z,\xff\n"), true}
	hints := Hints{Reader: text.ReadOptions{Name: "x.csv"}, Encoding: "utf-16"}
	_, err := Detect(sample, hints)
	if !errors.Is(err, ErrDamaged) || !strings.HasPrefix(err.Error(), "x.csv:3: ") {
		t.Errorf("error %v; want ErrDamaged in line 3", err)
	}
	hints.SkipBad = true
	found, err := Detect(sample, hints)
	if err != nil {
		t.Fatal(err)
	}
	lines, err := readAs(found, sample.Text)
	if err != nil || len(lines) != 2 || !strings.HasPrefix(lines[1], "x.csv:3: ") {
		t.Errorf("values %q, error %v; want one, and an error in line 3", lines, err)
	}
	hints.Encoding = ""
	if _, err := Detect(sample, hints); !errors.Is(err, ErrNotText) {
		t.Errorf("error %v; want ErrNotText of a file that was not decoded", err)
	}
}

// TestSequence wants that a JSON text sequence is taken for JSON, and another text with its
// separator is not.
func TestSequence(t *testing.T) {
	tests := []struct {
		file string
		want Kind
	}{
		{"\x1e{\"time\":\"2026-01-05T10:00:00Z\",\"v\":1}\n\x1e{\"time\":\"2026-01-05T10:00:01Z\",\"v\":2}\n", NDJSON},
		{"\x1e{\n\"time\":\"2026-01-05T10:00:00Z\",\n\"v\":1}\n\x1e{\n\"time\":\"2026-01-05T10:00:01Z\",\"v\":2}\n",
			NDJSON},
		{"\x1etime,v\n2026-01-05T10:00:00Z,1\n", CSV},
	}
	for _, test := range tests {
		found, err := Detect(Sample{[]byte(test.file), true}, Hints{Reader: text.ReadOptions{Name: "x.json"}})
		if err != nil || found.Kind != test.want {
			t.Errorf("%q: %v, error %v; want %s", test.file, found, err, test.want)
		}
	}
}
