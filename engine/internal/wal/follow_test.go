// SPDX-License-Identifier: Apache-2.0

package wal

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/daybook-db/daybook/engine/internal/disk"
	"github.com/daybook-db/daybook/engine/internal/disk/faultfs"
)

// followed is a log of frames of one value each, and who follows it.
type followed struct {
	*Log
	t        *testing.T
	fsys     *faultfs.FS
	follower *Follower
}

func newFollowed(t *testing.T, opts Options) *followed {
	dir, fsys := filepath.Join(t.TempDir(), "wal"), faultfs.New(disk.OS{})
	recovery, err := Scan(dir, fsys, 0)
	if err != nil {
		t.Fatal(err)
	}
	log, err := recovery.Open(0, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { mustClose(t, log) })
	return &followed{log, t, fsys, NewFollower(dir, 0)}
}

// append returns what is to be read of it: each payload, or how it begins, behind its sequence
// number.
func (f *followed) append(payloads ...string) (want []string) {
	f.t.Helper()
	for _, payload := range payloads {
		sequence := mustAppend(f.t, f.Log, Frame{Payload: []byte(payload), Values: 1})
		want = append(want, fmt.Sprintf("%d %.60s", sequence, payload))
	}
	return want
}

func (f *followed) read(want ...string) {
	f.t.Helper()
	var got []string
	err := f.follower.Read(func(first, missed uint64, payload []byte, values int) bool {
		got = append(got, fmt.Sprintf("%d %.60s", first, payload))
		if missed > 0 || values != 1 {
			f.t.Errorf("%d values at %d, and %d missed", values, first, missed)
		}
		return true
	})
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		f.t.Errorf("%v (-want +got):\n%s", err, diff)
	}
}

// undo has a write fail whose frames are whole by then, and are read before they are erased.
func (f *followed) undo(payloads ...string) {
	f.t.Helper()
	var frames []Frame
	var want []string
	for i, payload := range payloads {
		frames = append(frames, Frame{Payload: []byte(payload), Values: 1})
		want = append(want, fmt.Sprintf("%d %s", f.next+uint64(i), payload))
	}
	writes, segment := 0, f.active.path
	f.fsys.SetHook(func(op faultfs.Op) error {
		if op.Name != faultfs.Write || op.Path != segment { // another one is being made ready
			return nil
		}
		if writes++; writes == 1 {
			return &faultfs.PartialError{Written: len(op.Data), Err: faultfs.ErrInjected}
		}
		f.read(want...) // before this write erases them
		return nil
	})
	defer f.fsys.SetHook(nil)
	if _, err := f.Append(frames); !errors.Is(err, faultfs.ErrInjected) || writes != 2 {
		f.t.Fatalf("Append: %v, after %d writes; want the injected error, after 2", err, writes)
	}
}

// TestFollowUndone: what is written in the place of frames that were read and then undone, and
// behind it, must be read too.
func TestFollowUndone(t *testing.T) {
	two, many, large := []string{"undone 1", "undone 2"}, []string(nil), strings.Repeat("large ", 11<<10)
	for i := range 1500 {
		many = append(many, fmt.Sprint("undone ", i))
	}
	for _, test := range []struct {
		name     string
		undone   []string
		instead  []string // what is written in their place
		same     int      // how many of those are what had been read there
		readMore bool     // between the failure and that
		released bool     // the segment of the undone ones, before what is instead of them is read
	}{
		{name: "nothing yet", undone: two, readMore: true},
		{name: "shorter ones", undone: two, instead: []string{"a", "b", "c"}, readMore: true},
		{name: "a longer one", undone: two, instead: []string{"a value that is longer than what had been there before"}},
		{name: "of the same length", undone: two, instead: []string{"instead1", "instead2"}},
		{name: "the first of the same length", undone: two, instead: []string{"instead1", "b"}},
		{name: "the first of them again", undone: two, instead: []string{"undone 1", "instead2"}, same: 1},
		{name: "the last of them again", undone: two, instead: []string{"instead1", "undone 2"}},
		{name: "of many", undone: many, instead: []string{"instead"}},
		{name: "in the next segment", undone: two, instead: []string{large, "b"}},
		{name: "in the next segment, theirs being gone", undone: two, instead: []string{large, "b"}, released: true},
	} {
		t.Run(test.name, func(t *testing.T) {
			opts := testOptions()
			opts.FirstSegmentSize, opts.SegmentSize = 64<<10, 64<<10 // for many; too much to be kept when released
			log := newFollowed(t, opts)
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
				t.Errorf("%d frames are remembered behind those that are durable; want 1", n)
			}
		})
	}
}

// TestFollowUsedAgain has a segment be released and used again, which is no undone write, while a
// follower is about to read it: its file has been opened, and its header been read.
func TestFollowUsedAgain(t *testing.T) {
	log := newFollowed(t, testOptions())
	log.read(log.append("a", "b", "c")...)
	file, err := os.Open(log.active.path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	for log.active.firstSequence < 200 { // small segments are used again and again
		log.append(strings.Repeat("other", 60))
		log.Release(log.next - 1)
	}
	var first, missed uint64
	told := func(sequence, before uint64, _ []byte, _ int) bool {
		if first == 0 {
			first, missed = sequence, before
		}
		return true
	}
	if released, more, err := log.follower.readFrames(file, told); !released || !more || err != nil {
		t.Errorf("of the segment that was used again: %t, %t, %v; want true, true, nil", released, more, err)
	}
	if err := log.follower.Read(told); err != nil || missed == 0 || 3+missed+1 != first {
		t.Errorf("%d missed behind 3, and then %d; %v", missed, first, err)
	}
}

// TestFollowRemembers: frames are remembered that can still be undone, and no more of them than
// must be.
func TestFollowRemembers(t *testing.T) {
	const small = frameHeaderLen + 1
	for _, test := range []struct {
		name    string
		frames  int
		length  int   // of their payloads
		durable int64 // offset in bytes behind the first frame, when the last one was written
		want    int   // frames remembered
		reason  string
	}{
		{"one", 1, 1, 0, 1, "it may be undone"},
		{"small ones", 400_000, 1, 0, 400_000, "one write may have written all: headers do not count"},
		{"large ones", 10, 1 << 20, 0, 5, "5 with the last one, behind 4 MiB that one write may have begun with"},
		{"the largest", 2, MaxGrouped + 1, 0, 1, "no other is written with it"},
		{"all but one durable", 10, 1, 9 * small, 1, "every write is synced"},
		{"some durable", 10, 1, 7 * small, 3, "what is at the offset, and behind it, is not durable"},
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
