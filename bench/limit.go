// SPDX-License-Identifier: Apache-2.0

package bench

import (
	"os"
	"path/filepath"
	"runtime/metrics"
)

// Limit makes bytes durable and does nothing else: it overwrites parts of a file with pwrite, each
// followed by fdatasync. A store cannot be faster, so the time that Limit takes is what stores are
// compared with.
type Limit struct {
	file   *os.File
	offset int64 // of the next write
}

const (
	limitSize = 8 << 20
	// limitPiece is the size of the writes that make the file. Linux caches a large write as one
	// large folio, and a sync of a part of it looks at all of it. In a file made by a single write,
	// a sync of a hundred bytes took 86 us instead of 58 us (ext4, Linux 6.18).
	limitPiece = 4 << 10
)

// NewLimit creates the file in dir, at its full size.
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

// Write makes data durable. Data has at most 8 MiB.
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

// LogOverhead is about how many bytes a log adds to a value: the frame's header, the record's name
// and three varints.
const LogOverhead = 20 + 25 + 10

// LiveHeap returns the bytes of the heap that the last garbage collection found alive.
func LiveHeap() uint64 {
	sample := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}
