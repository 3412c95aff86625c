// SPDX-License-Identifier: Apache-2.0

package tree

import (
	"os"
	"time"

	"go.etcd.io/bbolt"

	"github.com/daybook-db/daybook/engine/internal/disk"
)

// A reader of OpenBeside shows that it reads by a lock that readers share: see disk.OfPin. The
// writer looks for it before each write transaction. While a reader has it, the writer keeps a read
// transaction open, so that bbolt does not overwrite the pages of the commit that the reader shows:
// those are overwritten at the earliest by the second transaction that begins after the reader has
// taken the lock and then read the meta page.
//
// The writer never waits for a reader, and gives up a pin that lasts too long or keeps too much
// space. Without the pin the reader notices pages that were overwritten.

const (
	defaultMaxPinTime  = time.Minute
	defaultMinPinBytes = 32 << 20
	pinPartOfFile      = 4
)

// pin is what the writer keeps for readers beside it. The zero value keeps nothing.
type pin struct {
	tx       *bbolt.Tx // nil: nothing is pinned
	begun    time.Time
	isUsedUp bool // the readers that have the lock had their time
	maxTime  time.Duration
	minBytes int64 // of pages that may be pinned, whatever the size of the file
}

func newPin() pin { return pin{maxTime: defaultMaxPinTime, minBytes: defaultMinPinBytes} }

// followPin begins or ends the pin. The writer calls it before a write transaction. A commit that
// may outgrow the mapping would wait for the pin, and with a maximum size of the file pages that
// are pinned may be needed: then there is none.
func (t *Tree) followPin() {
	p := &t.pin
	if t.broken.Load() {
		return
	}
	switch isRead := t.withinMap && t.fitsMap && t.maxBytes == 0 && t.isReadBeside(); {
	case !isRead:
		p.end()
		p.isUsedUp = false
	case p.tx == nil && !p.isUsedUp:
		if tx, err := t.beginBolt(false); err == nil {
			p.tx, p.begun = tx, time.Now()
		}
	case p.tx != nil && (time.Since(p.begun) > p.maxTime || t.pinnedBytes() > t.maxPinBytes()):
		p.giveUp()
	}
}

// isReadBeside reports whether a reader beside this writer has the lock.
func (t *Tree) isReadBeside() bool {
	file := t.openForPin()
	if file == nil {
		return false
	}
	defer func() { _ = file.Close() }()
	return disk.IsTaken(file, disk.OfPin)
}

// openForPin opens what readers lock; nil if that is not possible.
func (t *Tree) openForPin() *os.File {
	if t.opts.Log == "" {
		return nil
	}
	file, err := t.mapped.fs.OpenFile(disk.PinPath(t.opts.Log, t.mapped.path), os.O_RDONLY, 0)
	if err != nil {
		return nil
	}
	return file
}

// pinnedBytes returns the size of the pages that read transactions keep from being used.
func (t *Tree) pinnedBytes() int64 {
	stats := t.bolt.Stats()
	return int64(stats.PendingPageN) * int64(t.pageSize)
}

func (t *Tree) maxPinBytes() int64 {
	info, err := t.file.Stat()
	if err != nil {
		return 0
	}
	return max(t.pin.minBytes, info.Size()/pinPartOfFile)
}

// giveUp ends the pin until the readers that have the lock have released it. It reports whether
// there was one.
func (p *pin) giveUp() bool {
	if p.tx == nil {
		return false
	}
	p.end()
	p.isUsedUp = true
	return true
}

func (p *pin) end() {
	if p.tx != nil {
		_ = p.tx.Rollback()
		p.tx = nil
	}
}

// showReading takes the lock that a writer looks for. It returns nil if that is not possible: the
// lock is of use to the reader alone.
func (t *Tree) showReading() *os.File {
	file := t.openForPin()
	if file == nil {
		return nil
	}
	for range maxPinTries {
		if disk.TryShare(file, disk.OfPin) {
			return file
		}
		time.Sleep(pinInterval) // a writer is looking
	}
	_ = file.Close()
	return nil
}

const (
	maxPinTries = 20
	pinInterval = 100 * time.Microsecond
)
