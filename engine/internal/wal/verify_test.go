// SPDX-License-Identifier: Apache-2.0

package wal

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/engine/internal/disk/faultfs"
)

// TestMovedDirectoryFailsTheLog lets the directory be moved at a moment, and then does one call.
// The calls that must verify the directory fail the log. A Sync that follows another within a
// second need not, so that commits cost no more.
func TestMovedDirectoryFailsTheLog(t *testing.T) {
	appendSmall := func(log *Log) error { _, err := log.Append([]Frame{numbered(1, 10, 1)}); return err }
	appendLarge := func(log *Log) error { _, err := log.Append([]Frame{numbered(1, 4<<10, 1)}); return err }
	commit := func(log *Log) error { return errors.Join(appendSmall(log), log.Sync()) }
	for _, test := range []struct {
		name   string
		after  time.Duration // since the directory was verified
		do     func(*Log) error
		want   error
		reason string // why the row is here
	}{
		{"a frame", time.Hour, appendSmall, nil, "the Sync that acknowledges it verifies the directory"},
		{"a commit at once", 0, commit, nil, "the directory was verified less than a second ago"},
		{"a commit before a second", time.Second - 1, commit, nil, "the same"},
		{"a commit after a second", time.Second, commit, daybook.ErrFailed, "it would be acknowledged into nothing"},
		{"a new segment at once", 0, appendLarge, daybook.ErrFailed, "its file would be made in another place"},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				fsys := faultfs.New(newMemDisk())
				log := mustOpen(t, fsys, 0, 0)
				defer mustClose(t, log)
				mustAppend(t, log, numbered(0, 10, 1))
				mustSync(t, log)
				time.Sleep(test.after)
				moved := errors.New("the directory was moved")
				fsys.SetHook(func(op faultfs.Op) error {
					if op.Name == faultfs.Verify {
						return moved
					}
					return nil
				})
				err := test.do(log)
				if !errors.Is(err, test.want) || test.want != nil && !errors.Is(err, moved) {
					t.Errorf("got %v; want %v (%s)", err, test.want, test.reason)
				}
				if failure := log.Failure(); (failure != nil) != (test.want != nil) {
					t.Errorf("Failure: %v; want one: %t", failure, test.want != nil)
				}
				if test.want != nil && !errors.Is(commit(log), daybook.ErrFailed) {
					t.Error("the next commit does not return ErrFailed")
				}
			})
		})
	}
}

// TestReplacedTreeFailsTheLog replaces the tree beside the log. The log must fail before the next
// segment, because the next Open would find another tree.
func TestReplacedTreeFailsTheLog(t *testing.T) {
	fsys, opts := faultfs.New(newMemDisk()), testOptions()
	var replaced error
	asked, syncs := 0, 0
	opts.VerifyTree = func() error { asked++; return replaced }
	opts.OnSync = func(took time.Duration) {
		if syncs++; took < 0 {
			t.Errorf("a sync took %v", took)
		}
	}
	log, err := mustScan(t, fsys, 0).Open(0, opts)
	if err != nil {
		t.Fatal(err)
	}
	defer mustClose(t, log)
	for n := range 3 {
		mustAppend(t, log, numbered(n, 10, 1))
		mustSync(t, log)
		mustSync(t, log) // there is nothing to sync
	}
	if asked == 0 || syncs != 3 {
		t.Errorf("the tree was verified %d times, and %d syncs were reported; want some, and 3", asked, syncs)
	}
	replaced = errors.New("the tree was replaced")
	_, err = log.Append([]Frame{numbered(3, 4<<10, 1)})
	if !errors.Is(err, daybook.ErrFailed) || !errors.Is(err, replaced) {
		t.Errorf("got %v; want ErrFailed, and the cause", err)
	}
}

// TestFullSegment appends frames that leave no byte of a segment free, or one too few for a seal.
func TestFullSegment(t *testing.T) {
	for over := range 2 {
		d := newMemDisk()
		log := mustOpen(t, d, 0, 0)
		first := numbered(0, 100, 1)
		mustAppend(t, log, first)
		active := log.active
		second := numbered(1, int(active.size-active.end)-2*frameHeaderLen+over, 1)
		mustAppend(t, log, second)
		if same := log.active == active; same != (over == 0) {
			t.Errorf("%d bytes too many for the segment: the frame is in it: %v", over, same)
		}
		third := numbered(2, 10, 1)
		mustAppend(t, log, third)
		mustClose(t, log)
		checkFrames(t, d, 0, placed(1, first, second, third))
	}
}
