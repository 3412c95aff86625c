// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/daybook-db/daybook/proof/smalldisk"
)

const diskSize = 8 << 20 // bytes

// diskFiller is an output that fills the disk at each write.
type diskFiller struct {
	bytes.Buffer
	nextSegment string // the log makes it in the background
	ballast     string // the file that fills the disk
}

// Write waits for the log's next segment first: on a full disk the log would remove the unfinished
// file, and its space would be enough for the tree.
func (f *diskFiller) Write(p []byte) (int, error) {
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(time.Millisecond) {
		if _, err := os.Stat(f.nextSegment); err == nil {
			break
		} else if time.Now().After(deadline) {
			return 0, fmt.Errorf("waiting for the next segment: %w", err)
		}
	}
	if err := os.WriteFile(f.ballast, make([]byte, diskSize), 0o600); !errors.Is(err, unix.ENOSPC) {
		return 0, fmt.Errorf("filling the disk: %w", err)
	}
	return f.Buffer.Write(p)
}

// TestStoredOnFullDisk has a disk that is full when all values are in the log and not all in the
// tree.
func TestStoredOnFullDisk(t *testing.T) {
	random := make([]byte, 400_000) // the tree has to grow by more than the log has to spare
	_, _ = rand.NewChaCha8([32]byte{}).Read(random)
	line := fmt.Sprintf("{\"record_name\":\"r\",\"value\":\"%x\",\"stored_at\":1}\n", random)
	for _, command := range []string{"ingest", "import"} {
		t.Run(command, func(t *testing.T) {
			disk := smalldisk.Mount(t, diskSize)
			dir := filepath.Join(disk, "history")
			out := &diskFiller{
				nextSegment: filepath.Join(dir, "wal", "00000000000000000002.log"),
				ballast:     filepath.Join(disk, "ballast"),
			}
			var errOut bytes.Buffer
			args := []string{command, "-", "--format", "ndjson", "--dir", dir}
			status := execute(t.Context(), args, strings.NewReader(line), out, &errOut)
			if status != statusDone || !strings.HasPrefix(errOut.String(), "the disk is full: all values are stored") {
				t.Errorf("status %d, stdout %q, stderr %q; want success and a warning",
					status, out.String(), errOut.String())
			}
			if n := len(stored(t, dir)); n != 1 {
				t.Errorf("%d values are stored; want 1", n)
			}
			pruned := mustRun(t, "", "prune", "*", "--max-bytes", "1B", "--dir", dir)
			if !strings.HasPrefix(pruned, "deleted 1 value ") {
				t.Errorf("prune printed %q", pruned)
			}
		})
	}
}
