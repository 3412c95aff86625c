// SPDX-License-Identifier: Apache-2.0

package wal

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/engine/internal/disk/faultfs"
)

// TestMayRelease asks for room for frames that just fit into a segment, and that just do not.
func TestMayRelease(t *testing.T) {
	const size = 2048
	fits := int(size - segmentHeaderLen - 2*frameHeaderLen)
	empty := segment{number: 1, size: size, firstSequence: 5, lastSequence: 4}
	empty.end = empty.begin()
	withValues := empty
	withValues.end++
	for _, test := range []struct {
		name   string
		sealed []segment
		active *segment
		want   bool
	}{
		{"no segment", nil, nil, false},
		{"a sealed one", []segment{withValues}, nil, true},
		{"the active one", nil, &withValues, true},
		{"an active one without values", nil, &empty, false},
		{"a sealed one, and an active one without values", []segment{withValues}, &empty, true},
	} {
		log := Log{sealed: test.sealed}
		if test.active != nil {
			log.active = &activeSegment{segment: *test.active}
		}
		if got := log.MayRelease(fits); got != test.want {
			t.Errorf("%s: a frame that fits: got %v", test.name, got)
		}
		if log.MayRelease(fits + 1) {
			t.Errorf("%s: there is room for a frame that does not fit", test.name)
		}
	}
}

// TestErrNoRoom: the error names the largest file if that is too small, and no file if there is
// none.
func TestErrNoRoom(t *testing.T) {
	for _, test := range []struct {
		ready, sealed int64 // 0: none
		named         string
	}{{0, 0, ""}, {99, 0, "largest has 99"}, {0, 99, "largest has 99"}, {98, 99, "largest has 99"}, {100, 0, ""},
		{99, 100, ""}, {101, 0, ""}} {
		log := Log{pool: &pool{}}
		if test.ready > 0 {
			log.pool.ready = &segment{size: test.ready}
		}
		if test.sealed > 0 {
			log.sealed = []segment{{size: test.sealed}}
		}
		err := log.errNoRoom(100, faultfs.ErrDiskFull)
		if !errors.Is(err, ErrNoRoom) || !errors.Is(err, daybook.ErrNoSpace) || !errors.Is(err, faultfs.ErrDiskFull) {
			t.Errorf("%+v: got %v; want ErrNoRoom, and the cause", test, err)
		}
		text := err.Error()
		if !strings.Contains(text, test.named) || test.named == "" && strings.Contains(text, "largest") {
			t.Errorf("%+v: got %v", test, err)
		}
	}
}

// TestReleaseWithFailingSession: segments stay in use if the session could not be synced, which may
// name them after a power cut.
func TestReleaseWithFailingSession(t *testing.T) {
	session, opts := &failingSession{}, testOptions()
	opts.Session = session
	log, err := mustScan(t, newMemDisk(), 0).Open(0, opts)
	if err != nil {
		t.Fatal(err)
	}
	log.pool.stop()
	for i := range 3 {
		mustAppend(t, log, numbered(i, 1500, 1))
	}
	sealed := len(log.sealed)
	if sealed == 0 {
		t.Fatal("no segment is full")
	}
	session.syncFails = true
	log.Release(3)
	if len(log.sealed) != sealed || !errors.Is(log.Failure(), daybook.ErrFailed) {
		t.Errorf("there are %d sealed segments, and the log's failure is %v; want %d, and ErrFailed", len(log.sealed),
			log.Failure(), sealed)
	}
	_ = log.Close(false)
}

// TestReadUsed reads the headers of files of which one is in use under its number.
func TestReadUsed(t *testing.T) {
	opts := testOptions()
	header := segmentHeader{number: 7, firstSequence: 3, version: originVersion, origin: opts.Origin}
	encoded, prepared := header.append(nil), segmentHeader{number: 7}.append(nil)
	for _, test := range []struct {
		name    string
		content []byte
		number  uint64
		want    bool
	}{
		{"its number", encoded, 7, true},
		{"another number", encoded, 8, false},
		{"no bytes", nil, 7, false},
		{"a part of a header", encoded[:segmentHeaderLen-1], 7, false},
		{"its number, but prepared", prepared, 7, false},
		{"zeros", make([]byte, segmentHeaderLen), 0, false},
	} {
		path := filepath.Join(t.TempDir(), "segment")
		if err := os.WriteFile(path, test.content, 0o600); err != nil {
			t.Fatal(err)
		}
		file, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		got, err := readUsed(file, test.number)
		if (err == nil) != test.want || test.want && got.number != test.number {
			t.Errorf("%s: got number %d, %v; want one that is in use: %v", test.name, got.number, err, test.want)
		}
		if err := file.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestKeepReleased releases segments up to the size that is kept, and one more.
func TestKeepReleased(t *testing.T) {
	d, opts := newMemDisk(), testOptions()
	opts.KeepReleased = 20
	p := pool{dir: crashDir, fs: newFiles(d), opts: opts}
	for i, want := range []int{1, 2, 2} {
		path := filepath.Join(crashDir, nameOf(uint64(i+1)))
		file, err := p.fs.Create(path, 10)
		if err != nil {
			t.Fatal(err)
		}
		if err := file.Close(); err != nil {
			t.Fatal(err)
		}
		before := p.fs.size()
		p.release(segment{number: uint64(i + 1), path: path, size: 10})
		if len(p.released) != want || before != 10*int64(i+1) || p.fs.size() != 10*int64(want) {
			t.Errorf("segment %d: %d are kept, and the files have %d bytes after %d; want %d", i+1, len(p.released),
				p.fs.size(), before, want)
		}
	}
}
