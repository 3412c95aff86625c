// SPDX-License-Identifier: Apache-2.0

package detect

import "testing"

func TestIsText(t *testing.T) {
	const text = "aü€😀"
	for end := range len(text) + 1 {
		whole := text[:end] == "" || text[:end] == "a" || text[:end] == "aü" || text[:end] == "aü€" || end == len(text)
		if !isText(Sample{Text: []byte(text[:end])}) {
			t.Errorf("%q is no text; want that the sample may cut a character", text[:end])
		}
		if got := isText(Sample{Text: []byte(text[:end]), Whole: true}); got != whole {
			t.Errorf("%q is text: %v; want %v for a whole file", text[:end], got, whole)
		}
	}
	for _, text := range []string{"\x89PNG\r\n", "K\xf6ln", "\xff"} {
		if isText(Sample{Text: []byte(text)}) {
			t.Errorf("%q is text; want that it is none", text)
		}
	}
}
