// SPDX-License-Identifier: Apache-2.0

// Package journal is what a disk was asked to do: a list of operations in the order in which it did them,
// and the image of what it holds. One package records it, another computes from it what a power cut would
// have left; this one knows neither.
//
// Files and directories are inodes, named by a number that is never used twice. Their names are entries of
// a directory, which change by other operations than their content does. The root directory is inode Root.
package journal

import (
	"bytes"
	"fmt"
	"path"
	"strings"
	"syscall"
)

// Root is the inode of the root directory. It is always there, and durable.
const Root = 1

// Kind is what an operation does.
type Kind uint8

const (
	// Create adds an empty file to a directory.
	Create Kind = iota + 1
	// Mkdir adds an empty directory to a directory.
	Mkdir
	// Write changes bytes of a file, and lengthens it when it ends behind the end.
	Write
	// Truncate sets a file's size. What it adds is zeros.
	Truncate
	// Rename gives a file another name in the same directory, and takes that from the one that had it.
	Rename
	// Unlink takes a file's name away.
	Unlink
	// Rmdir removes an empty directory.
	Rmdir
	// Sync is fsync or fdatasync of a file: what was done to it before Op.Began is durable.
	Sync
	// SyncDir is fsync of a directory: what was done to its entries before Op.Began is durable.
	SyncDir
	// Mark is a note that the test made, such as that a value was acknowledged.
	Mark
	// Open opens an existing file. It changes nothing, so no journal has it: it is there to be failed.
	Open
	// Read reads a file. As with Open. The kernel answers what it has cached without asking.
	Read
)

var kindNames = [...]string{"none", "create", "mkdir", "write", "truncate", "rename", "unlink", "rmdir", "sync", "syncdir", "mark", "open", "read"}

func (k Kind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return fmt.Sprintf("Kind(%d)", uint8(k))
}

// Op is one operation. Which fields are in use depends on Kind.
type Op struct {
	Kind Kind
	// Inode is the file or directory itself: the one that is created, written to, renamed, removed, synced.
	Inode uint64
	// Parent is the directory whose entries change, Name the entry, and NewName that after a Rename.
	Parent        uint64
	Name, NewName string
	// Replaced is the inode that a Rename took the name from; 0 for none.
	Replaced uint64
	// Path is where the inode was when the operation was done, relative to the root. It is for people.
	Path string

	Offset int64  // of a Write
	Data   []byte // that a Write wrote: what was applied of it, if it failed
	Size   int64  // that a Truncate set
	// Began is how many operations the journal had when a Sync or SyncDir arrived. Those that came while
	// it was under way need not be durable after it.
	Began int
	// Errno is what the operation failed with; 0: it succeeded. One that failed did nothing, except that
	// a Write may have applied Data.
	Errno syscall.Errno
	// Mark is the text of a Mark.
	Mark string
}

// String is a line for people.
func (o Op) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%-8s ", o.Kind)
	switch o.Kind {
	case Mark:
		b.WriteString(o.Mark)
	case Write:
		fmt.Fprintf(&b, "%s %d+%d", o.Path, o.Offset, len(o.Data))
		if len(bytes.Trim(o.Data, "\x00")) == 0 {
			b.WriteString(" of zeros")
		}
	case Truncate:
		fmt.Fprintf(&b, "%s to %d", o.Path, o.Size)
	case Rename:
		fmt.Fprintf(&b, "%s to %s", o.Path, path.Join(path.Dir(o.Path), o.NewName))
	case Sync, SyncDir:
		fmt.Fprintf(&b, "%s (begun at %d)", o.Path, o.Began)
	default:
		b.WriteString(o.Path)
	}
	if o.Errno != 0 {
		fmt.Fprintf(&b, ": %v", o.Errno)
	}
	return b.String()
}
