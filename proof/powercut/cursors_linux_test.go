// SPDX-License-Identifier: Apache-2.0

//go:build amd64 || arm64

package powercut

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"os"
	"path/filepath"
	"sync/atomic"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/engine"
	"github.com/daybook-db/daybook/proof/history"
)

// ledger has the cursor of each value that a consumer read in a workload: what a program beside the
// daybook, on another machine, still knows after a power cut.
type ledger map[daybook.Cursor]history.Ref

// The states in which a consumer's last value was a place in the history, and those in which it was
// not.
var statesGoingOn, statesForked atomic.Int64

// consume reads what was stored after the last call.
func (w *workload) consume() {
	for change, err := range w.db.Changes(context.Background(), daybook.ChangesParams{After: w.consumed}) {
		if err != nil {
			w.t.Errorf("Changes after %v: %v", w.consumed, err)
			return
		}
		if ref, ok := history.RefOf(change.Value); ok && !change.IsPlace() {
			w.ledger[change.Cursor] = ref
		}
		w.consumed = change.Cursor
	}
}

// judge returns an error if a cursor that the consumer had before the power cut means another value
// now, or if its last cursor is a place in a history that does not have the value.
func (l ledger) judge(db *engine.DB, known *history.History) error {
	visible, deleted := make(map[history.Ref]bool), false
	for change, err := range db.Changes(context.Background(), daybook.ChangesParams{}) {
		if err != nil {
			return err
		}
		if change.IsPlace() {
			continue
		}
		ref, _ := history.RefOf(change.Value)
		if before, ok := l[change.Cursor]; ok && before != ref && l.wasRead(before, known) {
			return fmt.Errorf("cursor %v was value %+v, and is %.60s now", change.Cursor, before, change.Value)
		}
		visible[ref] = true
	}
	var last daybook.Cursor
	for cursor, ref := range l {
		if cursor.Sequence > last.Sequence && l.wasRead(ref, known) {
			last = cursor
		}
	}
	for i, action := range known.Actions {
		deleted = deleted || action.Kind == history.Delete && known.Times[i].Began != history.Never
	}
	return judgePlace(db, last, visible[l[last]] || deleted)
}

// wasRead reports whether a value had been acknowledged before the power cut. Only then had the
// consumer read it.
func (l ledger) wasRead(ref history.Ref, known *history.History) bool {
	return ref.Action < len(known.Times) && known.Times[ref.Action].Done != history.Never
}

// forgetPlaces makes the trees in a directory forget where they were. On the disk of the workload
// they were other files, so the engine would take each state for a copy, and begin a new epoch for
// that reason alone. The place is a key and a value of the tree's meta bucket: see go doc
// ./engine/internal/tree.
func forgetPlaces(dir string) error {
	return filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || filepath.Ext(path) != ".db" {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		key, changed := []byte("place"), false
		for at := 0; ; {
			next := bytes.Index(data[at:], key)
			if at += next + len(key); next < 0 || at+36 > len(data) {
				break
			}
			place := data[at : at+36] // file, when it was made, file system, machine, and the checksum
			if crc32.Checksum(place[:32], castagnoli) == binary.BigEndian.Uint32(place[32:]) {
				clear(place[:24])
				binary.BigEndian.PutUint32(place[32:], crc32.Checksum(place[:32], castagnoli))
				changed = true
			}
		}
		if !changed {
			return nil
		}
		return os.WriteFile(path, data, 0o600)
	})
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// judgePlace goes on after a cursor. mayBeThere says that its value is visible, or may be deleted.
func judgePlace(db *engine.DB, cursor daybook.Cursor, mayBeThere bool) error {
	if cursor.IsZero() {
		return nil
	}
	for _, err := range db.Changes(context.Background(), daybook.ChangesParams{After: cursor}) {
		switch {
		case errors.Is(err, daybook.ErrForked):
			statesForked.Add(1)
			return nil
		case err != nil:
			return err
		case !mayBeThere:
			return fmt.Errorf("the consumer goes on after %v, whose value is lost", cursor)
		}
		break
	}
	statesGoingOn.Add(1)
	return nil
}
