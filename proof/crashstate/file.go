// SPDX-License-Identifier: Apache-2.0

package crashstate

import (
	"fmt"
	"slices"
)

const (
	sectorSize = 512
	pageSize   = 4096 // what an operating system writes back at a time
)

// file is the content of a file.
type file struct {
	path    string // for people
	durable []byte
	edits   []edit // in doubt, oldest first
	size    int64  // with all edits
}

// edit changes a file's size or its bytes. A write behind the end is one of each.
type edit struct {
	at    int    // place in the journal
	data  []byte // of a write
	start int64  // of a write
	size  int64  // that a change of size sets
	sizes bool   // it is a change of size
	cuts  bool   // and makes the file shorter
	// forgotten: a sync of it failed, and the operating system takes it for written.
	forgotten bool
}

func (e *edit) end() int64 { return e.start + int64(len(e.data)) }

func (f *file) write(at int, offset int64, data []byte) {
	if len(data) == 0 {
		return
	}
	e := edit{at: at, start: offset, data: data}
	if e.end() > f.size {
		f.edits = append(f.edits, edit{at: at, sizes: true, size: e.end()})
		f.size = e.end()
	}
	f.edits = append(f.edits, e)
}

func (f *file) truncate(at int, size int64) {
	f.edits = append(f.edits, edit{at: at, sizes: true, size: size, cuts: size < f.size})
	f.size = size
}

// sync makes durable what was done before began, and can still be known to need it.
func (f *file) sync(began int) {
	done := 0
	for done < len(f.edits) && f.edits[done].at < began {
		done++
	}
	edits := f.edits[:done:done]
	var kept []edit
	if slices.ContainsFunc(edits, func(e edit) bool { return e.forgotten }) {
		edits, kept = setForgottenAside(edits)
	}
	for i := range edits {
		f.durable = edits[i].apply(f.durable)
	}
	f.edits = append(kept, f.edits[done:]...)
}

func (f *file) failSync() {
	for i := range f.edits {
		f.edits[i].forgotten = !f.edits[i].sizes
	}
}

// setForgottenAside splits edits into those that a sync writes, and those it does not: writes that it takes
// for written already, to pages that nothing was written to since.
func setForgottenAside(edits []edit) (written, kept []edit) {
	dirty := make(map[int64]bool)
	for i := range edits {
		if e := &edits[i]; !e.sizes && !e.forgotten {
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

// byPage splits a write at the boundaries of pages.
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

// apply does an edit to a file's content, which it may reuse.
func (e *edit) apply(content []byte) []byte {
	if e.sizes {
		return resized(content, e.size)
	}
	if e.end() > int64(len(content)) { // it was cut off later, which is durable already
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

// cut returns the content that survives.
func (f *file) cut(c *cut) []byte {
	if len(f.edits) == 0 {
		return f.durable
	}
	size, sizes := f.cutSize(c)
	content := make([]byte, size)
	copy(content, f.durable)
	choose := c.versions(f)
	sectors, changed := f.doubtful(), 0
	for _, s := range sectors {
		if s.cut(f, content, sizes, choose) {
			changed++
		}
	}
	c.explain(func() string {
		return fmt.Sprintf("%s has %d bytes, durable were %d, last were %d; %d of its %d sectors in doubt changed",
			f.path, size, len(f.durable), f.size, changed, len(sectors))
	})
	return content
}

// cutSize chooses how many of the edits have had their effect on the size, and returns the size then.
func (f *file) cutSize(c *cut) (size int64, edits int) {
	changes := 0
	for i := range f.edits {
		if f.edits[i].sizes {
			changes++
		}
	}
	kept := c.firstPart(changes)
	size = int64(len(f.durable))
	for i := range f.edits {
		if kept == 0 {
			return size, i
		}
		if f.edits[i].sizes {
			size = f.edits[i].size
			kept--
		}
	}
	return size, len(f.edits)
}

// sector is a sector in doubt, and the edits that touch it, by their index.
type sector struct {
	start int64
	edits []int
}

// doubtful returns the sectors that edits touch, in order.
func (f *file) doubtful() []sector {
	var sectors []sector
	places := make(map[int64]int) // by number
	size := int64(len(f.durable))
	for i := range f.edits {
		e := &f.edits[i]
		start, end := e.start, e.end()
		if e.sizes {
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

// cut puts one of the sector's versions into content, and reports whether that is another than the durable
// one. Those edits of the size that are among the first sizes edits have survived, the others have not.
func (s *sector) cut(f *file, content []byte, sizes int, choose func(s *sector, low, high int) int) bool {
	if s.start >= int64(len(content)) {
		return false
	}
	low, high := 0, len(s.edits)
	for i, at := range s.edits {
		if !f.edits[at].cuts {
			continue
		}
		if at < sizes {
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

// applyWithin does what an edit does to the bytes that begin at start.
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
