// SPDX-License-Identifier: Apache-2.0

package detect

import (
	"strings"
	"testing"
)

func TestKind(t *testing.T) {
	tests := []struct {
		name, text string
		want       Kind
	}{
		{"nothing", "", NDJSON},
		{"Parquet", "PAR1\x15\x04", Parquet},
		{"SQLite", "SQLite format 3\x00\x10", SQLite},
		{"lines of JSON", "\n {\"a\":1}\n{\"a\":2}\n", NDJSON},
		{"a comment before lines of JSON", "# made by hand\n{\"a\":1}\n{\"a\":2}\n", NDJSON},
		{"only a comment", "# made by hand", CSV},
		{"one line of JSON", `{"a":{"b":[1]}}`, NDJSON},
		{"a malformed first line", "{\"a\":\n{\"a\":2}\n{\"a\":3}\n", NDJSON},
		{"malformed lines", "{\n{\n", NDJSON},
		{"a payload that is no JSON", "{\"topic\":\"a\",\"payload\":Online}\n", NDJSON},
		{"a document", "{\n \"results\":[\n  {\"a\":1},\n  {\"a\":2}\n ]\n}\n", JSONDocument},
		{"a document of two lines", "{\"results\":[\n{\"a\":2}]}\n", JSONDocument},
		{"two documents", "{\n\"a\":1\n}\n{\n\"a\":2\n}\n", JSONDocument},
		{"an array", "[\n{\"a\":1}]", JSONArray},
		{"an array of arrays", "[[1,2],[3,4]]", JSONArray},
		{"an empty array", "[ ]", JSONArray},
		{"a log", "[2024-01-01 00:00:00] started\n", CSV},
		{"rows", "time,v\n2024-01-01T00:00:00Z,5\n", CSV},
		{"rows with an equals sign", "time,a b=c\n2024-01-01T00:00:00Z,5\n", CSV},
		{"line protocol", "air,sensor_id=TLM0100 temperature=71.17,humidity=35.12 1626537623000000000\n", LineProtocol},
		{"line protocol without time", "# c\n\nweather\\ a,l\\,x=y\\=z on=t,s=\"a b, \\\" c\",n=1i\n", LineProtocol},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if got := kindOf(Sample{Text: []byte(test.text), Whole: true}); got != test.want {
				t.Errorf("got %q; want %q", got, test.want)
			}
		})
	}
}

// TestKindOfCutSamples wants the same for each sample that ends within a long document.
func TestKindOfCutSamples(t *testing.T) {
	document := "{\n \"n\": -12.5e3,\n \"x\": [true, null,\n  {\"s\": \"\\u00e9 ü\"},\n  {\"s\": 1}\n" +
		strings.Repeat(" ", 9) + "]}"
	for end := strings.Index(document, "\n") + 1; end < len(document); end++ {
		if got := kindOf(Sample{Text: []byte(document[:end])}); got != JSONDocument {
			t.Errorf("got %q for %q; want %q", got, document[:end], JSONDocument)
		}
	}
}
