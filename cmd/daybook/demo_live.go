// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io"
	"strings"
	"time"
	"unicode/utf8"
)

// liveLine is a line on a terminal that shows the progress of a recording and is overwritten again
// and again. A nil liveLine shows nothing. Progress bars of libraries are no substitute: on a
// narrow terminal they wrap, and then every update scrolls.
type liveLine struct {
	out    io.Writer
	width  func() int // columns of the terminal, which may change
	length time.Duration
	shown  int // columns of the line on the terminal
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
	l.write(l.line(elapsed, stored, l.width()-1)) // a full line would move the cursor to the next line
}

// line returns a line of at most width columns. It leaves out the bar, then the rate, then cuts the
// rest.
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

// bar draws the part of the recording that is over.
func (l *liveLine) bar(elapsed time.Duration) string {
	const columns = 30
	done := min(int(columns*elapsed/max(l.length, 1)), columns)
	return strings.Repeat("█", done) + strings.Repeat("░", columns-done)
}

// write replaces the line on the terminal. A line that cannot be drawn is ignored.
func (l *liveLine) write(line string) {
	columns := utf8.RuneCountInString(line)
	rest := max(min(l.shown, l.width()-1)-columns, 0)
	fmt.Fprint(l.out, "\r"+line+strings.Repeat(" ", rest))
	l.shown = columns
}

func (l *liveLine) clear() {
	if l != nil {
		l.write("")
		fmt.Fprint(l.out, "\r")
	}
}
