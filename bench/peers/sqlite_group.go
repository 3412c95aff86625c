// SPDX-License-Identifier: Apache-2.0

package peers

import (
	"context"
	"encoding/json"
	"slices"

	"github.com/daybook-db/daybook"
)

// sqliteInsertion is a Store that waits for its commit.
type sqliteInsertion struct {
	value daybook.StoredValue
	done  chan error // holds one
}

// Store shares its transaction with the Stores that came while the one before was committing: whoever gets the writer
// commits for all that wait. SQLite has no such thing of its own, and advises to put many inserts into a transaction.
// AimDB commits one after another.
func (s *sqliteStore) Store(ctx context.Context, recordName string, value json.RawMessage, timestamp uint64) error {
	if err := checkSQLiteTime(timestamp); err != nil {
		return err
	}
	if err := s.gate.enter(ctx); err != nil {
		return err
	}
	defer s.gate.leave()
	stored := daybook.StoredValue{RecordName: recordName, Value: value, StoredAt: timestamp}
	if s.design == aimdb {
		return s.commitOne(ctx, stored)
	}
	return s.commitTogether(ctx, stored)
}

func (s *sqliteStore) commitOne(ctx context.Context, value daybook.StoredValue) error {
	select {
	case <-s.turn:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { s.turn <- struct{}{} }()
	return s.commit(context.Background(), []daybook.StoredValue{value})
}

func (s *sqliteStore) commitTogether(ctx context.Context, value daybook.StoredValue) error {
	insertion := &sqliteInsertion{value: value, done: make(chan error, 1)}
	s.queue(insertion)
	select {
	case <-s.turn:
		s.commitWaiting()
		s.turn <- struct{}{}
	case err := <-insertion.done:
		return err
	case <-ctx.Done():
		if s.withdraw(insertion) {
			return ctx.Err()
		}
	}
	return <-insertion.done
}

func (s *sqliteStore) queue(insertion *sqliteInsertion) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.waiting = append(s.waiting, insertion)
}

// withdraw reports whether the insertion was still waiting. If not, it is being committed.
func (s *sqliteStore) withdraw(insertion *sqliteInsertion) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := slices.Index(s.waiting, insertion)
	if i < 0 {
		return false
	}
	s.waiting = slices.Delete(s.waiting, i, i+1)
	return true
}

// commitWaiting commits what waits, which may be nothing. It is not cancelled with the Store that happens to do it.
// The caller has the writer.
func (s *sqliteStore) commitWaiting() {
	s.mu.Lock()
	group := s.waiting
	s.waiting = nil
	s.mu.Unlock()
	values := make([]daybook.StoredValue, len(group))
	for i, insertion := range group {
		values[i] = insertion.value
	}
	err := s.commit(context.Background(), values)
	for _, insertion := range group {
		insertion.done <- err
	}
}

// commit inserts values in one transaction. SQLite makes one of a single insert by itself.
func (s *sqliteStore) commit(ctx context.Context, values []daybook.StoredValue) error {
	insertAll := func() error { return s.insertAll(ctx, values) }
	switch len(values) {
	case 0:
		return nil
	case 1:
		return insertAll()
	}
	return s.transact(ctx, insertAll)
}
