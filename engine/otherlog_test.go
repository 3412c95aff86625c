// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/proof/testenv"
)

// TestLogOfACopyThatWentOn copies a closed directory. One of the two stores a little and is closed,
// the other stores more and is killed. Then the log of the latter stands beside the tree of the
// former. The numbers fit, and one of the epochs is the parent of the other.
func TestLogOfACopyThatWentOn(t *testing.T) {
	for name, copyIsKilled := range map[string]bool{"log of the original": false, "log of the copy": true} {
		t.Run(name, func(t *testing.T) {
			parent := testenv.TempDir(t)
			closed, killed := filepath.Join(parent, "closed"), filepath.Join(parent, "killed")
			original, copied := killed, closed
			if copyIsKilled {
				original, copied = closed, killed
			}
			db := mustOpen(t, original, nil)
			storeNumbered(t, db, 1, 10)
			mustClose(t, db)
			if err := os.CopyFS(copied, os.DirFS(original)); err != nil {
				t.Fatal(err)
			}
			db = mustOpen(t, closed, nil)
			storeNumbered(t, db, 11, 15)
			want := storedOrder(t, db)
			mustClose(t, db)
			db = mustOpen(t, killed, nil)
			storeNumbered(t, db, 1011, 1030)
			if err := db.abandon(); err != nil {
				t.Fatal(err)
			}

			log, theirs := filepath.Join(closed, logName), filepath.Join(killed, logName)
			if err := errors.Join(os.RemoveAll(log), os.CopyFS(log, os.DirFS(theirs))); err != nil {
				t.Fatal(err)
			}
			_, err := Open(closed, nil)
			if !errors.Is(err, daybook.ErrCorrupt) || !strings.Contains(err.Error(), "two copies") {
				t.Errorf("got %v; want ErrCorrupt, because they are two copies", err)
			}
			db = mustOpen(t, closed, &Options{OnCorruption: OnCorruptionQuarantine, Logger: discard})
			if diff := cmp.Diff(want, storedOrder(t, db)); diff != "" {
				t.Errorf("with Quarantine (-want +got):\n%s", diff)
			}
		})
	}
}

// TestLogMovedAway moves the log away, whose process was killed. A reader knows the values in it,
// so their numbers must be given in another epoch, also if the next Open crashes at once.
func TestLogMovedAway(t *testing.T) {
	for _, crashes := range []int{0, 1} {
		dir := filepath.Join(testenv.TempDir(t), "daybook")
		db := mustOpen(t, dir, nil)
		storeNumbered(t, db, 1, 10)
		if err := db.Checkpoint(ctx); err != nil {
			t.Fatal(err)
		}
		storeNumbered(t, db, 11, 20)
		seen := db.cursorAt(20)
		if err := db.abandon(); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(filepath.Join(dir, logName), dir+" away"); err != nil {
			t.Fatal(err)
		}
		for range crashes {
			db = mustOpen(t, dir, nil)
			if err := errors.Join(db.abandon(), os.RemoveAll(filepath.Join(dir, logName)),
				os.Mkdir(filepath.Join(dir, logName), 0o700)); err != nil { // a power cut loses the segments
				t.Fatal(err)
			}
		}
		db = mustOpen(t, dir, nil)
		storeNumbered(t, db, 1011, 1030)
		var fork *daybook.ForkedError
		if _, err := db.resolve(seen); !errors.As(err, &fork) || fork.Common.Sequence != 10 {
			t.Errorf("after %d crashes: got %v; want the fork after 10", crashes, err)
		}
	}
}
