// SPDX-License-Identifier: Apache-2.0

package consumers

import (
	"bytes"
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// image is the content of a directory.
type image map[string][]byte // by path in the directory

// capture reads a directory when the log has prepared its first segment, and nothing changes any
// more. A segment in the making is on its way to the disk without any call.
func capture(dir string) (files image, err error) {
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); {
		before := files
		files, err = read(dir)
		if !maps.EqualFunc(before, files, bytes.Equal) {
			time.Sleep(time.Millisecond)
			continue
		}
		prepared := 0
		for name := range files {
			switch {
			case strings.HasSuffix(name, ".new.log"):
				prepared = -len(files)
			case strings.HasSuffix(name, ".log"):
				prepared++
			}
		}
		if err == nil && prepared > 0 || err != nil && !errors.Is(err, fs.ErrNotExist) {
			break
		}
		time.Sleep(time.Millisecond)
	}
	return files, err
}

func read(dir string) (image, error) {
	files := make(image)
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		name, err := filepath.Rel(dir, path)
		if err == nil {
			files[name], err = os.ReadFile(path)
		}
		return err
	})
	return files, err
}

// put gives a directory the content of an image. A file that is there keeps its identity.
func (files image) put(dir string) error {
	now, err := read(dir)
	if err != nil {
		return err
	}
	for name := range now {
		if _, stays := files[name]; !stays {
			if err := os.Remove(filepath.Join(dir, name)); err != nil {
				return err
			}
		}
	}
	for name, data := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			return err
		}
		file, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
		if err == nil {
			_, err = file.Write(data)
		}
		if err != nil {
			return err
		}
		if err := file.Close(); err != nil {
			return err
		}
	}
	return nil
}

// damageLog changes a byte in the middle of the frames of the last segment that has any. It reports
// whether there is one.
func (files image) damageLog(part int) bool {
	const header = 128 // more than the header of a segment
	names := []string{}
	for name := range files {
		if strings.HasPrefix(name, "wal"+string(filepath.Separator)) && strings.HasSuffix(name, ".log") {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	for _, name := range slices.Backward(names) {
		data := files[name]
		end := len(data)
		for end > header && data[end-1] == 0 {
			end--
		}
		if end > header {
			data[header+(end-header)*part/100] ^= 0x10
			return true
		}
	}
	return false
}
