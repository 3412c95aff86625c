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

// serveEnv tells a test binary to serve a disk at this directory instead of running its tests.
const serveEnv = "DAYBOOK_FUSEDISK_SERVE"

// MaxWrite is the most bytes that one write operation has. A larger write comes in pieces.
const MaxWrite = 1 << 20

// mainCalled is set once a child of this binary would serve.
var mainCalled atomic.Bool

// Main runs the tests, or in a child of Mount serves a disk. It is what TestMain does in a test binary that
// mounts one, and does not return.
func Main(m *testing.M) {
	mainCalled.Store(true)
	if dir := os.Getenv(serveEnv); dir != "" {
		serve(dir)
	}
	os.Exit(m.Run())
}

// request is what the test asks of the child.
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

// response is what the child answers.
type response struct {
	Error  string // only in the first, which says whether the disk is mounted
	At     int
	Image  journal.Image
	Ops    []journal.Op
	Counts []Counts
}

// serve mounts a disk at dir and answers requests until there are no more: until the test's process ends,
// if it does not unmount the disk before.
func serve(dir string) {
	signal.Ignore(syscall.SIGINT) // it is for the test, with which this process ends
	log.SetOutput(os.Stderr)
	answers := gob.NewEncoder(os.Stdout)
	disk := newState()
	mounted, err := fuse.NewServer(newServer(disk), dir, mountOptions())
	if err == nil {
		go mounted.Serve()
		err = mounted.WaitMount()
	}
	if err != nil {
		_ = answers.Encode(response{Error: "mounting it on " + dir + ": " + err.Error()})
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
		// Only this mount changes the files, so the kernel's cache is right for as long as it wants.
		ExplicitDataCacheControl: true,
	}
}

func detach(dir string) { _ = syscall.Unmount(dir, syscall.MNT_DETACH) }

// mostAtOnce is about how many bytes of journal one response carries.
const mostAtOnce = 32 << 20

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
		for i := range s.rules {
			answer.Counts = append(answer.Counts, s.rules[i].Counts)
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
	s.rules, s.released = nil, make(chan struct{})
	for _, fault := range faults {
		s.rules = append(s.rules, rule{Fault: fault})
	}
}

func (s *state) opsLocked(from int) (ops []journal.Op) {
	size := 0
	for _, op := range s.journal[min(from, len(s.journal)):] {
		if size += len(op.Data); size > mostAtOnce && len(ops) > 0 {
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
