// SPDX-License-Identifier: Apache-2.0

//go:build !windows

package disk

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"syscall"
)

// adopt gives a file that root has just made to whoever owns the directory that it is in: a program that runs as somebody
// else goes on with its daybook after an administrator has compacted or mended it. Where that cannot be, nothing happens.
func adopt(f *os.File) {
	if os.Geteuid() != 0 {
		return
	}
	info, err := f.Stat()
	if err != nil {
		return
	}
	above, err := os.Stat(filepath.Dir(f.Name()))
	if err != nil {
		return
	}
	mine, ok := info.Sys().(*syscall.Stat_t)
	owner, known := above.Sys().(*syscall.Stat_t)
	if ok && known && mine.Uid == 0 && owner.Uid != 0 {
		_ = f.Chown(int(owner.Uid), int(owner.Gid))
	}
}

// adoptDirectory is adopt for a directory. That one may be in its place by now which somebody else has put there, so it is
// adopted only if there is nothing in it.
func adoptDirectory(path string) {
	dir, err := os.OpenFile(path, os.O_RDONLY|syscall.O_DIRECTORY|syscall.O_NOFOLLOW, 0)
	if err != nil {
		return
	}
	defer dir.Close()
	if _, err := dir.Readdirnames(1); errors.Is(err, io.EOF) {
		adopt(dir)
	}
}
