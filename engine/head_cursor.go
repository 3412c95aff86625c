// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"github.com/daybook-db/daybook/codec"
	"github.com/daybook-db/daybook/engine/internal/head"
)

// Numbers of values that a headCursor takes at once, first and at most.
const (
	minHeadPiece = 16
	maxHeadPiece = 256
)

// headCursor moves through the values that the heads have of one record, in the direction of a
// scan. It takes some at a time: a record may have a million values in a head, of which the scan
// reads a few.
type headCursor struct {
	walk   head.Walk
	newest bool
	piece  []codec.Entry
	at     int  // index in piece of the next value
	size   int  // of the next piece
	ended  bool // there are no further values
}

// begin moves the cursor to the first wanted value of a record.
func (c *headCursor) begin(r *recordContent, wanted codec.Range) {
	c.walk.Begin(wanted, &r.views[0], &r.views[1])
	c.newest, c.piece, c.at, c.size = wanted.Newest, c.piece[:0], 0, minHeadPiece
	if limit := wanted.MaxValues(); limit < c.size {
		c.size = limit
	}
	c.ended = false
}

// done reports whether there are no further values.
func (c *headCursor) done() bool { return c.at == len(c.piece) && (c.ended || !c.refill()) }

// refill takes the next piece, and reports whether there was one.
func (c *headCursor) refill() bool {
	c.piece, c.at = c.walk.Next(c.piece[:0], c.size), 0
	c.size = min(2*c.size, maxHeadPiece)
	c.ended = len(c.piece) == 0
	return !c.ended
}

// pop returns the next value. done must have returned false.
func (c *headCursor) pop() *codec.Entry {
	c.at++
	return &c.piece[c.at-1]
}

// precedes reports whether the next value comes before another one. done must have returned false.
func (c *headCursor) precedes(timestamp, sequence uint64) bool {
	order := c.piece[c.at].Compare(codec.Entry{Timestamp: timestamp, Sequence: sequence})
	if c.newest {
		return order > 0
	}
	return order < 0
}
