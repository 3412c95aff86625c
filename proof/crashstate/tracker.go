// SPDX-License-Identifier: Apache-2.0

// Package crashstate computes the states in which a power cut may leave a disk. A [Tracker] applies
// the operations of a journal one by one. After each it knows which operations are durable and
// which are in doubt, and State returns one of the possible contents of the disk.
//
// # What a power cut may leave of a file
//
// A file consists of sectors of 512 bytes, and each sector has a fate of its own. A sector holds
// its content of the last sync, or the content after any of the writes that followed. So writes may
// be lost, torn and reordered. The size is that of the last sync, or any size that the file had
// afterwards. Bytes that were added but not written read as zeros. A truncation that shortens the
// file has its place among the writes: if the truncation survives, no earlier write to the removed
// bytes does, and if it is lost, no later one does.
//
// # What a power cut may leave of a directory
//
// A directory holds its entries of the last sync and some of the changes that followed. Half of the
// states keep a first part of the changes, as a file system does that journals its metadata. The
// others keep any of them, except that changes of the same name or the same file stay in order. So
// a new file may be lost although a later rename survives. A sync of a file does not make its name
// durable. The root directory always survives.
//
// # What a sync does
//
// A sync makes the operations durable that were done before it began. Operations that came while
// the sync ran stay in doubt.
//
// After a sync that failed, the operating system treats the pages that it could not write as clean.
// Those writes stay in doubt although later syncs succeed, until their page of 4096 bytes is
// written again.
//
// # What the model leaves out
//
// A sector is written completely or not at all, and it never holds bytes that were not written to
// it. The model has no garbage in a sector that was being written, and no old content of another
// file in a new sector. A disk that reports a successful sync has done it. Some file systems
// promise more than the model; there it has states in which they never leave a disk.
package crashstate

import (
	"maps"
	"slices"

	"github.com/daybook-db/daybook/proof/journal"
)

// Tracker knows, of every operation so far, whether it is durable or in doubt. Its methods must not
// be called from several goroutines at once.
type Tracker struct {
	files   map[uint64]*file
	dirs    map[uint64]*directory
	applied int // operations
}

// New returns the tracker of a disk that holds only the root directory.
func New() *Tracker {
	return &Tracker{
		files: make(map[uint64]*file),
		dirs:  map[uint64]*directory{journal.Root: newDirectory()},
	}
}

// Apply applies the next operation of the journal. It may change images that State returned before.
func (t *Tracker) Apply(op journal.Op) {
	at := t.applied
	t.applied++
	if op.Errno != 0 && op.Kind != journal.Write && op.Kind != journal.Sync {
		return
	}
	switch op.Kind {
	case journal.Create:
		t.files[op.Inode] = &file{path: op.Path}
		t.dirs[op.Parent].add(entryChange{at: at, inode: op.Inode, name: op.Name})
	case journal.Mkdir:
		t.dirs[op.Inode] = newDirectory()
		t.dirs[op.Parent].add(entryChange{at: at, inode: op.Inode, name: op.Name})
	case journal.Rename:
		t.dirs[op.Parent].add(entryChange{
			at: at, inode: op.Inode, name: op.NewName, from: op.Name, replaced: op.Replaced,
		})
	case journal.Unlink, journal.Rmdir:
		t.dirs[op.Parent].add(entryChange{at: at, inode: op.Inode, from: op.Name})
	case journal.Write:
		t.files[op.Inode].write(at, op.Offset, op.Data)
	case journal.Truncate:
		t.files[op.Inode].truncate(at, op.Size)
	case journal.Sync:
		if op.Errno != 0 {
			t.files[op.Inode].failSync()
		} else {
			t.files[op.Inode].sync(op.Began)
		}
	case journal.SyncDir:
		t.dirs[op.Inode].sync(op.Began)
	}
}

// Unsynced returns the places in the journal of the operations that are in doubt.
func (t *Tracker) Unsynced() (places []int) {
	for _, dir := range t.dirs {
		for _, c := range dir.changes {
			places = append(places, c.at)
		}
	}
	for _, f := range t.files {
		for _, e := range f.edits {
			places = append(places, e.at)
		}
	}
	slices.Sort(places)
	return slices.Compact(places)
}

// These numbers stand for the two extreme states. Every other number stands for a random one.
const (
	NothingUnsynced    = 0 // all operations in doubt are lost
	EverythingUnsynced = 1 // all operations in doubt survive, as if only the process had ended
)

// State returns the content of the disk after a power cut at this moment. Equal numbers give equal
// states. The image is valid until the next Apply, and must not be changed.
func (t *Tracker) State(number uint64) journal.Image { return t.state(number, nil) }

// Explain returns a line for each file and directory with operations in doubt. The line says which
// of them survive in the state with this number.
func (t *Tracker) Explain(number uint64) (lines []string) {
	t.state(number, func(line string) { lines = append(lines, line) })
	return lines
}

func (t *Tracker) state(number uint64, explain func(string)) journal.Image {
	c := newCut(number, explain)
	entries := make(entriesByDir, len(t.dirs))
	for _, inode := range slices.Sorted(maps.Keys(t.dirs)) {
		entries[inode] = t.dirs[inode].surviving(c)
	}
	image := journal.Image{Files: make(map[string][]byte)}
	t.collect(c, entries, journal.Root, "", &image)
	return image
}

// entriesByDir has the surviving entries of each directory.
type entriesByDir map[uint64]map[string]uint64

// collect adds the files and directories below a directory to the image, in the order of their
// names.
func (t *Tracker) collect(c *cut, entries entriesByDir, dir uint64, prefix string, image *journal.Image) {
	for _, name := range slices.Sorted(maps.Keys(entries[dir])) {
		inode, path := entries[dir][name], prefix+name
		if f := t.files[inode]; f != nil {
			image.Files[path] = f.surviving(c)
			continue
		}
		image.Dirs = append(image.Dirs, path)
		t.collect(c, entries, inode, path+"/", image)
	}
}
