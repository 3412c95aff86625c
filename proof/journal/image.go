// SPDX-License-Identifier: Apache-2.0

package journal

import (
	"hash/maphash"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
)

// Image is the content of a disk. Paths are relative to the root and have slashes.
type Image struct {
	Dirs  []string // the directories below the root, each after its parent
	Files map[string][]byte
}

// ReadImage reads the tree below dir.
func ReadImage(dir string) (Image, error) {
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
