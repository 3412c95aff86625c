// SPDX-License-Identifier: Apache-2.0

//go:build unix

package main

import (
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestStatusOfSignals sends signals to a command that waits for input. Its exit status is what
// shells report for the signal, so that a supervisor sees what has ended it.
func TestStatusOfSignals(t *testing.T) {
	handleHangUp(t)
	tests := []struct {
		sent syscall.Signal
		want int
	}{
		{syscall.SIGINT, 130},
		{syscall.SIGTERM, 143},
		{syscall.SIGHUP, 129},
	}
	for _, test := range tests {
		t.Run(test.sent.String(), func(t *testing.T) {
			t.Parallel()
			dir := newDir(t)
			command := exec.Command(os.Args[0], "ingest", "--format", "ndjson", "--dir", dir)
			command.Env = append(os.Environ(), "DAYBOOK_TEST_COMMAND=1")
			var errOut lockedBuffer
			command.Stderr = &errOut
			sender, err := command.StdinPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := command.Start(); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = command.Process.Kill() })
			fmt.Fprintln(sender, `{"record_name":"r","value":1,"stored_at":5}`)
			waitForFile(t, dir)
			if err := command.Process.Signal(test.sent); err != nil {
				t.Fatal(err)
			}
			_ = command.Wait() // the state has what it returns
			status := command.ProcessState.ExitCode()
			if status != test.want || !strings.HasPrefix(errOut.String(), "daybook: interrupted: ") {
				t.Errorf("status %d, stderr %q; want %d after an interruption", status, errOut.String(), test.want)
			}
		})
	}
}

// handleHangUp makes this process handle SIGHUP during the test. If nohup has started it, its
// children would otherwise ignore the signal too.
func handleHangUp(t *testing.T) {
	handled := make(chan os.Signal, 1)
	signal.Notify(handled, syscall.SIGHUP)
	t.Cleanup(func() { signal.Stop(handled) })
}

// waitForFile waits until there is a file or directory with this name.
func waitForFile(t *testing.T, name string) {
	t.Helper()
	for range 6000 {
		if _, err := os.Stat(name); err == nil {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("%s was not created in a minute", name)
}

// TestHangUp sends a command the signal of a closed terminal. The command closes its directory and
// ends, unless nohup has started it.
func TestHangUp(t *testing.T) {
	handleHangUp(t)
	const header = "record_name,stored_at,value\n"
	dir := filledDir(t, someValues()...)
	tests := []struct {
		name, shell string
		signals     []os.Signal
	}{
		{"it ends as after an interruption", `exec "$0" "$@"`, []os.Signal{syscall.SIGHUP}},
		{"it goes on under nohup", `trap "" HUP; exec "$0" "$@"`, []os.Signal{syscall.SIGHUP, syscall.SIGTERM}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var out lockedBuffer
			command := exec.Command("/bin/sh", "-c", test.shell, os.Args[0],
				"tail", "-f", "*", "-n", "0", "--format", "csv", "--dir", dir)
			command.Env = append(os.Environ(), "DAYBOOK_TEST_COMMAND=1")
			command.Stdout, command.Stderr = &out, &out
			if err := command.Start(); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = command.Process.Kill() })
			want := header
			out.waitFor(t, header)
			for n, sent := range test.signals {
				if n > 0 {
					mustRun(t, `{"record_name":"new","value":1,"stored_at":1}`, "ingest", "--dir", dir)
					want += "new,1,1\n"
					out.waitFor(t, want)
				}
				if err := command.Process.Signal(sent); err != nil {
					t.Fatal(err)
				}
			}
			if err := command.Wait(); err != nil || out.String() != want {
				t.Errorf("%v, output %q; want a success, with %q", err, out.String(), want)
			}
		})
	}
}
