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

// requiredEnv is the environment variable with which a test fails, instead of being skipped, where
// no disk can be mounted.
const requiredEnv = "DAYBOOK_PROOF"

// Disk is a mounted file system. Its methods may be called from any number of goroutines at once.
type Disk struct {
	dir   string
	child *exec.Cmd

	mu       sync.Mutex // held during one request and its response
	stdin    io.WriteCloser
	requests *gob.Encoder
	answers  *gob.Decoder
}

// Mount mounts an empty disk on the directory dir, which must exist.
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
	// The race detector makes a process wait for a second before it ends.
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

// MountFor mounts an empty disk and unmounts it when the test ends. Where no disk can be mounted,
// it skips the test and says why. With the environment variable DAYBOOK_PROOF=required the test
// fails instead.
func MountFor(t testing.TB) *Disk {
	t.Helper()
	dir := t.TempDir()
	d, err := Mount(dir)
	if err != nil {
		if os.Getenv(requiredEnv) == "required" {
			t.Fatalf("%s=required, but no disk can be mounted: %v", requiredEnv, err)
		}
		t.Skipf("no disk can be mounted: %v", err)
	}
	t.Cleanup(func() {
		if err := d.Unmount(); err != nil {
			t.Errorf("Unmount: %v", err)
		}
	})
	return d
}

// Dir returns the directory that the disk is mounted on.
func (d *Disk) Dir() string { return d.dir }

// detached has the disks that were still in use when they were unmounted. Their processes serve the
// files that are still mapped. The references keep the pipes open, so that these processes run
// until this one ends.
var detached struct {
	mu    sync.Mutex // guards disks
	disks []*Disk
}

// Unmount removes the disk. If files on it are still open or mapped, for example after a test that
// failed, it only detaches the disk and returns an error that says so. Those files can be used as
// before.
func (d *Disk) Unmount() error {
	err := syscall.Unmount(d.dir, 0)
	for wait := time.Millisecond; errors.Is(err, syscall.EBUSY) && wait < 300*time.Millisecond; wait *= 2 {
		time.Sleep(wait) // a file stays in use for a moment while it is closed
		err = syscall.Unmount(d.dir, 0)
	}
	if err != nil {
		detach(d.dir)
		detached.mu.Lock()
		defer detached.mu.Unlock()
		detached.disks = append(detached.disks, d)
		return fmt.Errorf("fusedisk: %s was only detached: %w", d.dir, err)
	}
	_ = d.stdin.Close()
	return d.child.Wait()
}

// ask sends a request to the serving process and returns its response.
func (d *Disk) ask(r request) (answer response, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.requests.Encode(r); err != nil {
		return response{}, fmt.Errorf("fusedisk: the serving process has ended: %w", err)
	}
	if err := d.answers.Decode(&answer); err != nil {
		return response{}, fmt.Errorf("fusedisk: the serving process has ended: %w", err)
	}
	return answer, answer.err()
}

// Mark adds a note to the journal, and returns the length of the journal with the note. The note
// follows all operations that the caller has done before, and precedes those that it does later.
func (d *Disk) Mark(text string) (length int, err error) {
	answer, err := d.ask(request{Verb: mark, Text: text})
	return answer.At, err
}

// Journal returns the operations of the journal from the given place on.
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

// Load replaces the content of the disk by an image, and removes the journal and the faults. The
// disk must not be in use. The new journal begins with durable operations that make the image, and
// Load returns their number.
func (d *Disk) Load(image journal.Image) (operations int, err error) {
	answer, err := d.ask(request{Verb: load, Image: image})
	return answer.At, err
}

// Image returns the content of the disk.
func (d *Disk) Image() (journal.Image, error) {
	answer, err := d.ask(request{Verb: getImage})
	return answer.Image, err
}

// Inject replaces all faults by these, with new counts. Without faults every operation succeeds.
// The first fault that fails an operation decides how it fails. All faults that match the operation
// count it.
func (d *Disk) Inject(faults ...Fault) error {
	_, err := d.ask(request{Verb: inject, Faults: faults})
	return err
}

// Counts returns the counts of each fault, in the order of Inject's arguments.
func (d *Disk) Counts() ([]Counts, error) {
	answer, err := d.ask(request{Verb: getCounts})
	return answer.Counts, err
}

// SetCapacity limits the sum of all file sizes, in bytes; 0 removes the limit. A write beyond the
// limit is short or fails with ENOSPC, and a truncation beyond it fails. Holes count like data.
func (d *Disk) SetCapacity(bytes int64) error {
	_, err := d.ask(request{Verb: setCapacity, Capacity: bytes})
	return err
}

// SlowSyncs makes each sync take a random time below maxDelay.
func (d *Disk) SlowSyncs(maxDelay time.Duration) error {
	_, err := d.ask(request{Verb: setDelay, Delay: maxDelay})
	return err
}
