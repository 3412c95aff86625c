// SPDX-License-Identifier: Apache-2.0

package rot

import (
	"bytes"
	"context"
	"slices"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/engine"
)

// caseRun is the run of one case.
type caseRun struct {
	*worker
	damage   *damageCase
	victim   *pristine
	oracle   *oracle
	findings *[]finding

	readable map[string]bool // the records that could be read before anything was written
}

// The stages of a run.
const (
	stageReadOnly  = "read-only"
	stageReadWrite = "read-write"
	stageBefore    = "before the damage"
	stageOpen      = "open"
	stageChanged   = ", changed" // follows the name of another stage
)

var everything = question{"*", daybook.QueryParams{}}

func (r *caseRun) judge(stage string) *judge {
	return &judge{ctx: context.Background(), damage: r.damage, stage: stage, findings: r.findings}
}

// open opens the store. If Open refuses it, the files must be unchanged.
func (r *caseRun) open(stage string, readOnly bool) (*judge, bool) {
	before := readFiles(r.t, r.dir)
	j := r.judge(stage)
	err := j.attempt("Open", func() (err error) {
		j.db, err = engine.Open(r.dir, storeOptions(readOnly))
		return err
	})
	if err == nil {
		return j, true
	}
	r.requireUnchanged(j, before)
	if r.damage.Expect == harmless {
		j.report(falseAlarm, "Open: refused because of harmless damage: %.200v", err)
	}
	r.requirePlace(j, err, false)
	return j, false
}

func (r *caseRun) requireUnchanged(j *judge, before map[string][]byte) {
	after := readFiles(r.t, r.dir)
	for name, data := range before {
		if now, found := after[name]; !found || !bytes.Equal(now, data) {
			j.report(filesChanged, "%s", name)
		}
		delete(after, name)
	}
	for name := range after {
		j.report(filesChanged, "%s is new", name)
	}
}

// damageClosed damages the store while it is closed.
func (r *caseRun) damageClosed() {
	r.apply(r.damage)
	r.readOnly()
	r.readWrite()
}

// readOnly opens the store read-only and asks all questions. The files must stay unchanged.
func (r *caseRun) readOnly() {
	before := readFiles(r.t, r.dir)
	j, opened := r.open(stageReadOnly, true)
	if !opened {
		return
	}
	j.askAll(r.oracle)
	r.readable = j.readable(r.oracle)
	r.check(j)
	r.close(j)
	r.requireUnchanged(j, before)
}

// readWrite opens the store, asks some questions and changes the store.
func (r *caseRun) readWrite() {
	j, opened := r.open(stageReadWrite, false)
	if !opened {
		return
	}
	j.query(everything, r.oracle.answer(everything))
	j.askAboutHit(r.oracle)
	r.check(j)
	r.change(j)
}

// damageOpen damages the store while it is open.
func (r *caseRun) damageOpen() {
	j, opened := r.open(stageBefore, false)
	if !opened {
		return
	}
	_ = j.readable(r.oracle)
	r.apply(r.damage)
	j.stage = stageOpen
	j.askAll(r.oracle)
	r.readable = j.readable(r.oracle)
	r.check(j)
	r.change(j)
}

// change deletes values, stores a batch and makes a checkpoint. It compares the values then, and
// again after the store was closed and opened.
func (r *caseRun) change(j *judge) {
	after := afterChange{before: r.oracle}
	var deleted uint64
	err := j.attempt("Cleanup or Prune", func() (err error) {
		if r.damage.Offset%2 == 0 {
			after.olderThan = r.medianTime()
			deleted, err = j.db.Cleanup(j.ctx, after.olderThan)
		} else {
			after.maxPerRecord = 8
			deleted, err = j.db.Prune(j.ctx, "*", daybook.PruneParams{MaxPerRecord: after.maxPerRecord})
		}
		return err
	})
	after.deleted = err == nil
	if doomed := after.allDoomed(); err == nil && deleted != doomed {
		j.report(wrongData, "Cleanup or Prune: deleted %d values; want %d", deleted, doomed)
	}
	err = j.attempt("StoreBatch", func() error { return j.db.StoreBatch(j.ctx, after.batch()) })
	after.stored = err == nil
	_ = j.attempt("Checkpoint", func() error { return j.db.Checkpoint(j.ctx) })
	j.stage += stageChanged
	r.compareRecords(j, after)
	r.check(j)
	r.close(j)
	stage := j.stage + ", opened again"
	if j, opened := r.open(stage, true); opened {
		r.compareRecords(j, after)
		r.close(j)
	}
}

// medianTime returns a timestamp that about half of the values are older than.
func (r *caseRun) medianTime() uint64 {
	var times []uint64
	for _, values := range r.oracle.values {
		for _, v := range values {
			times = append(times, v.At)
		}
	}
	slices.Sort(times)
	return times[len(times)/2]
}

// compareRecords queries each record by itself and compares its values. A record that could be read
// before the change must still be readable.
func (r *caseRun) compareRecords(j *judge, after afterChange) {
	for _, record := range after.records() {
		var got []daybook.StoredValue
		err := j.attempt("Query of one record", func() (err error) {
			got, err = j.db.Query(j.ctx, record, daybook.QueryParams{Order: daybook.OldestFirst})
			return err
		})
		if err != nil {
			if r.readable[record] {
				j.report(madeWorse, "record %.40q could be read before: %.200v", record, err)
			}
			continue
		}
		if diff := after.difference(record, got); diff != "" {
			j.report(wrongData, "Query of one record: %.40q: %s", record, diff)
		}
	}
}

// close closes the store. The files must not have grown without bound.
func (r *caseRun) close(j *judge) {
	err := j.attempt("Close", func() error { return j.db.Close() })
	if err != nil && r.damage.Expect == harmless {
		j.report(falseAlarm, "Close: %v", err)
	}
	size := uint64(0)
	for _, data := range readFiles(r.t, r.dir) {
		size += uint64(len(data))
		if data == nil {
			size += maxFileSize
		}
	}
	if limit := 4*r.victim.size + 8<<20; size > limit {
		j.report(tooMuchDisk, "the files grew to %d bytes; want at most %d", size, limit)
	}
}
