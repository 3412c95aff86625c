// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"unicode/utf8"

	"golang.org/x/sys/unix"
)

// TestInterruptedBar presses Ctrl-C on a terminal while a bar is drawn. The terminal shows ^C at
// the end of the bar, and the error takes the place of both.
func TestInterruptedBar(t *testing.T) {
	t.Parallel()
	var lines strings.Builder
	for n := range 300_000 {
		fmt.Fprintf(&lines, `{"record_name":"r","value":%d,"stored_at":%d}`+"\n", n, n)
	}
	file := writeFile(t, "readings.ndjson", lines.String())
	person, terminal := newTerminal(t)
	command := exec.Command(os.Args[0], "import", file, "--dir", newDir(t))
	command.Env = append(os.Environ(), "DAYBOOK_TEST_COMMAND=1")
	command.Stdin, command.Stdout, command.Stderr = terminal, terminal, terminal
	command.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	terminal.Close() // the command has it
	var shown bytes.Buffer
	pressed := false
	for buffer := make([]byte, 4096); ; {
		n, err := person.Read(buffer)
		shown.Write(buffer[:n])
		if !pressed && bytes.Contains(shown.Bytes(), []byte("importing ")) {
			pressed = true
			fmt.Fprint(person, "\x03")
		}
		if err != nil { // EIO when the command has ended
			break
		}
	}
	_ = command.Wait() // the state has what it returns
	if status := command.ProcessState.ExitCode(); status != statusInterrupted {
		t.Fatalf("status %d, shown %q; want an interruption while the bar is drawn", status, shown.String())
	}
	screen := screenOf(shown.String())
	if !bytes.Contains(shown.Bytes(), []byte("^C")) || len(screen) != 1 ||
		!strings.HasPrefix(screen[0], "daybook: interrupted: ") || !strings.HasSuffix(screen[0], " stored before it") {
		t.Errorf("the terminal shows %q of %q; want the error alone", screen, shown.String())
	}
}

// newTerminal returns both sides of a new terminal.
func newTerminal(t *testing.T) (person, terminal *os.File) {
	t.Helper()
	person, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("this machine has no terminals: %v", err)
	}
	t.Cleanup(func() { person.Close() })
	number, err := unix.IoctlGetInt(int(person.Fd()), unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(int(person.Fd()), unix.TIOCSPTLCK, 0)
	}
	if err == nil {
		terminal, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|syscall.O_NOCTTY, 0)
	}
	if err != nil {
		t.Fatal(err)
	}
	return person, terminal
}

// screenOf returns the lines that a terminal shows after an output with the control characters that
// a bar uses.
func screenOf(output string) (lines []string) {
	var line []rune
	column := 0
	rest := output
	for rest != "" {
		if after, found := strings.CutPrefix(rest, "\033[K"); found {
			line, rest = line[:column], after
			continue
		}
		r, length := utf8.DecodeRuneInString(rest)
		rest = rest[length:]
		switch r {
		case '\r':
			column = 0
		case '\n':
			lines = append(lines, strings.TrimRight(string(line), " "))
			line, column = nil, 0
		default:
			if column == len(line) {
				line = append(line, ' ')
			}
			line[column] = r
			column++
		}
	}
	if last := strings.TrimRight(string(line), " "); last != "" {
		lines = append(lines, last)
	}
	return lines
}
