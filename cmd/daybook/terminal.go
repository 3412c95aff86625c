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

// isTerminal reports whether stream is a terminal that a person looks at.
func isTerminal(stream any) bool {
	file, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(file.Fd()))
}

// terminalWidth is the number of columns of the terminal that out is, and otherwise fallback.
func terminalWidth(out io.Writer, fallback int) int {
	if file, ok := out.(*os.File); ok {
		if width, _, err := term.GetSize(int(file.Fd())); err == nil && width > 0 {
			return width
		}
	}
	return fallback
}

// printable escapes what would not show, or would steer a terminal: record names may hold any
// character but NUL, and JSON strings some control characters.
func printable(text string) string {
	if strings.IndexFunc(text, hidden) < 0 {
		return text
	}
	var shown strings.Builder
	for _, r := range text {
		switch {
		case !hidden(r):
			shown.WriteRune(r)
		case r > 0xFFFF:
			fmt.Fprintf(&shown, `\U%08x`, r)
		default:
			fmt.Fprintf(&shown, `\u%04x`, r)
		}
	}
	return shown.String()
}

func hidden(r rune) bool { return !unicode.IsPrint(r) }
