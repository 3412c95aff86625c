// SPDX-License-Identifier: Apache-2.0

package rot

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/daybook-db/daybook/proof/testenv"
)

// workerEnv is the environment variable that makes a process a worker. Its value is the directory
// of the victims. Cases run in another process because they may end it: by a panic or fault in any
// goroutine, an endless loop, or a stack overflow.
const workerEnv = "DAYBOOK_PROOF_ROT_VICTIMS"

// replyMark begins a line of standard output that is a workerReply.
const replyMark = "rot:"

// workerReply is the result of a case.
type workerReply struct {
	Findings []finding
}

// finding is one violation in a case.
type finding struct {
	What   string // one of the kinds below
	Detail string
}

// The kinds of findings.
const (
	wrongData     = "WRONG DATA"
	notFound      = "not found by Check"
	notNamed      = "not named"
	falseAlarm    = "false alarm"
	otherError    = "another error"
	panicked      = "PANIC"
	hangs         = "HANGS"
	processDied   = "PROCESS DIED"
	filesChanged  = "files changed"
	madeWorse     = "made worse"
	tooMuchMemory = "memory"
	tooMuchDisk   = "disk"
)

// TestWorker is a part of TestRot. It runs the cases that arrive on standard input, one in each
// line, until the input ends.
func TestWorker(t *testing.T) {
	victims := os.Getenv(workerEnv)
	if victims == "" {
		return // TestRot has not started this process
	}
	w := &worker{t: t, dir: testenv.DirInMemory(t), victims: make(map[string]*pristine), root: victims}
	in := bufio.NewReader(os.Stdin)
	for {
		line, err := in.ReadBytes('\n')
		if err != nil {
			return
		}
		var c damageCase
		if err := json.Unmarshal(line, &c); err != nil {
			t.Fatal(err)
		}
		reply, err := json.Marshal(w.run(&c))
		if err != nil {
			t.Fatal(err)
		}
		fmt.Printf("%s%s\n", replyMark, reply)
	}
}

// pristine is a victim before any damage.
type pristine struct {
	files   map[string][]byte // by path relative to the store
	size    uint64
	model   model
	oracles map[uint64]*oracle // by keep
}

type worker struct {
	t       *testing.T
	root    string // directory of the victims
	dir     string // directory of the store to damage
	victims map[string]*pristine
}

func (w *worker) victim(name string) *pristine {
	if p := w.victims[name]; p != nil {
		return p
	}
	p := &pristine{oracles: make(map[uint64]*oracle), model: readModel(w.t, filepath.Join(w.root, name))}
	p.files = readFiles(w.t, filepath.Join(w.root, name, storeName))
	for _, data := range p.files {
		p.size += uint64(len(data))
	}
	w.victims[name] = p
	return p
}

func (p *pristine) oracle(keep uint64) *oracle {
	if p.oracles[keep] == nil {
		p.oracles[keep] = newOracle(p.model, keep)
	}
	return p.oracles[keep]
}

// reserveName is the file that only takes up space. No case touches it, because nothing reads it.
// Comparing and restoring its megabyte would take longer than the rest of a case.
const reserveName = "reserve"

// maxFileSize is more than the size of any file of a victim. A larger file is a finding, and is not
// read.
const maxFileSize = 64 << 20

// readFiles reads all files below a directory except for the reserve. A file that is too large is
// nil.
func readFiles(t *testing.T, dir string) map[string][]byte {
	t.Helper()
	files := make(map[string][]byte)
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || entry.Name() == reserveName {
			return err
		}
		name, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		if info, err := entry.Info(); err != nil || info.Size() > maxFileSize {
			files[name] = nil
			return err
		}
		files[name], err = os.ReadFile(path)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// restore makes the store an undamaged copy of the victim. It creates new files, so that the lock
// or mapping of an earlier case stays with the old ones.
func (w *worker) restore(p *pristine) {
	err := errors.Join(os.RemoveAll(filepath.Join(w.dir, logName)), os.RemoveAll(filepath.Join(w.dir, treeName)))
	if err == nil {
		err = os.MkdirAll(filepath.Join(w.dir, logName), 0o700)
	}
	for name, data := range p.files {
		if err == nil {
			err = os.WriteFile(filepath.Join(w.dir, name), data, 0o600)
		}
	}
	if err != nil {
		w.t.Fatal(err)
	}
}

// apply damages the store.
func (w *worker) apply(c *damageCase) {
	path := filepath.Join(w.dir, c.File)
	if c.Truncate {
		if err := os.Truncate(path, c.Offset); err != nil {
			w.t.Fatal(err)
		}
		return
	}
	if err := overwrite(path, c.Offset, c.Bytes); err != nil {
		w.t.Fatal(err)
	}
}

// run runs one case.
func (w *worker) run(c *damageCase) (reply workerReply) {
	victim := w.victim(c.Victim)
	keep := uint64(math.MaxUint64)
	if c.Expect == tornTail {
		keep = c.Keep
	}
	oracle := victim.oracle(keep)
	w.restore(victim)
	r := &caseRun{worker: w, damage: c, victim: victim, oracle: oracle, findings: &reply.Findings}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	if c.Open {
		r.damageOpen()
	} else {
		r.damageClosed()
	}
	runtime.ReadMemStats(&after)
	got := after.TotalAlloc - before.TotalAlloc
	if limit := 64<<20 + 40*victim.size; got > limit {
		reply.Findings = append(reply.Findings,
			finding{tooMuchMemory, fmt.Sprintf("%d bytes were allocated; want at most %d", got, limit)})
	}
	return reply
}
