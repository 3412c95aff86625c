// SPDX-License-Identifier: Apache-2.0

package disk

import (
	"io/fs"
	"os"
)

const onlyDirectory = 0

// giveToDirectoryOwner does nothing: on Windows a file inherits its permissions from its directory.
func giveToDirectoryOwner(*os.File, fs.FileInfo) {}

// giveEmptyDirectory does nothing: on Windows a directory inherits its permissions from its parent.
func giveEmptyDirectory(*os.File, fs.FileInfo) {}

// mayFollow returns true: on Windows only an administrator may make symbolic links.
func mayFollow(_, _ fs.FileInfo) bool { return true }
