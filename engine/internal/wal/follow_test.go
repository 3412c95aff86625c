// SPDX-License-Identifier: Apache-2.0

package wal

import (
	"errors"
	"fmt"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/daybook-db/daybook/engine/internal/disk"
	"github.com/daybook-db/daybook/engine/internal/disk/faultfs"
)

// TestFollowUndone has a write fail whose frames are whole by then, and are read before they are erased. What is written in
// their place, and behind it, must be read too.
func TestFollowUndone(t *testing.T) {
	for _, test := range []struct {
		name     string
		instead  []string // what is written in the place of "undone 1" and "undone 2"
		readMore bool     // between the failure and that
	}{
		{"nothing yet", nil, true},
		{"shorter ones", []string{"a", "b", "c"}, true},
		{"a longer one", []string{"a value that is longer than what had been there before"}, false},
		{"of the same length", []string{"instead1", "instead2"}, false},
		{"the first of the same length", []string{"instead1", "b"}, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "wal")
			fsys := faultfs.New(disk.OS{})
			recovery, err := Scan(dir, fsys, 0)
			if err != nil {
				t.Fatal(err)
			}
			log, err := recovery.Open(0, testOptions())
			if err != nil {
				t.Fatal(err)
			}
			defer mustClose(t, log)
			follower := NewFollower(dir, 0)
			read := func(want ...string) {
				t.Helper()
				var got []string
				err := follower.Read(func(first, missed uint64, payload []byte, values int) bool {
					got = append(got, fmt.Sprintf("%d %s", first, payload))
					if missed > 0 || values != 1 {
						t.Errorf("%d values at %d, and %d missed", values, first, missed)
					}
					return true
				})
				if diff := cmp.Diff(want, got); diff != "" || err != nil {
					t.Errorf("%v (-want +got):\n%s", err, diff)
				}
			}
			mustAppend(t, log, Frame{Payload: []byte("kept"), Values: 1})
			read("1 kept")
			writes, segment := 0, filepath.Join(dir, nameOf(log.active.number))
			fsys.SetHook(func(op faultfs.Op) error {
				if op.Name != faultfs.Write || op.Path != segment { // another one is being made ready
					return nil
				}
				if writes++; writes == 1 {
					return &faultfs.PartialError{Written: len(op.Data), Err: faultfs.ErrInjected}
				}
				read("2 undone 1", "3 undone 2") // before this write erases them
				return nil
			})
			if _, err := log.Append([]Frame{{[]byte("undone 1"), 1}, {[]byte("undone 2"), 1}}); !errors.Is(err, faultfs.ErrInjected) || writes != 2 {
				t.Fatalf("Append: %v, after %d writes; want the injected error, after 2", err, writes)
			}
			fsys.SetHook(nil)
			if test.readMore {
				read()
			}
			var want []string
			for i, payload := range test.instead {
				mustAppend(t, log, Frame{Payload: []byte(payload), Values: 1})
				want = append(want, fmt.Sprintf("%d %s", i+2, payload))
			}
			read(want...)
			mustAppend(t, log, Frame{Payload: []byte("next"), Values: 1})
			read(fmt.Sprintf("%d next", len(want)+2))
		})
	}
}
