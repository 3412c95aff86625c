// SPDX-License-Identifier: Apache-2.0

package detect

import (
	"errors"
	"strings"
	"testing"

	"github.com/daybook-db/daybook/text"
)

// FuzzJSON wants that JSON whose form is found is read to its end, also if only its beginning was
// looked at: each value is read, or refused with its line.
func FuzzJSON(f *testing.F) {
	for _, seed := range []string{
		`{"ts":1764000000,"v":1}` + "\n" + `{"ts":1764000001,"v":on}`,
		`[{"topic":"b","payload":1,"ts":"2025-11-24T16:00:00Z"},{}]`,
		`{"results":[{"date":"24.11.2025","time":"16:00"},{"date":"25.11.2025","time":"16:00"}],"b":[1]}`,
		`{"utc_offset_seconds":3600,"hourly":{"time":["2025-11-24T16:00"],"t":[1]},"daily":{"time":["2025-11-24"]}}`,
		`{"temp":[{"ts":1764000000000,"value":"1"}],"hum":[]}`, `{"record_name":"r","value":1,"stored_at":1}`,
		"{\n\"time\":1764000000\n}", `{"topic":"x","payload":Online}`, `[[1]]`, `{"a.b":{"\\":{"time":1764000000}}}`,
	} {
		f.Add([]byte(seed), uint16(len(seed)), false)
		f.Add([]byte(seed), uint16(len(seed)/2), true)
	}
	f.Fuzz(func(t *testing.T, input []byte, end uint16, stampNow bool) {
		sample := Sample{input[:min(int(end), len(input))], int(end) >= len(input)}
		found, err := detectJSON(sample, Hints{Reader: text.ReadOptions{Name: "in.json", StampNow: stampNow}})
		if err != nil {
			return
		}
		checkFound(t, input, found)
	})
}

// FuzzLineProtocol is FuzzJSON for line protocol.
func FuzzLineProtocol(f *testing.F) {
	f.Add([]byte("m,a=1 v=1i,w=\"x\" 1764000000\nm v=1\n# x"), uint16(20))
	f.Fuzz(func(t *testing.T, input []byte, end uint16) {
		sample := Sample{input[:min(int(end), len(input))], int(end) >= len(input)}
		found, err := detectLineProtocol(sample, Hints{})
		if err != nil {
			return
		}
		checkFound(t, input, found)
	})
}

func checkFound(t *testing.T, input []byte, found *Finding) {
	if sentence := found.String(); sentence == "" || strings.Contains(sentence, "%!") {
		t.Fatalf("the sentence is %q", sentence)
	}
	_, err := readFound(input, found)
	if err != nil && !errors.As(err, new(*text.EndError)) {
		t.Fatalf("%s: %v", found, err)
	}
}
