// SPDX-License-Identifier: Apache-2.0

//go:build amd64 || arm64

package fusedisk

import (
	"encoding/gob"
	"fmt"
	"log"
	"os"
	"os/signal"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/hanwen/go-fuse/v2/fuse"

	"github.com/daybook-db/daybook/proof/journal"
)

// serveEnv is the environment variable that makes a test binary serve a disk instead of running its
// tests. Its value is the directory to mount it on.
const serveEnv = "DAYBOOK_FUSEDISK_SERVE"

// MaxWrite is the maximum length of one write operation in bytes. A longer write comes in pieces.
const MaxWrite = 1 << 20

// mainCalled says that a second run of this binary would serve a disk.
var mainCalled atomic.Bool

// Main runs the tests, or serves a disk if Mount started this process. TestMain must call it in
// every test binary that mounts a disk. It does not return.
func Main(m *testing.M) {
	mainCalled.Store(true)
	if dir := os.Getenv(serveEnv); dir != "" {
		serve(dir)
	}
	os.Exit(m.Run())
}

// request is a message from the test to the serving process. Verb decides which other field is
// used.
type request struct {
	Verb     verb
	Text     string        // of mark
	Image    journal.Image // of load
	From     int           // of getJournal
	Faults   []Fault       // of inject
	Capacity int64         // of setCapacity
	Delay    time.Duration // of setDelay
}

type verb int

const (
	mark verb = iota + 1
	load
	getImage
	getJournal
	inject
	getCounts
	setCapacity
	setDelay
)

// response is the answer of the serving process.
type response struct {
	Error  string // only in the first response, which says whether the disk is mounted
	At     int    // length of the journal
	Image  journal.Image
	Ops    []journal.Op
	Counts []Counts
}

// serve mounts a disk on dir and answers requests until the test closes the pipe, at the latest
// when its process ends.
func serve(dir string) {
	signal.Ignore(syscall.SIGINT) // the signal is for the test, and this process ends with it
	log.SetOutput(os.Stderr)
	answers := gob.NewEncoder(os.Stdout)
	disk := newState()
	mounted, err := fuse.NewServer(newServer(disk), dir, mountOptions())
	if err == nil {
		go mounted.Serve()
		err = mounted.WaitMount()
	}
	if err != nil {
		_ = answers.Encode(response{Error: "mounting the disk on " + dir + ": " + err.Error()})
		os.Exit(1)
	}
	if err := answers.Encode(response{}); err != nil {
		detach(dir)
		os.Exit(1)
	}
	requests := gob.NewDecoder(os.Stdin)
	for {
		var r request
		if requests.Decode(&r) != nil || answers.Encode(disk.answer(r)) != nil {
			break
		}
	}
	detach(dir)
	os.Exit(0)
}

func mountOptions() *fuse.MountOptions {
	return &fuse.MountOptions{
		Name:               "fusedisk",
		FsName:             "fusedisk",
		DirectMountStrict:  true,
		MaxWrite:           MaxWrite,
		DisableReadDirPlus: true,
		// Only this mount changes the files, so the kernel's cache never becomes stale.
		ExplicitDataCacheControl: true,
	}
}

func detach(dir string) { _ = syscall.Unmount(dir, syscall.MNT_DETACH) }

// maxResponse bounds the journal's bytes in one response, except that a response has at least one
// operation.
const maxResponse = 32 << 20

func (s *state) answer(r request) (answer response) {
	if r.Verb == load {
		return response{At: s.load(r.Image)}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch r.Verb {
	case mark:
		s.journal = append(s.journal, journal.Op{Kind: journal.Mark, Mark: r.Text})
	case getImage:
		answer.Image = journal.Image{Files: make(map[string][]byte)}
		s.root.image("", &answer.Image)
	case getJournal:
		answer.Ops = s.opsLocked(r.From)
	case inject:
		s.injectLocked(r.Faults)
	case getCounts:
		for i := range s.faults {
			answer.Counts = append(answer.Counts, s.faults[i].Counts)
		}
	case setCapacity:
		s.capacity, s.used = r.Capacity, s.root.bytes()
	case setDelay:
		s.delay = r.Delay
	}
	answer.At = len(s.journal)
	return answer
}

func (s *state) injectLocked(faults []Fault) {
	close(s.released)
	s.faults, s.released = nil, make(chan struct{})
	for _, fault := range faults {
		s.faults = append(s.faults, countedFault{Fault: fault})
	}
}

func (s *state) opsLocked(from int) (ops []journal.Op) {
	size := 0
	for _, op := range s.journal[min(from, len(s.journal)):] {
		if size += len(op.Data); size > maxResponse && len(ops) > 0 {
			break
		}
		ops = append(ops, op)
	}
	return ops
}

func (r response) err() error {
	if r.Error == "" {
		return nil
	}
	return fmt.Errorf("fusedisk: %s", r.Error)
}
