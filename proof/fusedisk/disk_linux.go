// SPDX-License-Identifier: Apache-2.0

//go:build amd64 || arm64

package fusedisk

import (
	"encoding/gob"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/daybook-db/daybook/proof/journal"
)

// requiredEnv says whether a test may be skipped where there can be no disk.
const requiredEnv = "DAYBOOK_PROOF"

// Disk is a mounted file system. Its methods may be called from any number of goroutines at once.
type Disk struct {
	dir   string
	child *exec.Cmd

	mu       sync.Mutex // held for one request and its response
	stdin    io.WriteCloser
	requests *gob.Encoder
	answers  *gob.Decoder
}

// Mount mounts an empty disk on the directory dir, which must exist. The error says why that is not possible.
func Mount(dir string) (*Disk, error) {
	if !mainCalled.Load() {
		return nil, errors.New("fusedisk: the test binary has no TestMain that calls fusedisk.Main")
	}
	if device, err := os.OpenFile("/dev/fuse", os.O_RDWR, 0); err != nil {
		return nil, fmt.Errorf("fusedisk: %w", err)
	} else {
		_ = device.Close()
	}
	program, err := os.Executable()
	if err != nil {
		return nil, err
	}
	d := &Disk{dir: dir, child: exec.Command(program)}
	// A race detector would have the child wait for a second before it ends.
	d.child.Env = append(os.Environ(), serveEnv+"="+dir, "GORACE=atexit_sleep_ms=0 "+os.Getenv("GORACE"))
	d.child.Stderr = os.Stderr
	stdout, err := d.child.StdoutPipe()
	if err == nil {
		d.stdin, err = d.child.StdinPipe()
	}
	if err == nil {
		err = d.child.Start()
	}
	if err != nil {
		return nil, err
	}
	d.requests, d.answers = gob.NewEncoder(d.stdin), gob.NewDecoder(stdout)
	var first response
	if err := d.answers.Decode(&first); err != nil {
		first.Error = "the serving process ended: " + err.Error()
	}
	if err := first.err(); err != nil {
		_ = d.stdin.Close()
		_ = d.child.Wait()
		return nil, err
	}
	return d, nil
}

// MountFor mounts an empty disk for a test, and unmounts it when the test ends. Where there can be no disk
// the test is skipped with the reason, or fails if the environment says DAYBOOK_PROOF=required.
func MountFor(t testing.TB) *Disk {
	t.Helper()
	dir := t.TempDir()
	d, err := Mount(dir)
	if err != nil {
		if os.Getenv(requiredEnv) == "required" {
			t.Fatalf("%s=required, and there is no disk: %v", requiredEnv, err)
		}
		t.Skipf("no disk to test on: %v", err)
	}
	t.Cleanup(func() {
		if err := d.Unmount(); err != nil {
			t.Errorf("Unmount: %v", err)
		}
	})
	return d
}

// Dir is where it is mounted.
func (d *Disk) Dir() string { return d.dir }

// left are disks that were still in use when they were unmounted. Their children serve what is still
// mapped, for as long as this process runs and their pipes are not collected.
var left struct {
	mu    sync.Mutex
	disks []*Disk
}

// Unmount takes the disk away. If files on it are still open, as after a test that failed, it is
// only detached: whoever has them goes on, and it returns an error that says so.
func (d *Disk) Unmount() error {
	err := syscall.Unmount(d.dir, 0)
	for wait := time.Millisecond; errors.Is(err, syscall.EBUSY) && wait < 300*time.Millisecond; wait *= 2 {
		time.Sleep(wait) // a file that is being closed is in use for a moment more
		err = syscall.Unmount(d.dir, 0)
	}
	if err != nil {
		detach(d.dir)
		left.mu.Lock()
		defer left.mu.Unlock()
		left.disks = append(left.disks, d)
		return fmt.Errorf("fusedisk: %s was only detached: %w", d.dir, err)
	}
	_ = d.stdin.Close()
	return d.child.Wait()
}

func (d *Disk) ask(r request) (answer response, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.requests.Encode(r); err != nil {
		return response{}, fmt.Errorf("fusedisk: the serving process is gone: %w", err)
	}
	if err := d.answers.Decode(&answer); err != nil {
		return response{}, fmt.Errorf("fusedisk: the serving process is gone: %w", err)
	}
	return answer, answer.err()
}

// Mark adds a note to the journal, and returns the journal's length with it. Whatever the caller did before
// is before the note, and what it does afterwards is behind it.
func (d *Disk) Mark(text string) (length int, err error) {
	answer, err := d.ask(request{Verb: mark, Text: text})
	return answer.At, err
}

// Journal returns the operations from the given one on.
func (d *Disk) Journal(from int) (ops []journal.Op, err error) {
	for {
		answer, err := d.ask(request{Verb: getJournal, From: from})
		if err != nil {
			return nil, err
		}
		ops, from = append(ops, answer.Ops...), from+len(answer.Ops)
		if from >= answer.At {
			return ops, nil
		}
	}
}

// Load replaces everything on the disk, which must not be in use, by an image, and forgets the journal and
// the faults. The new journal begins with operations that stand for the image, all durable; it returns
// how many those are.
func (d *Disk) Load(image journal.Image) (operations int, err error) {
	answer, err := d.ask(request{Verb: load, Image: image})
	return answer.At, err
}

// Image returns what the disk holds.
func (d *Disk) Image() (journal.Image, error) {
	answer, err := d.ask(request{Verb: getImage})
	return answer.Image, err
}

// Inject replaces all faults by these, with new counts. Without any, everything succeeds. The first fault
// that an operation meets decides how it fails; it counts for all that it matches.
func (d *Disk) Inject(faults ...Fault) error {
	_, err := d.ask(request{Verb: inject, Faults: faults})
	return err
}

// Counts returns what became of each fault of Inject.
func (d *Disk) Counts() ([]Counts, error) {
	answer, err := d.ask(request{Verb: getCounts})
	return answer.Counts, err
}

// SetCapacity bounds the sizes of all files together, in bytes; 0: no bound. A write beyond it is cut short
// or fails with ENOSPC, and so does a truncation. It counts sizes, so a hole takes up space.
func (d *Disk) SetCapacity(bytes int64) error {
	_, err := d.ask(request{Verb: setCapacity, Capacity: bytes})
	return err
}

// SlowSyncs has each sync take a random time up to most.
func (d *Disk) SlowSyncs(most time.Duration) error {
	_, err := d.ask(request{Verb: setDelay, Delay: most})
	return err
}
