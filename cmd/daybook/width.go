// SPDX-License-Identifier: Apache-2.0

package main

import (
	"unicode/utf8"

	prettytext "github.com/jedib0t/go-pretty/v6/text"
)

// ellipsis stands for the end of a text that was cut off.
const ellipsis = '…'

// textWidth returns the number of columns of a terminal that text takes. A character of several
// runes counts once.
func textWidth(text string) int {
	if width, isSimple := simpleWidth(text); isSimple {
		return width
	}
	return prettytext.StringWidth(text)
}

// runesWidth returns the sum of the widths of the runes in text.
func runesWidth(text string) int {
	if width, isSimple := simpleWidth(text); isSimple {
		return width
	}
	return prettytext.StringWidthWithoutEscSequences(text)
}

// simpleWidth returns the width of a text whose characters have one rune each. It knows the Latin,
// Greek and Cyrillic letters and the signs between them; finding the characters of other texts
// takes ten times as long.
func simpleWidth(text string) (width int, isSimple bool) {
	for {
		ascii := printableASCII(text)
		width += ascii
		if ascii == len(text) {
			return width, true
		}
		r, size := utf8.DecodeRuneInString(text[ascii:])
		if !isSimpleRune(r) {
			return 0, false
		}
		width += prettytext.RuneWidth(r) // which depends on the locale
		text = text[ascii+size:]
	}
}

// printableASCII returns the number of printable ASCII characters at the beginning of text.
func printableASCII(text string) int {
	for i := range len(text) {
		if c := text[i]; c < ' ' || c > '~' {
			return i
		}
	}
	return len(text)
}

// isSimpleRune reports whether r is a character of its own, whatever is before and after it. The
// runes from 0x300 to 0x36F and after 0x482 are accents.
func isSimpleRune(r rune) bool { return r >= ' ' && r < 0x300 || r >= 0x370 && r < 0x483 }

// snip returns text, or if it is wider than width its beginning and an ellipsis.
func snip(text string, width int) string {
	if textWidth(text) <= width {
		return text
	}
	room, used := width-prettytext.RuneWidth(ellipsis), 0
	for i, r := range text {
		if !isSimpleRune(r) {
			break
		}
		used += prettytext.RuneWidth(r)
		if used > room {
			return text[:i] + string(ellipsis)
		}
	}
	return prettytext.Snip(text, width, string(ellipsis))
}
