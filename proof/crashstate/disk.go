// SPDX-License-Identifier: Apache-2.0

// Package crashstate computes, from a journal of what a disk was asked to do, the states in which a power
// cut may leave the disk.
//
// # What a power cut may leave
//
// Of a file, by sectors of 512 bytes, each for itself: what was there when it was last synced, or what any
// of the writes since made of it. So writes are lost, torn and reordered. Its size is that at the last sync
// or any it had since; what was lengthened but not written reads as zeros. A truncation that shortens takes
// its place among the writes: if it survives, nothing from before it does, and the other way round.
//
// Of a directory: what it held when it was last synced, and of the changes since either a first part, as a
// file system leaves that journals its metadata, or any of them, as long as those that concern one name or
// one file stay in order: a new file may be lost although a later rename survives. Syncing a file does not
// make its name durable. The root directory is always there.
//
// A sync makes durable what was done before it began. What came while it ran stays in doubt.
//
// After a sync that failed, the operating system takes what it could not write for clean. Those writes stay
// in doubt although later syncs succeed, unless their page of 4096 bytes is written to again.
//
// # What is not modelled
//
// A sector is written whole or not at all, and holds nothing that was never written to it: no garbage in the
// sector under the head, no old content of other files in one that was allocated. A disk that says that it
// has synced has. File systems promise more than this in places, and where they do the state is one that
// they never leave.
package crashstate

import (
	"maps"
	"slices"

	"github.com/daybook-db/daybook/proof/journal"
)

// Disk is a disk as a journal left it: what is durable, and what is in doubt. It is for one goroutine.
type Disk struct {
	files   map[uint64]*file
	dirs    map[uint64]*directory
	applied int
}

// New returns a disk that holds nothing but the root directory.
func New() *Disk {
	return &Disk{
		files: make(map[uint64]*file),
		dirs:  map[uint64]*directory{journal.Root: newDirectory()},
	}
}

// Apply does the next operation of the journal. Images taken before may change.
func (d *Disk) Apply(op journal.Op) {
	at := d.applied
	d.applied++
	if op.Errno != 0 && op.Kind != journal.Write && op.Kind != journal.Sync {
		return
	}
	switch op.Kind {
	case journal.Create:
		d.files[op.Inode] = &file{path: op.Path}
		d.dirs[op.Parent].add(change{at: at, inode: op.Inode, name: op.Name})
	case journal.Mkdir:
		d.dirs[op.Inode] = newDirectory()
		d.dirs[op.Parent].add(change{at: at, inode: op.Inode, name: op.Name})
	case journal.Rename:
		d.dirs[op.Parent].add(change{at: at, inode: op.Inode, name: op.NewName, from: op.Name, replaced: op.Replaced})
	case journal.Unlink, journal.Rmdir:
		d.dirs[op.Parent].add(change{at: at, inode: op.Inode, from: op.Name})
	case journal.Write:
		d.files[op.Inode].write(at, op.Offset, op.Data)
	case journal.Truncate:
		d.files[op.Inode].truncate(at, op.Size)
	case journal.Sync:
		if op.Errno != 0 {
			d.files[op.Inode].failSync()
		} else {
			d.files[op.Inode].sync(op.Began)
		}
	case journal.SyncDir:
		d.dirs[op.Inode].sync(op.Began)
	}
}

// Unsynced returns which operations are in doubt, by their place in the journal.
func (d *Disk) Unsynced() (places []int) {
	for _, dir := range d.dirs {
		for _, c := range dir.changes {
			places = append(places, c.at)
		}
	}
	for _, f := range d.files {
		for _, e := range f.edits {
			places = append(places, e.at)
		}
	}
	slices.Sort(places)
	return slices.Compact(places)
}

// Two states are special, the others are drawn at random.
const (
	NothingUnsynced    = 0 // what is in doubt is lost
	EverythingUnsynced = 1 // what is in doubt survives, as if only the process had ended
)

// State returns what a power cut now leaves. The number decides, and the same number leaves the same.
// The image is valid until the next Apply, and must not be changed.
func (d *Disk) State(number uint64) journal.Image { return d.state(number, nil) }

// Explain returns what becomes, in that state, of what is in doubt: a line for each file and directory.
func (d *Disk) Explain(number uint64) (lines []string) {
	d.state(number, func(line string) { lines = append(lines, line) })
	return lines
}

func (d *Disk) state(number uint64, tell func(string)) journal.Image {
	c := newCut(number, tell)
	entries := make(map[uint64]map[string]uint64, len(d.dirs))
	for _, inode := range slices.Sorted(maps.Keys(d.dirs)) {
		entries[inode] = d.dirs[inode].cut(c)
	}
	image := journal.Image{Files: make(map[string][]byte)}
	d.collect(c, entries, journal.Root, "", &image)
	return image
}

// collect adds what can be reached from a directory to the image, in the order of the names.
func (d *Disk) collect(c *cut, entries map[uint64]map[string]uint64, dir uint64, prefix string, image *journal.Image) {
	for _, name := range slices.Sorted(maps.Keys(entries[dir])) {
		inode, path := entries[dir][name], prefix+name
		if f := d.files[inode]; f != nil {
			image.Files[path] = f.cut(c)
			continue
		}
		image.Dirs = append(image.Dirs, path)
		d.collect(c, entries, inode, path+"/", image)
	}
}
