// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"runtime"
	"time"
)

// On two processors a prune beside Stores pauses after each period of work. Without pauses a Store
// waits for a processor after each sync, for half a millisecond and more, which is several times
// the sync.
const (
	workPeriod    = 250 * time.Microsecond
	pause         = time.Millisecond
	fewProcessors = 2
)

// pauses let a prune leave the processor to writers.
type pauses struct {
	db           *DB
	never        bool // there are processors enough
	workingSince time.Time
	lastSequence uint64 // at the last look
}

func newPauses(db *DB) *pauses {
	return &pauses{
		db:           db,
		never:        runtime.GOMAXPROCS(0) > fewProcessors,
		workingSince: time.Now(),
		lastSequence: db.heads.last(),
	}
}

// pauseIfDue pauses after a period of work in which something was stored. It does not pause while a
// checkpoint or another goroutine waits for the turn, nor during Close.
func (p *pauses) pauseIfDue() {
	if p.never || time.Since(p.workingSince) < workPeriod {
		return
	}
	last := p.db.heads.last()
	stored := last != p.lastSequence
	p.lastSequence = last
	waitedFor := p.db.heads.frozenHead() != nil || p.db.turns.waiting.Load() > 0 || p.db.gate.isClosed()
	if stored && !waitedFor {
		time.Sleep(pause)
	}
	p.workingSince = time.Now()
}
