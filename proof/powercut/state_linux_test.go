// SPDX-License-Identifier: Apache-2.0

//go:build amd64 || arm64

package powercut

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/engine"
	"github.com/daybook-db/daybook/proof/history"
	"github.com/daybook-db/daybook/proof/journal"
)

var quiet = slog.New(slog.DiscardHandler)

// tryState opens the daybook on a state of the disk, in dir, and judges the visible values. With
// reopen it also stores a value, and opens the daybook once more.
func tryState(image journal.Image, r *recording, known *history.History, dir string, reopen bool) error {
	opts := r.options()
	if err := errors.Join(os.RemoveAll(dir), os.Mkdir(dir, 0o700)); err != nil {
		return err
	}
	if err := image.WriteTo(dir); err != nil {
		return err
	}
	if err := forgetPlaces(dir); err != nil {
		return err
	}
	dir, err := r.Files.open(dir, dir+".links")
	if err != nil {
		return err
	}
	db, err := engine.Open(dir, &opts)
	if err != nil {
		return fmt.Errorf("Open: %w", err)
	}
	visible, err := queryAll(db)
	if err == nil {
		err = errors.Join(known.Judge(visible), judgeHoldAndStream(db, known, visible),
			r.Ledger.judge(db, known))
	}
	if err == nil && reopen {
		return useAndReopen(db, dir, r, known, visible)
	}
	return errors.Join(err, db.Close())
}

func queryAll(db *engine.DB) ([]daybook.StoredValue, error) {
	return db.Query(context.Background(), "*", daybook.QueryParams{})
}

// useAndReopen checks a recovered daybook, stores a value, and closes it. When it is opened again,
// the value and all visible ones must be there.
func useAndReopen(
	db *engine.DB, dir string, r *recording, known *history.History, visible []daybook.StoredValue,
) error {
	ctx, opts := context.Background(), r.options()
	more := daybook.StoredValue{RecordName: "~after", Value: json.RawMessage(`"the crash"`), StoredAt: 1}
	err := errors.Join(db.Check(ctx), db.Store(ctx, more.RecordName, more.Value, more.StoredAt),
		r.Ledger.judge(db, known))
	if err := errors.Join(err, db.Close()); err != nil {
		return fmt.Errorf("after the recovery: %w", err)
	}
	db, err = engine.Open(dir, &opts)
	if err != nil {
		return fmt.Errorf("opening it again: %w", err)
	}
	got, err := queryAll(db)
	if stats, statsErr := db.Stats(ctx); statsErr != nil || stats.Values != uint64(len(got)) {
		err = errors.Join(err, statsErr, fmt.Errorf("Stats counts %d values; want %d", stats.Values, len(got)))
	}
	if want := append(visible, more); err == nil {
		err = compare(got, want)
	}
	return errors.Join(err, db.Check(ctx), db.Close())
}

// compare returns an error if the values are not the wanted ones, in their order.
func compare(got, want []daybook.StoredValue) error {
	equal := func(a, b daybook.StoredValue) bool {
		return a.RecordName == b.RecordName && a.StoredAt == b.StoredAt && bytes.Equal(a.Value, b.Value)
	}
	for i := range min(len(got), len(want)) {
		if !equal(got[i], want[i]) {
			return fmt.Errorf("value %d is record %q at %d: %.60q; want record %q at %d: %.60q", i,
				got[i].RecordName, got[i].StoredAt, got[i].Value, want[i].RecordName, want[i].StoredAt, want[i].Value)
		}
	}
	if !slices.EqualFunc(got, want, equal) {
		return fmt.Errorf("%d values are visible; want %d", len(got), len(want))
	}
	return nil
}
