// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"unicode"

	"golang.org/x/term"
)

// isTerminal reports whether stream is a terminal.
func isTerminal(stream any) bool {
	file, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(file.Fd()))
}

// terminalWidth returns the number of columns of out, or fallback if out is not a terminal.
func terminalWidth(out io.Writer, fallback int) int {
	if file, ok := out.(*os.File); ok {
		if width, _, err := term.GetSize(int(file.Fd())); err == nil && width > 0 {
			return width
		}
	}
	return fallback
}

// printable escapes the characters of text that would not show, or would control a terminal. A
// record name may hold any character except NUL, and a JSON string some control characters.
func printable(text string) string {
	if strings.IndexFunc(text[printableASCII(text):], isHidden) < 0 {
		return text
	}
	var shown strings.Builder
	for _, r := range text {
		switch {
		case !isHidden(r):
			shown.WriteRune(r)
		case r > 0xFFFF:
			fmt.Fprintf(&shown, `\U%08x`, r)
		default:
			fmt.Fprintf(&shown, `\u%04x`, r)
		}
	}
	return shown.String()
}

func isHidden(r rune) bool { return !unicode.IsPrint(r) }
