// SPDX-License-Identifier: Apache-2.0

//go:build unix

package main

import (
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"testing"
)

// TestHangUp sends a command the signal of a closed terminal. The command closes its directory and
// ends, unless nohup has started it.
func TestHangUp(t *testing.T) {
	// If nohup has started this process, its children ignore the signal too, unless this process
	// handles it.
	handled := make(chan os.Signal, 1)
	signal.Notify(handled, syscall.SIGHUP)
	defer signal.Stop(handled)
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
