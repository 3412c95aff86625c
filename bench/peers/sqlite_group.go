// SPDX-License-Identifier: Apache-2.0

package peers

import (
	"context"
	"encoding/json"
	"slices"

	"github.com/daybook-db/daybook"
)

// sqliteInsertion is the value of one call of Store that waits for its commit.
type sqliteInsertion struct {
	value daybook.StoredValue
	done  chan error // has room for the one result
}

// Store commits its value by itself in AimDB's design. In the tuned design it shares a transaction
// with the Stores that came while the transaction before was committed: the first of them that gets
// the writer commits for all. SQLite has no group commit, and its documentation advises to put many
// inserts into one transaction.
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
	case <-s.free:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { s.free <- struct{}{} }()
	return s.commit(context.Background(), []daybook.StoredValue{value})
}

func (s *sqliteStore) commitTogether(ctx context.Context, value daybook.StoredValue) error {
	insertion := &sqliteInsertion{value: value, done: make(chan error, 1)}
	s.queue(insertion)
	select {
	case <-s.free:
		s.commitWaiting()
		s.free <- struct{}{}
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

// withdraw reports whether the insertion was still waiting. If not, its commit has begun.
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

// commitWaiting commits all insertions that wait, of which there may be none. The commit is for all
// of them, so the end of one call's context does not cancel it. The caller has the writer.
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

// commit inserts values in one transaction. SQLite makes a transaction of a single insert by
// itself.
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
