// SPDX-License-Identifier: Apache-2.0

package wal

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/codec"
	"github.com/daybook-db/daybook/engine/internal/disk"
	"github.com/daybook-db/daybook/engine/internal/disk/faultfs"
	"github.com/daybook-db/daybook/engine/internal/identity"
	"github.com/daybook-db/daybook/proof/testenv"
)

// followedLog is a log whose frames have one value each, and a Follower of the log.
type followedLog struct {
	*Log
	t        *testing.T
	fsys     *faultfs.FS
	follower *Follower
}

func newFollowedLog(t *testing.T, opts Options) *followedLog {
	parent := t.TempDir()
	dir, fsys := filepath.Join(parent, "wal"), faultfs.New(openDirectory(t, parent))
	recovery, err := Scan(dir, fsys, knownAt(0))
	if err != nil {
		t.Fatal(err)
	}
	log, err := recovery.Open(0, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { mustClose(t, log) })
	return &followedLog{log, t, fsys, NewFollower(disk.OS{}, parent, "wal", 0)}
}

// append appends frames. For each it returns the text that read wants: the sequence number and the
// start of the payload.
func (f *followedLog) append(payloads ...string) (want []string) {
	f.t.Helper()
	for _, payload := range payloads {
		sequence := mustAppend(f.t, f.Log, Frame{Payload: []byte(payload), Values: 1})
		want = append(want, fmt.Sprintf("%d %.60s", sequence, payload))
	}
	return want
}

// read checks the frames that the follower reads.
func (f *followedLog) read(want ...string) {
	f.t.Helper()
	var got []string
	err := f.follower.Read(func(first, missed uint64, payload []byte, values int) bool {
		got = append(got, fmt.Sprintf("%d %.60s", first, payload))
		if missed > 0 || values != 1 {
			f.t.Errorf("%d values at %d, %d missed; want 1 value and none missed", values, first, missed)
		}
		return true
	})
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		f.t.Errorf("%v (-want +got):\n%s", err, diff)
	}
}

// undo makes a write fail after all its bytes have been written. The follower reads the frames
// before they are overwritten.
func (f *followedLog) undo(payloads ...string) {
	f.t.Helper()
	var frames []Frame
	var want []string
	for i, payload := range payloads {
		frames = append(frames, Frame{Payload: []byte(payload), Values: 1})
		want = append(want, fmt.Sprintf("%d %s", f.next+uint64(i), payload))
	}
	writes, segment := 0, f.active.path
	f.fsys.SetHook(func(op faultfs.Op) error {
		if op.Name != faultfs.Write || op.Path != segment { // another segment is being made
			return nil
		}
		if writes++; writes == 1 {
			return &faultfs.PartialError{Written: len(op.Data), Err: faultfs.ErrInjected}
		}
		f.read(want...) // before this write overwrites the frames
		return nil
	})
	defer f.fsys.SetHook(nil)
	if _, err := f.Append(frames); !errors.Is(err, faultfs.ErrInjected) || writes != 2 {
		f.t.Fatalf("Append: %v, after %d writes; want the injected error, after 2", err, writes)
	}
}

// TestFollowUndone has a follower read frames that are then undone. It must read the frames that
// are written in their place and after them.
func TestFollowUndone(t *testing.T) {
	two, many, large := []string{"undone 1", "undone 2"}, []string(nil), strings.Repeat("large ", 11<<10)
	for i := range 1500 {
		many = append(many, fmt.Sprint("undone ", i))
	}
	for _, test := range []struct {
		name     string
		undone   []string
		instead  []string // the payloads that are written in their place
		same     int      // number of those that are equal to the frames that were read there
		readMore bool     // the follower reads between the failed write and the next one
		released bool     // the segment of the undone frames is released before the follower reads
	}{
		{name: "no frame yet", undone: two, readMore: true},
		{name: "shorter frames", undone: two, instead: []string{"a", "b", "c"}, readMore: true},
		{name: "a longer frame", undone: two, instead: []string{"a value that is longer than the undone values"}},
		{name: "frames of the same length", undone: two, instead: []string{"instead1", "instead2"}},
		{name: "a first frame of the same length", undone: two, instead: []string{"instead1", "b"}},
		{name: "the first frame again", undone: two, instead: []string{"undone 1", "instead2"}, same: 1},
		{name: "the last frame again", undone: two, instead: []string{"instead1", "undone 2"}},
		{name: "in place of many", undone: many, instead: []string{"instead"}},
		{name: "in the next segment", undone: two, instead: []string{large, "b"}},
		{name: "in the next segment, after a release", undone: two, instead: []string{large, "b"}, released: true},
	} {
		t.Run(test.name, func(t *testing.T) {
			opts := testOptions()
			// Room for many; too large to be kept after a release.
			opts.FirstSegmentSize, opts.SegmentSize = 64<<10, 64<<10
			log := newFollowedLog(t, opts)
			log.read(log.append("kept")...)
			log.undo(test.undone...)
			if test.readMore {
				log.read()
			}
			want := log.append(test.instead...)
			if test.released {
				log.Release(1)
			}
			log.read(want[test.same:]...)
			log.read(log.append("next")...)
			mustSync(t, log.Log)
			log.read(log.append("last")...)
			if n := len(log.follower.seen); n != 1 {
				t.Errorf("%d frames are remembered after the durable ones; want 1", n)
			}
		})
	}
}

// TestFollowRecycled has a segment released and recycled after a follower has opened its file and
// read its header. The follower must not take that for undone frames.
func TestFollowRecycled(t *testing.T) {
	log := newFollowedLog(t, testOptions())
	log.read(log.append("a", "b", "c")...)
	file, err := log.fs.OpenFile(log.active.path, os.O_RDONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	for log.active.firstSequence < 200 { // small segments are recycled again and again
		log.append(strings.Repeat("other", 60))
		log.Release(log.next - 1)
	}
	var first, missed uint64
	onFrame := func(sequence, before uint64, _ []byte, _ int) bool {
		if first == 0 {
			first, missed = sequence, before
		}
		return true
	}
	if released := log.follower.readFrames(file, onFrame); !released {
		t.Error("readFrames of the recycled segment takes it for the one that it read")
	}
	if err := log.follower.Read(onFrame); err != nil || missed == 0 || 3+missed+1 != first {
		t.Errorf("%d values missed after value 3, and then value %d; %v", missed, first, err)
	}
}

// TestFollowReplaced checks that a follower reports another log only if it could read all segments:
// a segment that it cannot read may be the one that it looks for, which is just being recycled.
func TestFollowReplaced(t *testing.T) {
	const followed = 5
	header := func(number uint64) []byte {
		return append(segmentHeader{number: number, firstSequence: 1, size: 100}.append(nil), make([]byte, 100)...)
	}
	for _, test := range []struct {
		name   string
		files  map[uint64][]byte // number in the name -> contents; nil: cannot be opened
		want   bool              // Replaced
		reason string            // why the row is here
	}{
		{"only smaller numbers", map[uint64][]byte{1: header(1)}, true, "the log began again"},
		{"the same number", map[uint64][]byte{1: header(1), followed: header(followed)}, false, "the same log"},
		{"no segment", nil, false, "the log may have been emptied"},
		{"a prepared segment", map[uint64][]byte{1: header(1), 2: segmentHeader{number: 2}.append(nil)}, true,
			"it is the next segment of the other log"},
		{"a file that cannot be opened", map[uint64][]byte{1: header(1), followed: nil}, false,
			"it got another name after the directory was read"},
		{"the header of another number", map[uint64][]byte{1: header(1), followed: header(9)}, false,
			"it got another header after the directory was read"},
		{"half a header", map[uint64][]byte{1: header(1), followed: header(followed)[:20]}, false,
			"its header is being written"},
	} {
		t.Run(test.name, func(t *testing.T) {
			dir := t.TempDir()
			f := &Follower{fs: openDirectory(t, dir), dir: dir, number: followed}
			for number, data := range test.files {
				path := filepath.Join(f.dir, nameOf(number))
				if data == nil {
					err := os.Symlink(filepath.Join(f.dir, "gone"), path)
					if _, missing := os.Lstat(path); err != nil || missing != nil { // wine's call does nothing
						t.Skip("this system makes no symbolic links: ", errors.Join(err, missing))
					}
				} else if err := os.WriteFile(path, data, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			found, err := f.nextSegment()
			if f.Replaced != test.want || found != test.want || err != nil {
				t.Errorf("nextSegment: %t, %v, Replaced %t; want %t (%s)",
					found, err, f.Replaced, test.want, test.reason)
			}
		})
	}
}

// TestFollowOtherStore puts a segment of another store, or of a newer version, after the one that a
// follower reads.
func TestFollowOtherStore(t *testing.T) {
	const followed = 5
	ours, theirs := testIdentity.Origin(), identity.New().Origin()
	header := func(number uint64, origin identity.Origin) []byte {
		h := segmentHeader{number: number, firstSequence: 1, size: 100, origin: origin}
		return append(h.append(nil), make([]byte, 100)...)
	}
	newer := header(followed+1, ours)
	binary.LittleEndian.PutUint32(newer[8:], version+1)
	binary.LittleEndian.PutUint32(newer[40:], crc32.Checksum(newer[:40], codec.Castagnoli))
	for _, test := range []struct {
		name     string
		files    map[uint64][]byte
		number   uint64 // of the segment that is read next; 0: an error
		replaced bool
		err      error
	}{
		{"the next segment", map[uint64][]byte{5: header(5, ours), 6: header(6, ours)}, 6, false, nil},
		{"after a gap", map[uint64][]byte{8: header(8, ours), 9: header(9, ours)}, 8, false, nil},
		{"of another store", map[uint64][]byte{5: header(5, ours), 6: header(6, theirs)}, 0, false, daybook.ErrCorrupt},
		{"of another store, alone", map[uint64][]byte{6: header(6, theirs)}, 6, true, nil},
		{"of a newer version", map[uint64][]byte{5: header(5, ours), 6: newer}, 0, false, daybook.ErrVersion},
	} {
		dir := t.TempDir()
		f := &Follower{fs: openDirectory(t, dir), dir: dir, number: followed, offset: 9, store: ours.Store}
		if err := os.WriteFile(filepath.Join(dir, "!note"), nil, 0o600); err != nil { // it comes first
			t.Fatal(err)
		}
		for number, data := range test.files {
			if err := os.WriteFile(filepath.Join(dir, nameOf(number)), data, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		found, err := f.nextSegment()
		if !errors.Is(err, test.err) || found != (test.err == nil) || f.Replaced != test.replaced {
			t.Errorf("%s: got %v, %v, replaced %v; want %v, %v",
				test.name, found, err, f.Replaced, test.err, test.replaced)
		}
		if found && (f.number != test.number || f.offset != 0) {
			t.Errorf("%s: goes on at %d in segment %d; want segment %d", test.name, f.offset, f.number, test.number)
		}
		if errors.Is(err, daybook.ErrCorrupt) && (!isCorruptAt(err, filepath.Join(dir, nameOf(followed+1)), 0) ||
			!strings.Contains(err.Error(), fmt.Sprintf("%x", theirs.Store))) {
			t.Errorf("%s: got %v; want the segment and both stores", test.name, err)
		}
	}
}

// TestFollowNothing reads logs that cannot be read. What does not exist may come: it is no error.
func TestFollowNothing(t *testing.T) {
	parent := t.TempDir()
	for _, dir := range []string{"empty", "bad/wal"} {
		if err := os.MkdirAll(filepath.Join(parent, filepath.FromSlash(dir)), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	for _, file := range []string{"file", "empty/file"} {
		if err := os.WriteFile(filepath.Join(parent, filepath.FromSlash(file)), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	segment := segmentHeader{number: 1, firstSequence: 1, size: segmentHeaderLen}.append(nil)
	binary.LittleEndian.PutUint32(segment[8:], version+1)
	binary.LittleEndian.PutUint32(segment[40:], crc32.Checksum(segment[:40], codec.Castagnoli))
	if err := os.WriteFile(filepath.Join(parent, "bad", "wal", nameOf(1)), segment, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name, parent, log string
		ok                bool
	}{
		{"no directory", "none", "wal", true},
		{"no log", "empty", "wal", true},
		{"a file in place of the directory", "file", "wal", false},
		{"a file in place of the log", "empty", "file", runtime.GOOS == "windows"}, // there it is no directory
		{"a log of a newer version", "bad", "wal", false},
	} {
		err := NewFollower(disk.OS{}, filepath.Join(parent, test.parent), test.log, 0).Read(
			func(uint64, uint64, []byte, int) bool { t.Errorf("%s has a frame", test.name); return false })
		if test.ok != (err == nil) {
			t.Errorf("%s: got %v; want an error: %v", test.name, err, !test.ok)
		}
	}
	f := NewFollower(disk.OS{}, filepath.Join(parent, "bad"), "wal", 0)
	f.number = 1
	if err := f.Read(func(uint64, uint64, []byte, int) bool { return true }); !errors.Is(err, daybook.ErrVersion) {
		t.Errorf("the segment that is read has a newer version: got %v; want ErrVersion", err)
	}
}

// TestFollowIdentity has a follower read an old segment without an identity, and then one of the
// store. Another store's log in its place is another log.
func TestFollowIdentity(t *testing.T) {
	parent := t.TempDir()
	dir := filepath.Join(parent, "wal")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	w, theirs := write(t), identity.New().Origin()
	w.makeOld(0)
	save := func() {
		t.Helper()
		for path, file := range w.disk.cached {
			if err := os.WriteFile(filepath.Join(dir, filepath.Base(path)), file.cached, 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	save()
	f := NewFollower(disk.OS{}, parent, "wal", 0)
	frames := 0
	read := func() {
		t.Helper()
		if err := f.Read(func(uint64, uint64, []byte, int) bool { frames++; return true }); err != nil {
			t.Fatal(err)
		}
	}
	read()
	want := []identity.Origin{testIdentity.Origin()}
	if !cmp.Equal(want, f.Origins) || frames != len(w.frames) || f.Replaced {
		t.Errorf("read %d frames, of %v; want %d, of %v", frames, f.Origins, len(w.frames), want)
	}
	for number := range 3 {
		if err := os.Remove(filepath.Join(dir, nameOf(uint64(number+1)))); err != nil {
			t.Fatal(err)
		}
	}
	last := w.disk.cached[w.segments[2]].cached
	header, err := decodeSegmentHeader(last)
	if err != nil {
		t.Fatal(err)
	}
	header.number, header.origin = 4, theirs
	other := append(header.append(nil), last[segmentHeaderLen:]...)
	if err := os.WriteFile(filepath.Join(dir, nameOf(4)), other, 0o600); err != nil {
		t.Fatal(err)
	}
	read()
	if want := []identity.Origin{theirs}; !f.Replaced || !cmp.Equal(want, f.Origins) {
		t.Errorf("another log: replaced %v, of %v; want %v", f.Replaced, f.Origins, want)
	}
}

// TestFollowRefusesLoops reads a segment that cannot be opened. It is not taken for one that is
// gone.
func TestFollowRefusesLoops(t *testing.T) {
	parent := t.TempDir()
	dir := filepath.Join(parent, "wal")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	testenv.Symlink(t, nameOf(5), filepath.Join(dir, nameOf(5)))
	f := NewFollower(disk.OS{}, parent, "wal", 0)
	f.number = 5
	if err := f.Read(func(uint64, uint64, []byte, int) bool { return true }); err == nil {
		t.Error("a link that leads to itself: no error")
	}
}

// TestFollowRemembers checks that a follower remembers exactly the frames that can still be undone.
func TestFollowRemembers(t *testing.T) {
	const small = frameHeaderLen + 1
	for _, test := range []struct {
		name    string
		frames  int
		length  int    // of the payloads
		durable int64  // durable bytes from the first frame on, when the last frame was written
		want    int    // number of frames remembered
		reason  string // why the row is here
	}{
		{"one", 1, 1, 0, 1, "the frame may be undone"},
		{"small frames", 400_000, 1, 0, 400_000, "one write may have written all of them: headers do not count"},
		{"large frames", 10, 1 << 20, 0, 5, "one write may have written 4 MiB and the last frame"},
		{"many frames", 50_000, 100, 0, MaxGrouped/100 + 1, "4 MiB, without the headers, and the last frame"},
		{"the largest", 2, MaxGrouped + 1, 0, 1, "no other frame is of the same write"},
		{"all durable except one", 10, 1, 9 * small, 1, "every write is synced"},
		{"some durable", 10, 1, 7 * small, 3, "frames from the durable offset on are not durable"},
	} {
		t.Run(test.name, func(t *testing.T) {
			var f Follower
			for i := range test.frames {
				durable := int64(0)
				if i == test.frames-1 {
					durable = segmentHeaderLen + test.durable
				}
				f.remember(seenFrame{offset: segmentHeaderLen + int64(i*(frameHeaderLen+test.length))}, durable)
			}
			if len(f.seen) != test.want {
				t.Errorf("%d frames are remembered; want %d: %s", len(f.seen), test.want, test.reason)
			}
		})
	}
}

// TestFollowNumberUsedAgain reads a part of a segment. Then the log is emptied, and another segment
// gets the same number, as earlier versions could do after a crash. Its frames must be read from
// the first on, with their own sequence numbers, wherever they are in the file.
func TestFollowNumberUsedAgain(t *testing.T) {
	for _, first := range []uint64{2, 3, 9} {
		parent := t.TempDir()
		dir, follower := filepath.Join(parent, "wal"), NewFollower(disk.OS{}, parent, "wal", 0)
		open := func(watermark uint64) *followedLog {
			fsys := faultfs.New(openDirectory(t, parent))
			recovery, err := Scan(dir, fsys, knownAt(watermark))
			if err != nil {
				t.Fatal(err)
			}
			log, err := recovery.Open(0, testOptions())
			if err != nil {
				t.Fatal(err)
			}
			return &followedLog{log, t, fsys, follower}
		}
		before := open(0)
		before.read(before.append("one", "two")...)
		if err := before.Close(true); err != nil {
			t.Fatal(err)
		}
		after := open(first - 1)
		if after.pool.nextNumber != 1 {
			t.Fatalf("the next segment has the number %d; want 1 again", after.pool.nextNumber)
		}
		want := after.append("ONE", "TWO", "THREE")
		follower.Skip(first - 1)
		after.read(want...)
		mustClose(t, after.Log)
	}
}

// TestFollowBesideEarlierSegments removes the segment that was read last, and leaves the one before
// it, as a log does whose released segments are more than it keeps. That is no other log.
func TestFollowBesideEarlierSegments(t *testing.T) {
	parent := t.TempDir()
	dir, follower := filepath.Join(parent, "wal"), NewFollower(disk.OS{}, parent, "wal", 0)
	open := func(watermark, notBefore uint64) *followedLog {
		fsys := faultfs.New(openDirectory(t, parent))
		recovery, err := Scan(dir, fsys, knownAt(watermark))
		if err != nil {
			t.Fatal(err)
		}
		log, err := recovery.Open(notBefore, testOptions())
		if err != nil {
			t.Fatal(err)
		}
		return &followedLog{log, t, fsys, follower}
	}
	before := open(0, 0)
	want := before.append("one", strings.Repeat("x", 1500), strings.Repeat("y", 1500))
	before.read(want...)
	last := before.active.number
	mustClose(t, before.Log)
	for number := uint64(2); number <= last+1; number++ {
		if err := os.Remove(filepath.Join(dir, nameOf(number))); err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Fatal(err)
		}
	}
	before.read()
	if follower.Replaced || last < 2 {
		t.Errorf("after segment %d of %d: the log counts as another one", follower.number, last)
	}
	after := open(3, last)
	after.read(after.append("four")...)
	mustClose(t, after.Log)
}
