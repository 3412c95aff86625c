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
	"github.com/daybook-db/daybook/proof/testenv"
)

// TestOpenLog damages the log of a store that is open. Queries must return all values, because they
// are in the head too. Check must find the damage. Close must post the values that the log has
// lost, so that they are there when the store is opened again.
func TestOpenLog(t *testing.T) {
	for name, damage := range map[string]func(segment *logSegment, frame logFrame, path string) error{
		"header bit": func(s *logSegment, _ logFrame, path string) error {
			return overwrite(path, 17, []byte{s.data[17] ^ 1})
		},
		"header of zeros": func(_ *logSegment, _ logFrame, path string) error {
			return overwrite(path, 0, make([]byte, segmentHeaderLen))
		},
		"frame header bit": func(s *logSegment, f logFrame, path string) error {
			return overwrite(path, f.offset+5, []byte{s.data[f.offset+5] ^ 4})
		},
		"payload bit": func(s *logSegment, f logFrame, path string) error {
			return overwrite(path, f.end-1, []byte{s.data[f.end-1] ^ 64})
		},
		"frame of zeros": func(_ *logSegment, f logFrame, path string) error {
			return overwrite(path, f.offset, make([]byte, f.end-f.offset))
		},
		"cut off at a frame": func(_ *logSegment, f logFrame, path string) error {
			return os.Truncate(path, f.offset)
		},
		"cut off within a frame": func(_ *logSegment, f logFrame, path string) error {
			return os.Truncate(path, f.end-1)
		},
		"cut off at the start": func(_ *logSegment, _ logFrame, path string) error {
			return os.Truncate(path, 0)
		},
	} {
		// The last frame cannot be taken for a torn tail, because this log has written it.
		for _, k := range []int{0, 5, openLogValues - 1} {
			t.Run(fmt.Sprintf("%s %d", name, k), func(t *testing.T) { testOpenLog(t, k, damage) })
		}
	}
}

const openLogValues = 12

// testOpenLog stores values, and damages the k-th frame of the log.
func testOpenLog(t *testing.T, k int, damage func(*logSegment, logFrame, string) error) {
	t.Helper()
	dir, ctx := testenv.TempDir(t), context.Background()
	db, err := engine.Open(dir, storeOptions(false))
	if err != nil {
		t.Fatal(err)
	}
	var stored model
	put := func(at uint64) error {
		value := fmt.Sprintf(`{"at":%d}`, at)
		err := db.Store(ctx, "r", json.RawMessage(value), at)
		if err == nil {
			stored.Values = append(stored.Values, modelValue{"r", value, at, at})
			stored.LastSequence = at
		}
		return err
	}
	for at := uint64(1); at <= openLogValues; at++ {
		if err := put(at); err != nil {
			t.Fatal(err)
		}
	}
	var used *logSegment
	for _, s := range readLog(t, dir) {
		if len(s.frames) > 0 {
			used = s
		}
	}
	if used == nil || len(used.frames) != openLogValues {
		t.Fatalf("the last segment does not have the %d frames that were stored", openLogValues)
	}
	path := filepath.Join(dir, used.file)
	if err := damage(used, used.frames[k], path); err != nil {
		t.Fatal(err)
	}
	requireAll(t, "after the damage", db, stored)
	if err := db.Check(ctx); !errors.Is(err, daybook.ErrCorrupt) {
		t.Errorf("Check: got %v; want ErrCorrupt", err)
	} else if !strings.Contains(err.Error(), path) || !offsetPattern.MatchString(err.Error()) {
		t.Errorf("Check: got %v; want an error that names %s and an offset", err, path)
	}
	err = put(openLogValues + 1)
	if err != nil && !errors.Is(err, daybook.ErrCorrupt) && !errors.Is(err, daybook.ErrFailed) {
		t.Errorf("Store: got %v; want nil, ErrCorrupt or ErrFailed", err)
	}
	requireAll(t, "after the damage and a store", db, stored)
	if err := db.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
	if db, err = engine.Open(dir, storeOptions(false)); err != nil {
		t.Fatalf("Open: %v", err)
	}
	requireAll(t, "opened again", db, stored)
	if err := errors.Join(db.Check(ctx), db.Close()); err != nil {
		t.Error(err)
	}
}

func overwrite(path string, offset int64, data []byte) error {
	file, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = file.WriteAt(data, offset)
	return errors.Join(err, file.Close())
}

// requireAll requires that a query returns all values of the model.
func requireAll(t *testing.T, stage string, db *engine.DB, m model) {
	t.Helper()
	want := newOracle(m, m.LastSequence).answer(question{"*", daybook.QueryParams{}})
	got, err := db.Query(context.Background(), "*", daybook.QueryParams{})
	if diff := difference(got, want, true); err != nil || diff != "" {
		t.Errorf("%s: Query: %s (error: %v)", stage, diff, err)
	}
}
