// SPDX-License-Identifier: Apache-2.0

package consumers

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"slices"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/engine"
)

var ctx = context.Background()

// numbered is what a store gave a number to.
type numbered struct {
	id      uint64 // of the value; 0: no value has this number
	record  string
	deleted bool
}

// store is a directory with its model.
type store struct {
	dir     string
	db      *engine.DB
	history []numbered // by number minus 1

	synced        image      // what a power cut leaves
	syncedHistory []numbered // the history then

	backup        []byte
	backupHistory []numbered
}

func (s *store) open(onCorruption engine.OnCorruption) (err error) {
	s.db, err = engine.Open(s.dir, &engine.Options{Durability: engine.DurabilityOS, OnCorruption: onCorruption,
		Tuning: engine.Tuning{ChunkValues: 8}, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return fmt.Errorf("Open: %w", err)
	}
	return s.noteSync()
}

// noteSync puts everything on stable storage, and notes that.
func (s *store) noteSync() (err error) {
	if err := s.db.Sync(ctx); err != nil {
		return fmt.Errorf("Sync: %w", err)
	}
	s.synced, err = capture(s.dir)
	s.syncedHistory = slices.Clone(s.history)
	return err
}

// stop closes the store, and leaves in its directory what change makes of what a kill leaves.
func (s *store) stop(change func(image) image) error {
	files, err := capture(s.dir)
	if err != nil {
		return err
	}
	if err := s.db.Close(); err != nil {
		return fmt.Errorf("Close: %w", err)
	}
	return change(files).put(s.dir)
}

func asKilled(files image) image { return files }

func (s *store) kill() error {
	if err := s.stop(asKilled); err != nil {
		return err
	}
	return s.open(engine.OnCorruptionFail)
}

func (s *store) cutPower() error {
	if err := s.stop(func(image) image { return s.synced }); err != nil {
		return err
	}
	s.history = slices.Clone(s.syncedHistory)
	return s.open(engine.OnCorruptionFail)
}

// quarantine damages the log, and goes on without what follows. The model learns from the store
// what that was.
func (s *store) quarantine(part int) error {
	err := s.stop(func(files image) image { files.damageLog(part); return files })
	if err == nil {
		err = s.open(engine.OnCorruptionQuarantine)
	}
	if err != nil {
		return err
	}
	left, last, err := s.read()
	if err != nil {
		return err
	}
	before := s.history
	s.history = make([]numbered, last.Sequence)
	for _, c := range left {
		s.history[c.Cursor.Sequence-1] = numbered{id: c.StoredAt, record: c.RecordName}
	}
	for i, n := range before[:min(len(before), len(s.history))] {
		if s.history[i].id == 0 && n.deleted {
			s.history[i] = n
		}
	}
	return s.noteSync()
}

func (s *store) restart() error {
	if err := s.db.Close(); err != nil {
		return fmt.Errorf("Close: %w", err)
	}
	return s.open(engine.OnCorruptionFail)
}

func (s *store) makeBackup() error {
	var w bytes.Buffer
	if err := s.db.Backup(ctx, &w); err != nil {
		return fmt.Errorf("Backup: %w", err)
	}
	s.backup, s.backupHistory = w.Bytes(), slices.Clone(s.history)
	return s.noteSync()
}

func (s *store) restore() error {
	if s.backup == nil {
		return nil
	}
	if err := s.db.Close(); err != nil {
		return err
	}
	if err := os.RemoveAll(s.dir); err != nil {
		return err
	}
	if err := engine.Restore(ctx, s.dir, bytes.NewReader(s.backup)); err != nil {
		return fmt.Errorf("Restore: %w", err)
	}
	s.history = slices.Clone(s.backupHistory)
	return s.open(engine.OnCorruptionFail)
}

// copyTo makes a copy of the directory, as a kill would leave it, and opens the copy.
func (s *store) copyTo(dir string) (*store, error) {
	files, err := capture(s.dir)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	if err := files.put(dir); err != nil {
		return nil, err
	}
	c := &store{dir: dir, history: slices.Clone(s.history), backup: s.backup, backupHistory: s.backupHistory}
	return c, c.open(engine.OnCorruptionFail)
}

// put stores values in one batch. Their timestamps are their ids.
func (s *store) put(firstID uint64, count int) error {
	var batch []daybook.StoredValue
	for i := range uint64(count) {
		id := firstID + i
		v := daybook.StoredValue{RecordName: fmt.Sprintf("%c.%d", 'a'+rune(id%3), id%5), StoredAt: id,
			Value: json.RawMessage(fmt.Sprintf(`{"id":%d}`, id))}
		batch = append(batch, v)
	}
	if err := s.db.StoreBatch(ctx, batch); err != nil {
		return fmt.Errorf("StoreBatch: %w", err)
	}
	for _, v := range batch {
		s.history = append(s.history, numbered{id: v.StoredAt, record: v.RecordName})
	}
	return nil
}

// cleanUp deletes the oldest values, part percent of all ids.
func (s *store) cleanUp(lastID uint64, part int) error {
	before := lastID * uint64(part) / 100
	if _, err := s.db.Cleanup(ctx, before); err != nil {
		return fmt.Errorf("Cleanup: %w", err)
	}
	for i := range s.history {
		s.history[i].deleted = s.history[i].deleted || s.history[i].id < before
	}
	return s.noteSync()
}

// read returns everything that the store has, and its last place.
func (s *store) read() (all []daybook.Change, last daybook.Cursor, err error) {
	for change, err := range s.db.Changes(ctx, daybook.ChangesParams{}) {
		if err != nil {
			return nil, last, fmt.Errorf("Changes from the beginning: %w", err)
		}
		if last = change.Cursor; !change.IsPlace() {
			all = append(all, change)
		}
	}
	return all, last, nil
}

// check compares the store with its model: each number has the value that was acknowledged under
// it, or was deleted.
func (s *store) check() error {
	all, last, err := s.read()
	if err != nil {
		return err
	}
	if last.Sequence != uint64(len(s.history)) {
		return fmt.Errorf("the store is at %v; want number %d", last, len(s.history))
	}
	for at, n := range s.history {
		switch {
		case len(all) > 0 && all[0].Cursor.Sequence == uint64(at)+1:
			if all[0].StoredAt != n.id || n.deleted {
				return fmt.Errorf("number %d has value %d; want %+v", at+1, all[0].StoredAt, n)
			}
			all = all[1:]
		case n.id != 0 && !n.deleted:
			return fmt.Errorf("number %d has no value; want %+v", at+1, n)
		}
	}
	return nil
}
