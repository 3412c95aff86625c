// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"iter"
	"os"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/engine"
)

// lateStore is the daybook in a directory. It creates the directory only for its first batch, so
// that a file of which nothing can be stored creates none.
type lateStore struct {
	dir string
	db  *engine.DB // nil: not open
}

// newLateStore opens the daybook if there is its directory.
func newLateStore(dir string) (*lateStore, error) {
	s := &lateStore{dir: dir}
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		return s, nil
	}
	return s, s.open()
}

func (s *lateStore) open() (err error) {
	if s.db == nil {
		s.db, err = openForWriting(s.dir)
	}
	return err
}

func (s *lateStore) StoreBatch(ctx context.Context, batch []daybook.StoredValue) error {
	if err := s.open(); err != nil {
		return err
	}
	return s.db.StoreBatch(ctx, batch)
}

// Scan finds nothing before the first batch.
func (s *lateStore) Scan(
	ctx context.Context, pattern string, params daybook.QueryParams,
) iter.Seq2[daybook.StoredValue, error] {
	if s.db == nil {
		return func(func(daybook.StoredValue, error) bool) {}
	}
	return s.db.Scan(ctx, pattern, params)
}

// closeAfterStoring closes the daybook if it was opened, as the function of this name does.
func (s *lateStore) closeAfterStoring(errOut io.Writer, err *error) {
	if s.db != nil {
		closeAfterStoring(s.db, errOut, err)
	}
}
