// SPDX-License-Identifier: Apache-2.0

package rot

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/engine"
)

// TestRotOpenLog damages the log of a store that is open. What is asked has the right answer, since it is in the head
// too; Check finds the damage; and Close posts what the log has lost, so that the store opens again with everything.
func TestRotOpenLog(t *testing.T) {
	for name, damage := range map[string]func(segment *rotSegment, frame rotFrame, path string) error{
		"header bit": func(s *rotSegment, _ rotFrame, path string) error {
			return rotOverwrite(path, 17, []byte{s.data[17] ^ 1})
		},
		"header of zeros": func(_ *rotSegment, _ rotFrame, path string) error {
			return rotOverwrite(path, 0, make([]byte, rotSegmentHeader))
		},
		"frame header bit": func(s *rotSegment, f rotFrame, path string) error {
			return rotOverwrite(path, f.offset+5, []byte{s.data[f.offset+5] ^ 4})
		},
		"payload bit": func(s *rotSegment, f rotFrame, path string) error {
			return rotOverwrite(path, f.end-1, []byte{s.data[f.end-1] ^ 64})
		},
		"frame of zeros": func(_ *rotSegment, f rotFrame, path string) error {
			return rotOverwrite(path, f.offset, make([]byte, f.end-f.offset))
		},
		"cut off at a frame":     func(_ *rotSegment, f rotFrame, path string) error { return os.Truncate(path, f.offset) },
		"cut off within a frame": func(_ *rotSegment, f rotFrame, path string) error { return os.Truncate(path, f.end-1) },
		"cut off at the start":   func(_ *rotSegment, _ rotFrame, path string) error { return os.Truncate(path, 0) },
	} {
		for _, k := range []int{0, 5, rotOpenValues - 1} { // the last is no torn tail: the log knows that it wrote it
			t.Run(fmt.Sprintf("%s %d", name, k), func(t *testing.T) { rotOpenLog(t, k, damage) })
		}
	}
}

const rotOpenValues = 12

func rotOpenLog(t *testing.T, k int, damage func(*rotSegment, rotFrame, string) error) {
	dir, ctx := t.TempDir(), context.Background()
	db, err := engine.Open(dir, rotOptions(false))
	if err != nil {
		t.Fatal(err)
	}
	var contents rotContents
	put := func(at uint64) error {
		value := fmt.Sprintf(`{"at":%d}`, at)
		err := db.Store(ctx, "r", json.RawMessage(value), at)
		if err == nil {
			contents.Values = append(contents.Values, rotValue{"r", value, at, at})
			contents.LastSequence = at
		}
		return err
	}
	for at := uint64(1); at <= rotOpenValues; at++ {
		if err := put(at); err != nil {
			t.Fatal(err)
		}
	}
	var used *rotSegment
	for _, s := range rotReadLog(t, dir) {
		if len(s.frames) > 0 {
			used = s
		}
	}
	if used == nil || len(used.frames) != rotOpenValues {
		t.Fatalf("the log has not the %d frames that were stored", rotOpenValues)
	}
	path := filepath.Join(dir, used.file)
	if err := damage(used, used.frames[k], path); err != nil {
		t.Fatal(err)
	}
	rotWantAll(t, "damaged", db, contents)
	if err := db.Check(ctx); !errors.Is(err, daybook.ErrCorrupt) {
		t.Errorf("Check: got %v; want ErrCorrupt", err)
	} else if !strings.Contains(err.Error(), path) || !rotOffset.MatchString(err.Error()) {
		t.Errorf("Check does not name %s and an offset: %v", path, err)
	}
	if err := put(rotOpenValues + 1); err != nil && !errors.Is(err, daybook.ErrCorrupt) && !errors.Is(err, daybook.ErrFailed) {
		t.Errorf("Store: %v", err)
	}
	rotWantAll(t, "damaged and stored to", db, contents)
	if err := db.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
	if db, err = engine.Open(dir, rotOptions(false)); err != nil {
		t.Fatalf("Open: %v", err)
	}
	rotWantAll(t, "opened again", db, contents)
	if err := errors.Join(db.Check(ctx), db.Close()); err != nil {
		t.Error(err)
	}
}

func rotOverwrite(path string, offset int64, data []byte) error {
	file, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = file.WriteAt(data, offset)
	return errors.Join(err, file.Close())
}

func rotWantAll(t *testing.T, stage string, db *engine.DB, contents rotContents) {
	t.Helper()
	want := newRotWanted(contents, contents.LastSequence).answer(rotQuestion{"*", daybook.QueryParams{}})
	got, err := db.Query(context.Background(), "*", daybook.QueryParams{})
	if difference := rotDiffer(got, want, true); err != nil || difference != "" {
		t.Errorf("%s: Query: %s (error: %v)", stage, difference, err)
	}
}
