// SPDX-License-Identifier: Apache-2.0

package daybook

import (
	"errors"
	"strings"
	"testing"
	"unicode/utf8"
)

// TestValidateRecordName puts each byte at each place of names of 1 to 20 bytes, because names of 8
// bytes or more have a path of their own. Plain ones must take it.
func TestValidateRecordName(t *testing.T) {
	for length := 1; length <= 20; length++ {
		for at := range length {
			for b := range 256 {
				name := []byte(strings.Repeat("a", length))
				name[at] = byte(b)
				want := b != 0 && utf8.Valid(name)
				err := ValidateRecordName(string(name))
				if (err == nil) != want || err != nil && !errors.Is(err, ErrInvalidName) {
					t.Fatalf("%q: got %v; want a legal name: %v", name, err, want)
				}
				if got, want := isPlainASCII(string(name)), length >= 8 && b > 0 && b < utf8.RuneSelf; got != want {
					t.Fatalf("isPlainASCII(%q): got %v", name, got)
				}
			}
		}
	}
	for length, want := range map[int]bool{0: false, MaxRecordNameLen: true, MaxRecordNameLen + 1: false} {
		for _, char := range []string{"a", "é"} {
			name := strings.Repeat("a", length%len(char)) + strings.Repeat(char, length/len(char))
			if err := ValidateRecordName(name); (err == nil) != want || err != nil && len(err.Error()) > 200 {
				t.Errorf("%d bytes: got %v; want a legal name: %v", length, err, want)
			}
		}
	}
	for _, name := range []string{"é", "sensor.küche", "a\x01b", "\u0000", "long.enough.\x00", "日本語の名前"} {
		want := !strings.Contains(name, "\x00")
		if err := ValidateRecordName(name); (err == nil) != want {
			t.Errorf("%q: got %v; want a legal name: %v", name, err, want)
		}
	}
}
