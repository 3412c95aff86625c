// SPDX-License-Identifier: Apache-2.0

package wal

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/engine/internal/disk"
	"github.com/daybook-db/daybook/engine/internal/disk/faultfs"
	"github.com/daybook-db/daybook/engine/internal/identity"
)

// testOptions returns options for small segments, so that a few frames fill many segments.
func testOptions() Options {
	return Options{
		FirstSegmentSize: 2 << 10,
		SegmentSize:      4 << 10,
		KeepReleased:     12 << 10,
		Logger:           slog.New(slog.DiscardHandler),
		OnSync:           func(time.Duration) {},
		Origin:           testIdentity.Origin(),
	}
}

// openDirectory opens a directory of the operating system.
func openDirectory(t testing.TB, path string) disk.FS {
	t.Helper()
	dir, err := (disk.OS{}).OpenDirectory(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = dir.Close() })
	return dir
}

// testIdentity is the identity of the store whose logs most tests write.
var testIdentity = identity.New()

// knownAt returns what the tree of that store says at a watermark.
func knownAt(watermark uint64) Known {
	return Known{Watermark: watermark, Identity: testIdentity, Tree: "/daybook.db"}
}

func mustScan(t testing.TB, fsys disk.FS, watermark uint64) *Recovery {
	t.Helper()
	recovery, err := Scan(crashDir, fsys, knownAt(watermark))
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

// segmentsOf returns the paths of the segments that have or had frames, sorted by number.
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

// numbered returns a frame whose payload has a length and begins with n.
func numbered(n, length, values int) Frame {
	payload := bytes.Repeat([]byte{byte('a' + n%26)}, max(length, 8))
	copy(payload, fmt.Sprintf("%08d", n))
	return Frame{Payload: payload, Values: values}
}

// placed returns frames with the sequence numbers that Append gives them, beginning with next.
func placed(next uint64, frames ...Frame) (all []testFrame) {
	for _, f := range frames {
		all = append(all, testFrame{f, next})
		next += uint64(f.Values)
	}
	return all
}

// replayAll returns the frames that Replay yields.
func replayAll(t testing.TB, recovery *Recovery) (frames []testFrame) {
	t.Helper()
	err := recovery.Replay(func(sequence uint64, payload []byte, values int) error {
		frames = append(frames, testFrame{Frame{bytes.Clone(payload), values}, sequence})
		return nil
	})
	if err != nil {
		t.Fatalf("Replay: %v", err)
	}
	return frames
}

// sameFrame compares frames as a whole, so that no report has megabytes of payload.
var sameFrame = cmp.Comparer(func(a, b testFrame) bool {
	return a.sequence == b.sequence && a.Values == b.Values && bytes.Equal(a.Payload, b.Payload)
})

// checkFrames scans the log and compares the frames above watermark with want.
func checkFrames(t testing.TB, fsys disk.FS, watermark uint64, want []testFrame) {
	t.Helper()
	recovery := mustScan(t, fsys, watermark)
	got := replayAll(t, recovery)
	if diff := cmp.Diff(want, got, sameFrame, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("frames above %d (-want +got):\n%s", watermark, diff)
	}
	next := watermark + 1
	if len(want) > 0 {
		next = want[len(want)-1].last() + 1
	}
	if recovery.NextSequence() != next {
		t.Errorf("the next value is %d; want %d", recovery.NextSequence(), next)
	}
}

// failNext makes the next operation of a name fail, and no other.
func failNext(fsys *faultfs.FS, name string, err error) {
	var once sync.Once
	fsys.SetHook(func(op faultfs.Op) (failure error) {
		if op.Name == name {
			once.Do(func() { failure = err })
		}
		return failure
	})
}

// failAll makes all operations of a name fail.
func failAll(name string, err error) func(faultfs.Op) error {
	return func(op faultfs.Op) error {
		if op.Name == name {
			return err
		}
		return nil
	}
}

// put writes a file to the directory of the log.
func put(t testing.TB, d *memDisk, name string, data []byte) {
	t.Helper()
	file, err := d.Create(filepath.Join(crashDir, name))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := file.WriteAt(data, 0); err != nil {
		t.Fatal(err)
	}
}

// isCorruptAt reports whether err is a daybook.ErrCorrupt that names a file and an offset.
func isCorruptAt(err error, path string, offset int64) bool {
	place := fmt.Sprintf("%s at offset %d:", path, offset)
	return errors.Is(err, daybook.ErrCorrupt) && strings.Contains(err.Error(), place)
}
