// SPDX-License-Identifier: Apache-2.0

package rot

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"testing"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/engine"
	"github.com/daybook-db/daybook/proof/testenv"
)

// rotWorkerEnv tells a child process of TestRot where the victims are. A case runs in a child, since what may go
// wrong in it can end the whole process: a panic or a fault in somebody's goroutine, an endless loop, a stack that
// overflows.
const rotWorkerEnv = "DAYBOOK_PROOF_ROT_VICTIMS"

// rotReply is what a worker says of a case, as one line behind rotReplyMark.
type rotReply struct {
	Faults []rotFault
}

// rotFault is one thing that is wrong.
type rotFault struct {
	What   string // as many others are
	Detail string
}

// What can be wrong.
const (
	rotWrong      = "WRONG DATA"
	rotUnfound    = "not found by Check"
	rotUnnamed    = "not named"
	rotFalseAlarm = "false alarm"
	rotError      = "another error"
	rotPanic      = "PANIC"
	rotHang       = "HANGS"
	rotDied       = "PROCESS DIED"
	rotChanged    = "files changed"
	rotWorse      = "made worse"
	rotMemory     = "memory"
	rotDisk       = "disk"
)

const rotReplyMark = "rot:"

// TestRotWorker runs the cases that come on standard input, one a line, until it ends. It is a part of TestRot.
func TestRotWorker(t *testing.T) {
	victims := os.Getenv(rotWorkerEnv)
	if victims == "" {
		return // TestRot has not started this process
	}
	w := &rotWorker{t: t, dir: testenv.DirInMemory(t), victims: make(map[string]*rotPristine), root: victims}
	in := bufio.NewReader(os.Stdin)
	for {
		line, err := in.ReadBytes('\n')
		if err != nil {
			return
		}
		var c rotCase
		if err := json.Unmarshal(line, &c); err != nil {
			t.Fatal(err)
		}
		reply, err := json.Marshal(w.run(&c))
		if err != nil {
			t.Fatal(err)
		}
		fmt.Printf("%s%s\n", rotReplyMark, reply)
	}
}

// rotPristine is a victim as it was before any damage.
type rotPristine struct {
	files  map[string][]byte // by path relative to the store
	size   uint64
	model  rotContents
	wanted map[uint64]*rotWanted // by keep
}

type rotWorker struct {
	t       *testing.T
	root    string // of the victims
	dir     string // of the store that is damaged
	victims map[string]*rotPristine
}

func (w *rotWorker) victim(name string) *rotPristine {
	if p := w.victims[name]; p != nil {
		return p
	}
	p := &rotPristine{wanted: make(map[uint64]*rotWanted), model: rotReadContents(w.t, filepath.Join(w.root, name))}
	p.files = rotReadFiles(w.t, filepath.Join(w.root, name, rotStore))
	for _, data := range p.files {
		p.size += uint64(len(data))
	}
	w.victims[name] = p
	return p
}

func (p *rotPristine) want(keep uint64) *rotWanted {
	if p.wanted[keep] == nil {
		p.wanted[keep] = newRotWanted(p.model, keep)
	}
	return p.wanted[keep]
}

// rotReserve is the file that only takes up space. It stays where it is: nobody reads it, and to compare and restore a
// megabyte of it takes longer than the rest of a case.
const rotReserve = "reserve"

// rotHuge is what no file of a victim grows to, in bytes. Such a one is a fault, and not read.
const rotHuge = 64 << 20

// rotReadFiles reads all files below a directory, but for the reserve.
func rotReadFiles(t *testing.T, dir string) map[string][]byte {
	t.Helper()
	files := make(map[string][]byte)
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || entry.Name() == rotReserve {
			return err
		}
		name, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		if info, err := entry.Info(); err != nil || info.Size() > rotHuge {
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

// restore makes the store what the victim was. Its files are new ones: a lock that was never given up, or a mapping,
// stays with the old ones.
func (w *rotWorker) restore(p *rotPristine) {
	err := errors.Join(os.RemoveAll(filepath.Join(w.dir, rotLog)), os.RemoveAll(filepath.Join(w.dir, rotTree)))
	if err == nil {
		err = os.MkdirAll(filepath.Join(w.dir, rotLog), 0o700)
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

func (w *rotWorker) apply(c *rotCase) {
	path := filepath.Join(w.dir, c.File)
	if c.Truncate {
		if err := os.Truncate(path, c.Offset); err != nil {
			w.t.Fatal(err)
		}
		return
	}
	if err := rotOverwrite(path, c.Offset, c.Bytes); err != nil {
		w.t.Fatal(err)
	}
}

// run runs one case.
func (w *rotWorker) run(c *rotCase) (reply rotReply) {
	victim := w.victim(c.Victim)
	keep := uint64(math.MaxUint64)
	if c.Fate == rotTorn {
		keep = c.Keep
	}
	wanted := victim.want(keep)
	wanted.answer(rotQuestion{"*", daybook.QueryParams{}})
	w.restore(victim)
	r := &rotRun{rotWorker: w, damage: c, victim: victim, wanted: wanted, faults: &reply.Faults}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	if c.Open {
		r.underFoot()
	} else {
		r.rotten()
	}
	runtime.ReadMemStats(&after)
	got := after.TotalAlloc - before.TotalAlloc
	if most := 64<<20 + 40*victim.size; got > most {
		reply.Faults = append(reply.Faults, rotFault{rotMemory, fmt.Sprintf("%d bytes were allocated; want at most %d", got, most)})
	}
	return reply
}

// rotRun is the run of one case.
type rotRun struct {
	*rotWorker
	damage *rotCase
	victim *rotPristine
	wanted *rotWanted
	faults *[]rotFault

	could map[string]bool // which records could be read before anything was written
}

// The stages of a run.
const (
	rotReadOnly  = "read-only"
	rotReadWrite = "read-write"
	rotBefore    = "before the damage"
	rotOpen      = "open"
	rotChange    = ", changed" // behind one of the others
)

func (r *rotRun) judge(stage string) *rotJudge {
	return &rotJudge{ctx: context.Background(), damage: r.damage, stage: stage, faults: r.faults}
}

// open opens the store. A store that is refused is not touched.
func (r *rotRun) open(stage string, readOnly bool) (*rotJudge, bool) {
	before := rotReadFiles(r.t, r.dir)
	j := r.judge(stage)
	err := j.attempt("Open", func() (err error) {
		j.db, err = engine.Open(r.dir, rotOptions(readOnly))
		return err
	})
	if err == nil {
		return j, true
	}
	r.unchanged(j, before)
	if r.damage.Fate == rotDead {
		j.fault(rotFalseAlarm, "Open: refused though nothing that is in use was hit: %.200v", err)
	}
	r.names(j, err, false)
	return j, false
}

func (r *rotRun) unchanged(j *rotJudge, before map[string][]byte) {
	after := rotReadFiles(r.t, r.dir)
	for name, data := range before {
		if now, found := after[name]; !found || !bytes.Equal(now, data) {
			j.fault(rotChanged, "%s", name)
		}
		delete(after, name)
	}
	for name := range after {
		j.fault(rotChanged, "%s is new", name)
	}
}

// rotten runs a case on a store that is closed when the damage happens.
func (r *rotRun) rotten() {
	r.apply(r.damage)
	r.readOnly()
	r.readWrite()
}

// readOnly looks at the store without changing anything.
func (r *rotRun) readOnly() {
	before := rotReadFiles(r.t, r.dir)
	j, opened := r.open(rotReadOnly, true)
	if !opened {
		return
	}
	j.battery(r.wanted)
	r.could = j.readable(r.wanted)
	r.check(j, "Check")
	r.close(j)
	r.unchanged(j, before)
}

// readWrite looks at the store, changes it, and looks again: beside it and when it is opened once more.
func (r *rotRun) readWrite() {
	j, opened := r.open(rotReadWrite, false)
	if !opened {
		return
	}
	j.query(rotQuestion{"*", daybook.QueryParams{}}, r.wanted.answer(rotQuestion{"*", daybook.QueryParams{}}))
	j.about(r.wanted)
	r.check(j, "Check")
	r.change(j)
}

// underFoot damages the store while it is open.
func (r *rotRun) underFoot() {
	j, opened := r.open(rotBefore, false)
	if !opened {
		return
	}
	_ = j.readable(r.wanted)
	r.apply(r.damage)
	j.stage = rotOpen
	j.battery(r.wanted)
	r.could = j.readable(r.wanted)
	r.check(j, "Check")
	r.change(j)
}

// change cleans up or prunes, stores and posts, and holds what is left against what must be.
func (r *rotRun) change(j *rotJudge) {
	after := rotAfter{wanted: r.wanted}
	var deleted uint64
	err := j.attempt("Cleanup or Prune", func() (err error) {
		if r.damage.Offset%2 == 0 {
			after.olderThan = r.middle()
			deleted, err = j.db.Cleanup(j.ctx, after.olderThan)
		} else {
			after.most = 8
			deleted, err = j.db.Prune(j.ctx, "*", daybook.PruneParams{MaxPerRecord: after.most})
		}
		return err
	})
	after.cleaned = err == nil
	if doomed := after.allDoomed(); err == nil && deleted != doomed {
		j.fault(rotWrong, "Cleanup or Prune: it deleted %d; want %d", deleted, doomed)
	}
	err = j.attempt("StoreBatch", func() error { return j.db.StoreBatch(j.ctx, after.batch()) })
	after.stored = err == nil
	_ = j.attempt("Checkpoint", func() error { return j.db.Checkpoint(j.ctx) })
	j.stage += rotChange
	r.verify(j, after)
	r.check(j, "Check")
	r.close(j)
	stage := j.stage + ", opened again"
	if j, opened := r.open(stage, true); opened {
		r.verify(j, after)
		r.close(j)
	}
}

// middle is a time that about half of the values are older than.
func (r *rotRun) middle() uint64 {
	var times []uint64
	for _, values := range r.wanted.values {
		for _, v := range values {
			times = append(times, v.At)
		}
	}
	slices.Sort(times)
	return times[len(times)/2]
}

// verify reads every record on its own.
func (r *rotRun) verify(j *rotJudge, after rotAfter) {
	for _, record := range after.records() {
		var got []daybook.StoredValue
		err := j.attempt("Query of one record", func() (err error) {
			got, err = j.db.Query(j.ctx, record, daybook.QueryParams{Order: daybook.OldestFirst})
			return err
		})
		if err != nil {
			if r.could[record] {
				j.fault(rotWorse, "record %.40q could be read before: %.200v", record, err)
			}
			continue
		}
		if difference := after.differ(record, got); difference != "" {
			j.fault(rotWrong, "Query of one record: %.40q: %s", record, difference)
		}
	}
}

// close closes the store, which must end, whatever it returns.
func (r *rotRun) close(j *rotJudge) {
	err := j.attempt("Close", func() error { return j.db.Close() })
	if err != nil && r.damage.Fate == rotDead {
		j.fault(rotFalseAlarm, "Close: %v", err)
	}
	size := uint64(0)
	for _, data := range rotReadFiles(r.t, r.dir) {
		size += uint64(len(data))
		if data == nil {
			size += rotHuge
		}
	}
	if most := 4*r.victim.size + 8<<20; size > most {
		j.fault(rotDisk, "the files grew to %d bytes; want at most %d", size, most)
	}
}
