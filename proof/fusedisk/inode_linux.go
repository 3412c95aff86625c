// SPDX-License-Identifier: Apache-2.0

//go:build amd64 || arm64

package fusedisk

import (
	"maps"
	"path"
	"slices"

	"github.com/daybook-db/daybook/proof/journal"
)

// inode is a file or a directory.
type inode struct {
	number  uint64
	lookups uint64 // the kernel's references to it

	// The entry of the inode, or its last one if it is unlinked. The root has no parent.
	parent   *inode
	name     string
	unlinked bool

	entries map[string]*inode // of a directory; nil in a file
	data    []byte            // of a file
}

func (n *inode) isDir() bool { return n.entries != nil }

// path returns the path relative to the root. The path of the root is ".".
func (n *inode) path() string {
	if n.parent == nil {
		return "."
	}
	return path.Join(n.parent.path(), n.name)
}

// resize sets the size of a file. Bytes that it adds are zeros, also where the file was longer
// before.
func (n *inode) resize(size int64) {
	old := int64(len(n.data))
	if size <= old {
		n.data = n.data[:size]
		return
	}
	n.data = slices.Grow(n.data, int(size-old))[:size]
	clear(n.data[old:])
}

// write writes data at an offset, which may be past the end of the file.
func (n *inode) write(offset int64, data []byte) {
	if end := offset + int64(len(data)); end > int64(len(n.data)) {
		n.resize(end)
	}
	copy(n.data[offset:], data)
}

// addImage adds the content of an image to an empty root, and calls added for each new inode.
func (n *inode) addImage(image journal.Image, added func(*inode)) {
	add := func(name string, child *inode) *inode {
		parent := n
		if dir := path.Dir(name); dir != "." {
			parent = n.find(dir)
		}
		child.parent, child.name = parent, path.Base(name)
		parent.entries[child.name] = child
		added(child)
		return child
	}
	for _, name := range image.Dirs {
		add(name, &inode{entries: make(map[string]*inode)})
	}
	for _, name := range slices.Sorted(maps.Keys(image.Files)) {
		add(name, &inode{data: slices.Clone(image.Files[name])})
	}
}

// find returns the directory at a path, which must exist.
func (n *inode) find(name string) *inode {
	if dir := path.Dir(name); dir != "." {
		return n.find(dir).entries[path.Base(name)]
	}
	return n.entries[name]
}

// image adds the files and directories below n to an image, in the order of their names.
func (n *inode) image(prefix string, into *journal.Image) {
	for _, name := range slices.Sorted(maps.Keys(n.entries)) {
		child, at := n.entries[name], path.Join(prefix, name)
		if !child.isDir() {
			into.Files[at] = slices.Clone(child.data)
			continue
		}
		into.Dirs = append(into.Dirs, at)
		child.image(at, into)
	}
}

// bytes returns the sum of the sizes of all files below n.
func (n *inode) bytes() (total int64) {
	for _, child := range n.entries {
		total += int64(len(child.data)) + child.bytes()
	}
	return total
}
