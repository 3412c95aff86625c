// SPDX-License-Identifier: Apache-2.0

package wal

import (
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"github.com/daybook-db/daybook/engine/internal/disk"
)

// testOptions make segments small, so that little fills many.
func testOptions() Options {
	return Options{
		FirstSegmentSize: 2 << 10,
		SegmentSize:      4 << 10,
		KeepReleased:     12 << 10,
		Logger:           slog.New(slog.DiscardHandler),
		OnSync:           func(time.Duration) {},
	}
}

func mustScan(t testing.TB, fsys disk.FS, watermark uint64) *Recovery {
	t.Helper()
	recovery, err := Scan(crashDir, fsys, watermark)
	if err != nil {
		t.Fatalf("Scan: %v", err)
	}
	return recovery
}

func mustOpen(t testing.TB, fsys disk.FS, watermark, notBefore uint64) *Log {
	t.Helper()
	log, err := mustScan(t, fsys, watermark).Open(notBefore, testOptions())
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	return log
}

func mustAppend(t testing.TB, log *Log, frames ...Frame) (firstSequence uint64) {
	t.Helper()
	firstSequence, err := log.Append(frames)
	if err != nil {
		t.Fatalf("Append: %v", err)
	}
	return firstSequence
}

func mustSync(t testing.TB, log *Log) {
	t.Helper()
	if err := log.Sync(); err != nil {
		t.Fatalf("Sync: %v", err)
	}
}

func mustClose(t testing.TB, log *Log) {
	t.Helper()
	if err := log.Close(false); err != nil {
		t.Fatalf("Close: %v", err)
	}
}

// segmentsOf returns the paths of the segments that hold or held frames, by number.
func segmentsOf(t testing.TB, d *memDisk) (paths []string) {
	t.Helper()
	entries, err := d.ReadDir(crashDir)
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		path := filepath.Join(crashDir, entry.Name())
		if header, err := decodeSegmentHeader(d.cached[path].cached); err == nil && !header.prepared() {
			paths = append(paths, path)
		}
	}
	return paths
}
