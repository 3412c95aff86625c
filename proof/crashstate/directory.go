// SPDX-License-Identifier: Apache-2.0

package crashstate

import (
	"fmt"
	"maps"
	"slices"
)

// directory is which names a directory holds.
type directory struct {
	durable map[string]uint64
	changes []change // in doubt, oldest first
}

// change gives an inode a name, or takes one away, or both.
type change struct {
	at       int // place in the journal
	inode    uint64
	name     string // that it gets; "" for none
	from     string // that it loses; "" for none
	replaced uint64 // inode that had the name; 0 for none
}

func newDirectory() *directory { return &directory{durable: make(map[string]uint64)} }

func (d *directory) add(c change) { d.changes = append(d.changes, c) }

func (d *directory) sync(began int) {
	for len(d.changes) > 0 && d.changes[0].at < began {
		d.changes[0].apply(d.durable)
		d.changes = d.changes[1:]
	}
}

func (c change) apply(entries map[string]uint64) {
	if c.from != "" {
		delete(entries, c.from)
	}
	if c.name != "" {
		entries[c.name] = c.inode
	}
}

// concerns reports whether two changes are about one name or one inode, so that they stay in order.
func (c change) concerns(other change) bool {
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

// cut returns the names that survive.
func (d *directory) cut(c *cut) map[string]uint64 {
	if len(d.changes) == 0 {
		return d.durable
	}
	entries := maps.Clone(d.durable)
	var survived []int
	if c.reordered {
		survived = d.anyOf(c)
	} else {
		for i := range c.firstPart(len(d.changes)) {
			survived = append(survived, i)
		}
	}
	for _, i := range survived {
		d.changes[i].apply(entries)
	}
	c.explain(func() string {
		places := make([]int, len(survived))
		for i, at := range survived {
			places[i] = d.changes[at].at
		}
		return fmt.Sprintf("a directory keeps operations %d of %d to %d", places, d.changes[0].at, d.changes[len(d.changes)-1].at)
	})
	return entries
}

// anyOf chooses changes one by one. None survives without all that it concerns and that came before it.
func (d *directory) anyOf(c *cut) (survived []int) {
	kept := c.odds()
	var lost []change
	for i, one := range d.changes {
		if !slices.ContainsFunc(lost, one.concerns) && c.chance(kept) {
			survived = append(survived, i)
		} else {
			lost = append(lost, one)
		}
	}
	return survived
}
