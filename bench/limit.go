// SPDX-License-Identifier: Apache-2.0

package bench

import (
	"os"
	"path/filepath"
	"runtime/metrics"
)

// Limit is what the disk takes for a durable write: pwrite and fdatasync, one after another, on a file that
// has been written over before.
type Limit struct {
	file   *os.File
	offset int64
}

const (
	limitSize = 8 << 20
	// limitPiece is in what pieces the file is made. Linux keeps in its cache what was written at once as one large
	// folio, and goes through all of it when a part is synced: made at once, each sync of a hundred bytes took 86 instead
	// of 58 us (ext4, Linux 6.18).
	limitPiece = 4 << 10
)

// NewLimit makes the file in dir.
func NewLimit(dir string) (*Limit, error) {
	file, err := os.Create(filepath.Join(dir, "limit"))
	if err != nil {
		return nil, err
	}
	zeros := make([]byte, limitPiece)
	for offset := int64(0); offset < limitSize && err == nil; offset += limitPiece {
		_, err = file.WriteAt(zeros, offset)
	}
	if err == nil {
		err = file.Sync()
	}
	if err != nil {
		_ = file.Close()
		return nil, err
	}
	return &Limit{file: file}, nil
}

// Write makes data durable, at most 8 MiB.
func (l *Limit) Write(data []byte) error {
	if l.offset+int64(len(data)) > limitSize {
		l.offset = 0
	}
	if _, err := l.file.WriteAt(data, l.offset); err != nil {
		return err
	}
	l.offset += int64(len(data))
	return datasync(l.file)
}

// Close closes the file.
func (l *Limit) Close() error { return l.file.Close() }

// LogOverhead is about what a log adds to a value: the frame's header, the record's name and three varints,
// in bytes.
const LogOverhead = 20 + 25 + 10

// LiveHeap is what the last garbage collection found alive, in bytes.
func LiveHeap() uint64 {
	sample := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}
