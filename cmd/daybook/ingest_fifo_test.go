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

// openBothEnds opens a named pipe without waiting for anybody else to.
func openBothEnds(t *testing.T, path string) *os.File {
	t.Helper()
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { file.Close() })
	return file
}

func TestSlowSenderOfFIFO(t *testing.T) {
	for _, s := range sendings() {
		t.Run(s.why, func(t *testing.T) {
			path := newFIFO(t)
			inputs := mustFind(t, path)
			sender := openBothEnds(t, path)
			s.mustStoreBeforeWaiting(t, nil, sender, inputs, ingestFlags{format: choiceFlag{value: "auto"}})
		})
	}
}

func TestInterruptedFIFO(t *testing.T) {
	tests := []struct {
		why  string
		sent string // "": nobody opens the other end
	}{
		{"nobody writes, so that it cannot even be opened", ""},
		{"the sender pauses between lines", "{\"record_name\":\"r\",\"value\":1,\"stored_at\":5}\n"},
		{"the sender pauses within a line", "{\"record"},
	}
	for _, test := range tests {
		t.Run(test.why, func(t *testing.T) {
			path := newFIFO(t)
			ctx, cancel := context.WithCancel(t.Context())
			if test.sent != "" {
				fmt.Fprint(openBothEnds(t, path), test.sent)
			} else {
				// Lets the goroutine go that is still opening the pipe when the test ends.
				t.Cleanup(func() { openBothEnds(t, path) })
			}
			go cancel()
			var out, errOut bytes.Buffer
			status := execute(ctx, []string{"ingest", "--dir", newDir(t), "--format", "ndjson", path}, strings.NewReader(""), &out, &errOut)
			if status != statusInterrupted || !strings.Contains(errOut.String(), "interrupted") {
				t.Errorf("status %d, stderr %q; want that it was interrupted", status, errOut.String())
			}
		})
	}
}
