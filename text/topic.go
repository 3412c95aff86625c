// SPDX-License-Identifier: Apache-2.0

package text

import (
	"bytes"
	"strings"
	"unicode/utf8"

	"github.com/daybook-db/daybook"
)

// recordName returns the name of the record that a form's name stands for. MQTT has slashes between
// the parts of a topic, where a record has dots.
func (f lineForm) recordName(name string) string {
	if f == topicForm {
		return strings.ReplaceAll(name, "/", ".")
	}
	return name
}

// quotePayload returns the text of an object whose payload is no JSON with the payload as a string.
// That is what "mosquitto_sub -F" writes for a device that sends a word:
//
//	{"topic":"tele/plug/LWT","payload":Online}
//
// It reports false for any other text, and where the payload begins as an object, an array or a
// string do, because then the text may have lost its end.
func quotePayload(text []byte) (quoted []byte, ok bool) {
	text = bytes.TrimSpace(text)
	start := payloadStart(text)
	if start < 0 || !utf8.Valid(text) || bytes.IndexByte([]byte(`{["`), text[start]) >= 0 || text[len(text)-1] != '}' {
		return nil, false
	}
	const maxTries = 8 // each costs as much as the line is long
	for end, tries := start-1, 0; end < len(text)-1 && tries <= maxTries; tries++ {
		end = nextPayloadEnd(text, end+1)
		if tries == maxTries {
			end = len(text) - 1
		}
		quoted = appendString(bytes.Clone(text[:start]), string(bytes.TrimSpace(text[start:end])))
		quoted = append(quoted, text[end:]...)
		if daybook.ValidateValue(quoted) == nil {
			return quoted, true
		}
	}
	return nil, false
}

// nextPayloadEnd returns where a payload may end, not before at: where the name of another member
// follows, or at the last byte of text, which is a brace.
func nextPayloadEnd(text []byte, at int) int {
	if n := bytes.Index(text[at:], []byte(`,"`)); n >= 0 {
		return at + n
	}
	return len(text) - 1
}

// payloadStart returns where the payload of an object starts, or -1.
func payloadStart(text []byte) int {
	s := memberScanner{line: text}
	hasTopic := false
	if s.skipSpace() != '{' {
		return -1
	}
	s.at++
	for {
		if s.skipSpace() != '"' {
			return -1
		}
		name := text[s.at:s.stringEnd(s.at)]
		s.at += len(name)
		if s.skipSpace() != ':' {
			return -1
		}
		s.at++
		s.skipSpace()
		if hasTopic && string(name) == `"payload"` && s.at < len(text) {
			return s.at
		}
		hasTopic = hasTopic || string(name) == `"topic"`
		if s.at = s.valueEnd(s.at); s.skipSpace() != ',' {
			return -1
		}
		s.at++
	}
}
