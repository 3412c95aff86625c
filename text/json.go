// SPDX-License-Identifier: Apache-2.0

package text

import (
	"bytes"
	"encoding/json"
	"errors"
	"strconv"
	"unicode"
	"unicode/utf16"
)

// kindOf names the kind of a JSON text.
func kindOf(text []byte) string {
	switch text[0] {
	case '{':
		return "object"
	case '[':
		return "array"
	case '"':
		return "string"
	case 't', 'f':
		return "bool"
	case 'n':
		return "null"
	}
	return "number"
}

// isNumber reports whether text is a JSON number and nothing else: 007 and +1 are none.
func isNumber(text string) bool {
	if text == "" {
		return false
	}
	first, last := text[0], text[len(text)-1]
	return (first == '-' || first >= '0' && first <= '9') && last >= '0' && last <= '9' && json.Valid([]byte(text))
}

// appendString appends text as a JSON string, without the escapes that HTML needs.
func appendString(line []byte, text string) []byte {
	var encoded bytes.Buffer
	encoder := json.NewEncoder(&encoded)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(text) // a string always has a JSON form
	return append(line, bytes.TrimSuffix(encoded.Bytes(), []byte("\n"))...)
}

var errLoneSurrogate = errors.New("it holds half a surrogate pair, which is no character")

// decodeString decodes a JSON string exactly or not at all. encoding/json replaces half a surrogate
// pair by U+FFFD, so that two texts would become the same name.
func decodeString(text json.RawMessage) (string, error) {
	if kind := kindOf(text); kind != "string" {
		return "", &KindError{Got: kind, Want: "a string"}
	}
	if hasLoneSurrogate(text) {
		return "", errLoneSurrogate
	}
	return unquote(text)
}

// unquote decodes a JSON string. A string without escapes, as most are, needs no decoder.
func unquote(text []byte) (decoded string, err error) {
	plain := len(text) > 1 && text[len(text)-1] == '"' &&
		!bytes.ContainsFunc(text, func(r rune) bool { return r == '\\' || r < ' ' })
	if plain {
		return string(text[1 : len(text)-1]), nil
	}
	err = json.Unmarshal(text, &decoded)
	return decoded, err
}

// hasLoneSurrogate reports whether a JSON string holds an escape such as \ud800 without its other
// half.
func hasLoneSurrogate(text []byte) bool {
	for at := 0; at < len(text); at++ {
		if text[at] != '\\' {
			continue
		}
		first := escapedUnit(text[at:])
		if !utf16.IsSurrogate(first) {
			at++ // the escaped character starts no escape itself
			continue
		}
		if utf16.DecodeRune(first, escapedUnit(text[at+6:])) == unicode.ReplacementChar {
			return true
		}
		at += 11 // both halves
	}
	return false
}

// escapedUnit returns the UTF-16 unit that text starts with, written \uXXXX, or -1.
func escapedUnit(text []byte) rune {
	if len(text) < 6 || text[0] != '\\' || text[1] != 'u' {
		return -1
	}
	unit, err := strconv.ParseUint(string(text[2:6]), 16, 16)
	if err != nil {
		return -1
	}
	return rune(unit)
}
