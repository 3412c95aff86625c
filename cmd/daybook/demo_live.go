// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io"
	"strings"
	"time"
	"unicode/utf8"
)

// liveLine shows on a terminal how a recording goes, in a line that is written over and over. A nil
// liveLine shows nothing. It is not the progress bar of a library, since those wrap where a terminal
// is narrow, and then each one scrolls.
type liveLine struct {
	out    io.Writer
	width  func() int // columns of the terminal, which may change
	length time.Duration
	shown  int // columns of the line that is there
}

func newLiveLine(errOut io.Writer, length time.Duration) *liveLine {
	if !isTerminal(errOut) {
		return nil
	}
	return &liveLine{out: errOut, width: func() int { return terminalWidth(errOut, 80) }, length: length}
}

func (l *liveLine) show(elapsed time.Duration, stored int) {
	if l == nil {
		return
	}
	l.write(l.line(elapsed, stored, l.width()-1)) // a full line would move the cursor to the next
}

// line leaves out, of a line that is too long, first the bar, then the rate, then what does not fit.
func (l *liveLine) line(elapsed time.Duration, stored, width int) string {
	done := fmt.Sprintf("%4.1f s   %s", elapsed.Seconds(), counted(stored, "value"))
	rate := fmt.Sprintf("   %.0f values/s", float64(stored)/max(elapsed.Seconds(), 0.001))
	for _, line := range []string{l.bar(elapsed) + "   " + done + rate, done + rate, done} {
		if utf8.RuneCountInString(line) <= width {
			return line
		}
	}
	return done[:max(min(width, len(done)), 0)]
}

// bar draws how much of the recording is over.
func (l *liveLine) bar(elapsed time.Duration) string {
	const columns = 30
	over := min(int(columns*elapsed/max(l.length, 1)), columns)
	return strings.Repeat("█", over) + strings.Repeat("░", columns-over)
}

// write puts line in the place of the one that is there.
func (l *liveLine) write(line string) {
	columns := utf8.RuneCountInString(line)
	rest := max(min(l.shown, l.width()-1)-columns, 0)
	fmt.Fprint(l.out, "\r"+line+strings.Repeat(" ", rest)) // a line that cannot be drawn is no reason to stop
	l.shown = columns
}

func (l *liveLine) clear() {
	if l != nil {
		l.write("")
		fmt.Fprint(l.out, "\r")
	}
}
