// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// command returns the command that generates one file. It has no path of this machine: runs, and a
// target with an absolute path, appear with their base names.
func command(flag, target string, from runs) string {
	if filepath.IsAbs(target) {
		target = filepath.Base(target)
	}
	words := []string{"go run -C bench/peers ./report", "-" + flag, filepath.ToSlash(target)}
	for _, r := range from {
		words = append(words, r.file)
	}
	return strings.Join(words, " ")
}

// writeChanged replaces the file at path with content, or leaves it as it is if it has that content
// already. A failure leaves the old file. The file is not synced, because it can be generated
// again.
func writeChanged(path string, content []byte) (err error) {
	mode := fs.FileMode(0o644)
	old, err := os.ReadFile(path)
	switch {
	case err == nil && bytes.Equal(old, content):
		return nil
	case err == nil:
		mode, err = permissions(path)
	case errors.Is(err, fs.ErrNotExist):
		err = nil
	}
	if err != nil {
		return err
	}
	return replace(path, content, mode)
}

func permissions(path string) (fs.FileMode, error) {
	info, err := os.Stat(path)
	if err != nil {
		return 0, err
	}
	return info.Mode().Perm(), nil
}

// replace removes its temporary file if it fails.
func replace(path string, content []byte, mode fs.FileMode) error {
	temp, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	_, err = temp.Write(content)
	err = errors.Join(err, temp.Chmod(mode), temp.Close())
	if err == nil {
		err = os.Rename(temp.Name(), path)
	}
	if err != nil {
		err = errors.Join(err, os.Remove(temp.Name()))
	}
	return err
}
