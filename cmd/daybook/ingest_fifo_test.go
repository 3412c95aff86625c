// SPDX-License-Identifier: Apache-2.0

//go:build unix

package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// newFIFO returns the path of a named pipe.
func newFIFO(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "fifo")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Skip("this file system has no named pipes:", err)
	}
	return path
}

// openBothEnds opens both ends of a named pipe, which does not wait for another process to open
// one.
func openBothEnds(t *testing.T, path string) *os.File {
	t.Helper()
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { file.Close() })
	return file
}

func TestValuesOfSlowSenderOfFIFOAreStored(t *testing.T) {
	for _, s := range slowSenders() {
		t.Run(s.name, func(t *testing.T) {
			path := newFIFO(t)
			inputs := mustFind(t, path)
			sender := openBothEnds(t, path)
			s.mustStoreBeforeWaiting(t, nil, sender, inputs, autoFormat())
		})
	}
}

func TestInterruptedFIFO(t *testing.T) {
	tests := []struct {
		name string
		sent string // "": the other end is not opened
	}{
		{"no writer, so that opening waits", ""},
		{"the sender pauses between lines", "{\"record_name\":\"r\",\"value\":1,\"stored_at\":5}\n"},
		{"the sender pauses within a line", "{\"record"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			path := newFIFO(t)
			ctx, cancel := context.WithCancel(t.Context())
			if test.sent != "" {
				fmt.Fprint(openBothEnds(t, path), test.sent)
			} else {
				// At the end of the test, this releases the goroutine that still opens the pipe.
				t.Cleanup(func() { openBothEnds(t, path) })
			}
			go cancel()
			var out, errOut bytes.Buffer
			args := []string{"ingest", "--dir", newDir(t), "--format", "ndjson", path}
			status := execute(ctx, args, strings.NewReader(""), &out, &errOut)
			if status != statusInterrupted || !strings.Contains(errOut.String(), "interrupted") {
				t.Errorf("status %d, stderr %q; want an interruption", status, errOut.String())
			}
		})
	}
}
