// SPDX-License-Identifier: Apache-2.0

package journal

import (
	"bytes"
	"errors"
	"fmt"
	"hash/maphash"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// Image is the content of a disk. Paths are relative to the root and have slashes.
type Image struct {
	Dirs  []string // the directories below the root, each after its parent
	Files map[string][]byte
}

// maxWait is how long a directory may change until ReadImage returns an error. It is far longer
// than any background work of an open daybook takes on a busy machine.
const maxWait = time.Minute

// ReadImage reads the tree below dir. A program may have it open, and make, rename and remove files
// meanwhile: an open daybook makes log segments in the background. ReadImage reads until two
// readings in a row are equal, so that the image has all files as they were at one moment.
func ReadImage(dir string) (Image, error) {
	before, err := readOnce(dir)
	for deadline := time.Now().Add(maxWait); err == nil || errors.Is(err, fs.ErrNotExist); {
		if _, err := os.Stat(dir); err != nil {
			return Image{}, err
		}
		image, nextErr := readOnce(dir)
		if err == nil && nextErr == nil && image.equal(before) {
			return image, nil
		}
		if time.Now().After(deadline) {
			return Image{}, errors.Join(fmt.Errorf("%s has not stopped changing for %v", dir, maxWait), nextErr)
		}
		before, err = image, nextErr
	}
	return Image{}, err
}

// CopyOpenDir copies a directory that a program may have open, as a kill of the program would leave
// it. The directory that it makes must not exist, or must be empty.
func CopyOpenDir(to, from string) error {
	image, err := ReadImage(from)
	if err == nil {
		err = os.MkdirAll(to, 0o700)
	}
	if err == nil {
		err = image.WriteTo(to)
	}
	return err
}

func (im Image) equal(other Image) bool {
	return slices.Equal(im.Dirs, other.Dirs) && maps.EqualFunc(im.Files, other.Files, bytes.Equal)
}

// readOnce reads each file once. It returns fs.ErrNotExist if one was renamed or removed before.
func readOnce(dir string) (Image, error) {
	image := Image{Files: make(map[string][]byte)}
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || path == dir {
			return err
		}
		name, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		name = filepath.ToSlash(name)
		if entry.IsDir() {
			image.Dirs = append(image.Dirs, name)
			return nil
		}
		image.Files[name], err = os.ReadFile(path)
		return err
	})
	return image, err
}

// WriteTo writes the image below dir, which must exist and be empty.
func (im Image) WriteTo(dir string) error {
	for _, name := range im.Dirs {
		if err := os.Mkdir(filepath.Join(dir, filepath.FromSlash(name)), 0o700); err != nil {
			return err
		}
	}
	for name, data := range im.Files {
		if err := writeSparse(filepath.Join(dir, filepath.FromSlash(name)), data); err != nil {
			return err
		}
	}
	return nil
}

// zeroRun is the number of zero bytes that are written as a hole. Most of a log segment has never
// been written, and a hole in a file in memory costs nothing.
const zeroRun = 4096

var zeros [zeroRun]byte

func writeSparse(path string, data []byte) error {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer file.Close()
	if err := file.Truncate(int64(len(data))); err != nil {
		return err
	}
	for start := 0; start < len(data); {
		if isZero(data, start) {
			start += zeroRun
			continue
		}
		end := start
		for end < len(data) && !isZero(data, end) {
			end += zeroRun
		}
		end = min(end, len(data))
		if _, err := file.WriteAt(data[start:end], int64(start)); err != nil {
			return err
		}
		start = end
	}
	return file.Close()
}

// isZero reports whether the next zeroRun bytes after start, or as many as there are, are zeros.
func isZero(data []byte, start int) bool {
	run := data[start:min(start+zeroRun, len(data))]
	return string(run) == string(zeros[:len(run)])
}

// Sum returns a hash of the names and the contents. Sums with equal seeds can be compared within
// one process.
func (im Image) Sum(seed maphash.Seed) uint64 {
	var h maphash.Hash
	h.SetSeed(seed)
	for _, name := range im.Dirs {
		maphash.WriteComparable(&h, name)
	}
	for _, name := range slices.Sorted(maps.Keys(im.Files)) {
		data := im.Files[name]
		maphash.WriteComparable(&h, name)
		maphash.WriteComparable(&h, len(data))
		_, _ = h.Write(data)
	}
	return h.Sum64()
}
