// SPDX-License-Identifier: Apache-2.0

// Package journal has the types that the other packages of proof exchange: [Op] is one operation
// that a disk was asked to do, and [Image] is the content of a disk. A journal is a slice of
// operations, in the order in which the disk did them. Package fusedisk records journals, and
// package crashstate computes from one what a power cut may leave.
//
// Files and directories are inodes. An inode has a number that is never used twice, and the root
// directory has the number Root. The names of inodes are entries of directories: some operations
// change entries, and others change the content of files.
package journal

import (
	"bytes"
	"fmt"
	"path"
	"strings"
	"syscall"
)

// Root is the inode of the root directory, which exists from the beginning and is durable.
const Root = 1

// OpKind says what an operation does.
type OpKind uint8

const (
	// Create adds an empty file to a directory.
	Create OpKind = iota + 1
	// Mkdir adds an empty directory to a directory.
	Mkdir
	// Write changes bytes of a file, and lengthens the file if the bytes reach past its end.
	Write
	// Truncate sets a file's size. Bytes that it adds are zeros.
	Truncate
	// Rename gives a file another name in the same directory. A file that had that name loses it.
	Rename
	// Unlink removes a file's name.
	Unlink
	// Rmdir removes an empty directory.
	Rmdir
	// Sync is fsync or fdatasync of a file. It makes the operations on the file before Op.Began
	// durable.
	Sync
	// SyncDir is fsync of a directory. It makes the changes of its entries before Op.Began durable.
	SyncDir
	// Mark is a note of the test, for example that a value was acknowledged.
	Mark
	// Open opens an existing file. It changes nothing, so no journal contains it; a fault can name
	// it.
	Open
	// Read reads a file. It is in no journal either. The kernel answers from its cache where it
	// can, so not every read of a program becomes an operation.
	Read
)

var kindNames = [...]string{
	"none", "create", "mkdir", "write", "truncate", "rename", "unlink", "rmdir", "sync", "syncdir", "mark", "open",
	"read",
}

func (k OpKind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return fmt.Sprintf("OpKind(%d)", uint8(k))
}

// Op is one operation. Kind decides which of the other fields are used.
type Op struct {
	Kind OpKind
	// Inode is the file or directory that is created, written, renamed, removed or synced.
	Inode uint64
	// Parent is the directory whose entries change, and Name is the entry. NewName is the entry
	// after a Rename.
	Parent        uint64
	Name, NewName string
	// Replaced is the inode that lost its name to a Rename; 0 if there was none.
	Replaced uint64
	// Path is the inode's path at the time of the operation, relative to the root. Only messages
	// use it.
	Path string

	Offset int64  // where a Write begins
	Data   []byte // the bytes that a Write applied; if it failed, possibly only some
	Size   int64  // the size that a Truncate sets
	// Began is the number of operations in the journal when a Sync or SyncDir began. Operations
	// that came while the sync ran need not be durable after it.
	Began int
	// Errno is the error of an operation that failed, and 0 for one that succeeded. A failed
	// operation did nothing, except that a failed Write may have applied Data.
	Errno syscall.Errno
	// Mark is the text of a Mark.
	Mark string
}

// String returns a line for messages.
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
