// SPDX-License-Identifier: Apache-2.0

package crashstate

import (
	"fmt"
	"maps"
	"slices"
)

// directory tracks the entries of a directory.
type directory struct {
	durable map[string]uint64 // inodes by name
	changes []entryChange     // in doubt, oldest first
}

// entryChange gives an inode a name, or removes one, or both.
type entryChange struct {
	at       int // place in the journal
	inode    uint64
	name     string // the inode's new name; "" if it gets none
	from     string // the name that the inode loses; "" if it loses none
	replaced uint64 // the inode that had the new name; 0 if there was none
}

func newDirectory() *directory { return &directory{durable: make(map[string]uint64)} }

func (d *directory) add(c entryChange) { d.changes = append(d.changes, c) }

// sync makes the changes durable that were made before the sync began.
func (d *directory) sync(began int) {
	for len(d.changes) > 0 && d.changes[0].at < began {
		d.changes[0].apply(d.durable)
		d.changes = d.changes[1:]
	}
}

func (c entryChange) apply(entries map[string]uint64) {
	if c.from != "" {
		delete(entries, c.from)
	}
	if c.name != "" {
		entries[c.name] = c.inode
	}
}

// concerns reports whether two changes have a name or an inode in common, so that they stay in
// order.
func (c entryChange) concerns(other entryChange) bool {
	for _, inode := range []uint64{c.inode, c.replaced} {
		if inode != 0 && (inode == other.inode || inode == other.replaced) {
			return true
		}
	}
	for _, name := range []string{c.name, c.from} {
		if name != "" && (name == other.name || name == other.from) {
			return true
		}
	}
	return false
}

// surviving returns the entries that survive.
func (d *directory) surviving(c *cut) map[string]uint64 {
	if len(d.changes) == 0 {
		return d.durable
	}
	entries := maps.Clone(d.durable)
	var survived []int
	if c.reordered {
		survived = d.chooseEach(c)
	} else {
		for i := range c.prefixLength(len(d.changes)) {
			survived = append(survived, i)
		}
	}
	for _, i := range survived {
		d.changes[i].apply(entries)
	}
	c.explainWith(func() string {
		places := make([]int, len(survived))
		for i, at := range survived {
			places[i] = d.changes[at].at
		}
		first, last := d.changes[0].at, d.changes[len(d.changes)-1].at
		return fmt.Sprintf("a directory keeps operations %d of %d to %d", places, first, last)
	})
	return entries
}

// chooseEach decides about each change by itself. A change is lost if it concerns an earlier one
// that is lost.
func (d *directory) chooseEach(c *cut) (survived []int) {
	kept := c.percentage()
	var lost []entryChange
	for i, one := range d.changes {
		if !slices.ContainsFunc(lost, one.concerns) && c.chance(kept) {
			survived = append(survived, i)
		} else {
			lost = append(lost, one)
		}
	}
	return survived
}
