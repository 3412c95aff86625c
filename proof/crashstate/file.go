// SPDX-License-Identifier: Apache-2.0

package crashstate

import (
	"fmt"
	"slices"
)

const (
	sectorSize = 512
	pageSize   = 4096 // an operating system writes back whole pages
)

// file tracks the content of a file.
type file struct {
	path    string // for messages
	durable []byte
	edits   []edit // in doubt, oldest first
	size    int64  // after all edits
}

// edit changes a file's size or its bytes. A write past the end of the file is one edit of each
// kind.
type edit struct {
	at       int    // place in the journal
	data     []byte // the bytes of a write
	start    int64  // the offset of a write
	size     int64  // the size that a change of size sets
	isResize bool   // the edit is a change of size
	cuts     bool   // the change of size makes the file shorter
	// forgotten says that a sync of this edit failed, so that the operating system takes it for
	// written.
	forgotten bool
}

func (e *edit) end() int64 { return e.start + int64(len(e.data)) }

func (f *file) write(at int, offset int64, data []byte) {
	if len(data) == 0 {
		return
	}
	e := edit{at: at, start: offset, data: data}
	if e.end() > f.size {
		f.edits = append(f.edits, edit{at: at, isResize: true, size: e.end()})
		f.size = e.end()
	}
	f.edits = append(f.edits, e)
}

func (f *file) truncate(at int, size int64) {
	f.edits = append(f.edits, edit{at: at, isResize: true, size: size, cuts: size < f.size})
	f.size = size
}

// sync makes the edits durable that were made before the sync began, except those that are
// forgotten and whose pages were not written again.
func (f *file) sync(began int) {
	done := 0
	for done < len(f.edits) && f.edits[done].at < began {
		done++
	}
	edits := f.edits[:done:done]
	var kept []edit
	if slices.ContainsFunc(edits, func(e edit) bool { return e.forgotten }) {
		edits, kept = splitForgotten(edits)
	}
	for i := range edits {
		f.durable = edits[i].apply(f.durable)
	}
	f.edits = append(kept, f.edits[done:]...)
}

// failSync notes that a sync failed: the operating system will not write the edits so far.
func (f *file) failSync() {
	for i := range f.edits {
		f.edits[i].forgotten = !f.edits[i].isResize
	}
}

// splitForgotten splits edits into those that a sync writes, and those that stay in doubt. A
// forgotten edit is written with its page if a later edit changed the page.
func splitForgotten(edits []edit) (written, kept []edit) {
	dirty := make(map[int64]bool)
	for i := range edits {
		if e := &edits[i]; !e.isResize && !e.forgotten {
			for page := e.start / pageSize; page*pageSize < e.end(); page++ {
				dirty[page] = true
			}
		}
	}
	for _, e := range edits {
		if !e.forgotten {
			written = append(written, e)
			continue
		}
		for _, part := range e.byPage() {
			if dirty[part.start/pageSize] {
				written = append(written, part)
			} else {
				kept = append(kept, part)
			}
		}
	}
	return written, kept
}

// byPage splits a write at page boundaries.
func (e edit) byPage() (parts []edit) {
	for e.data != nil {
		part := e
		if fits := pageSize - e.start%pageSize; fits < int64(len(e.data)) {
			part.data, e.data, e.start = e.data[:fits], e.data[fits:], e.start+fits
		} else {
			e.data = nil
		}
		parts = append(parts, part)
	}
	return parts
}

// apply applies the edit to a file's content, whose memory it may reuse.
func (e *edit) apply(content []byte) []byte {
	if e.isResize {
		return resized(content, e.size)
	}
	if e.end() > int64(len(content)) { // a later truncation removed these bytes, and is durable already
		content = resized(content, e.end())
	}
	copy(content[e.start:], e.data)
	return content
}

func resized(content []byte, size int64) []byte {
	old := int64(len(content))
	if size <= old {
		return content[:size]
	}
	content = slices.Grow(content, int(size-old))[:size]
	clear(content[old:])
	return content
}

// surviving returns the content that survives.
func (f *file) surviving(c *cut) []byte {
	if len(f.edits) == 0 {
		return f.durable
	}
	size, resizes := f.chooseSize(c)
	content := make([]byte, size)
	copy(content, f.durable)
	choose := c.versionChooser(f)
	sectors, changed := f.sectorsInDoubt(), 0
	for _, s := range sectors {
		if s.fill(f, content, resizes, choose) {
			changed++
		}
	}
	c.explainWith(func() string {
		return fmt.Sprintf("%s has %d bytes (durable: %d, with all edits: %d); "+
			"of its sectors in doubt, %d of %d changed",
			f.path, size, len(f.durable), f.size, changed, len(sectors))
	})
	return content
}

// chooseSize chooses a first part of the edits whose changes of the size survive. It returns the
// size after them and their number.
func (f *file) chooseSize(c *cut) (size int64, edits int) {
	changes := 0
	for i := range f.edits {
		if f.edits[i].isResize {
			changes++
		}
	}
	kept := c.prefixLength(changes)
	size = int64(len(f.durable))
	for i := range f.edits {
		if kept == 0 {
			return size, i
		}
		if f.edits[i].isResize {
			size = f.edits[i].size
			kept--
		}
	}
	return size, len(f.edits)
}

// sector is a sector that is changed by edits in doubt.
type sector struct {
	start int64
	edits []int // their indexes
}

// sectorsInDoubt returns the sectors that edits change, in the order of their offsets.
func (f *file) sectorsInDoubt() []sector {
	var sectors []sector
	places := make(map[int64]int) // in sectors, by sector number
	size := int64(len(f.durable))
	for i := range f.edits {
		e := &f.edits[i]
		start, end := e.start, e.end()
		if e.isResize {
			start, end = e.size, max(size, e.size)
			size = e.size
			if !e.cuts {
				continue
			}
		}
		for number := start / sectorSize; number*sectorSize < end; number++ {
			place, ok := places[number]
			if !ok {
				place = len(sectors)
				places[number] = place
				sectors = append(sectors, sector{start: number * sectorSize})
			}
			sectors[place].edits = append(sectors[place].edits, i)
		}
	}
	slices.SortFunc(sectors, func(a, b sector) int { return int(a.start - b.start) })
	return sectors
}

// fill puts a version of the sector into content, and reports whether it is not the durable
// version. Of the changes of the size, those among the first resizes edits have survived and the
// others are lost. So the version includes every edit up to the last surviving cut, and no edit
// after the first lost one.
func (s *sector) fill(f *file, content []byte, resizes int, choose func(s *sector, low, high int) int) bool {
	if s.start >= int64(len(content)) {
		return false
	}
	low, high := 0, len(s.edits)
	for i, at := range s.edits {
		if !f.edits[at].cuts {
			continue
		}
		if at < resizes {
			low = i + 1
		} else {
			high = min(high, i)
		}
	}
	version := choose(s, low, high)
	bytes := content[s.start:min(s.start+sectorSize, int64(len(content)))]
	for _, at := range s.edits[:version] {
		f.edits[at].applyWithin(bytes, s.start)
	}
	return version > 0
}

// applyWithin applies the edit to the part of the file that begins at start.
func (e *edit) applyWithin(bytes []byte, start int64) {
	if e.cuts {
		clear(bytes[min(max(0, e.size-start), int64(len(bytes))):])
		return
	}
	data, at := e.data, e.start-start
	if at < 0 {
		data, at = data[-at:], 0
	}
	if at < int64(len(bytes)) {
		copy(bytes[at:], data)
	}
}
