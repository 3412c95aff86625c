// SPDX-License-Identifier: Apache-2.0

package wal

import (
	"path/filepath"
	"runtime/debug"
	"strings"
	"testing"

	"github.com/daybook-db/daybook/engine/internal/disk"
	"github.com/daybook-db/daybook/proof/testenv"
)

// TestFollowLeavesNoHandle reads logs again and again, as a reader does for days, and counts the
// handles that are open before and after.
func TestFollowLeavesNoHandle(t *testing.T) {
	defer debug.SetGCPercent(debug.SetGCPercent(-1)) // the garbage collector would close what was forgotten
	log := newFollowedLog(t, testOptions())
	parent := filepath.Dir(log.dir)
	testenv.Symlink(t, filepath.Join(parent, "none", "wal"), filepath.Join(parent, "unmounted"))
	lost := NewFollower(disk.OS{}, parent, "unmounted", 0)
	log.append("a", strings.Repeat("b", 2000), strings.Repeat("c", 4000))
	log.pool.background.Wait()
	nothing := func(uint64, uint64, []byte, int) bool { return true }
	before := handles(t)
	for range 5 {
		if err := NewFollower(disk.OS{}, parent, "wal", 0).Read(nothing); err != nil {
			t.Fatal(err)
		}
		if err := lost.Read(nothing); err == nil {
			t.Error("a log on a disk that is not mounted: no error")
		}
	}
	if left := handles(t) - before; left != 0 {
		t.Errorf("reading leaves %d handles open", left)
	}
	for range 20 { // one in each segment
		log.append(strings.Repeat("d", 3000))
	}
	log.pool.background.Wait()
	if left := handles(t) - before; left != 0 {
		t.Errorf("full segments leave %d handles open", left)
	}
}

// TestOpenLeavesNoHandle opens a log that was not closed, and so has a last segment to seal.
func TestOpenLeavesNoHandle(t *testing.T) {
	defer debug.SetGCPercent(debug.SetGCPercent(-1)) // the garbage collector would close what was forgotten
	log := newFollowedLog(t, testOptions())
	log.append("a")
	log.pool.stop()
	fsys := openDirectory(t, filepath.Dir(log.dir))
	before := handles(t)
	recovery, err := Scan(log.dir, fsys, knownAt(0))
	if err != nil {
		t.Fatal(err)
	}
	opened, err := recovery.Open(0, testOptions())
	if err != nil {
		t.Fatal(err)
	}
	mustClose(t, opened)
	if left := handles(t) - before; left != 0 {
		t.Errorf("opening leaves %d handles open", left)
	}
}

func handles(t *testing.T) int { return len(testenv.OpenFiles(t, "")) }
