// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"context"
	"iter"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/engine/internal/head"
	"github.com/daybook-db/daybook/index"
)

// Records yields the records that recordPattern matches, ordered by name, from one consistent
// snapshot. An error is yielded once, as the last element.
// Errors: daybook.ErrInvalidPattern, ErrInvalidParams, ErrCorrupt, ErrClosed, or ctx's.
func (db *DB) Records(
	ctx context.Context, recordPattern string, syntax daybook.PatternSyntax,
) iter.Seq2[daybook.RecordInfo, error] {
	return func(yield func(daybook.RecordInfo, error) bool) {
		if err := db.listRecords(ctx, recordPattern, syntax, yield); err != nil {
			yield(daybook.RecordInfo{}, err)
		}
	}
}

func (db *DB) listRecords(ctx context.Context, recordPattern string, syntax daybook.PatternSyntax,
	yield func(daybook.RecordInfo, error) bool) error {
	if err := db.enter(ctx); err != nil {
		return err
	}
	leave := db.gate.leave
	defer func() { leave() }()
	ctx = db.reading(ctx)
	pattern, err := index.Compile(daybook.Pattern{Text: recordPattern, Syntax: syntax})
	if err != nil {
		return err
	}
	snapshot, err := db.snapshot(pattern)
	if err != nil {
		return err
	}
	defer snapshot.close()
	leave = snapshot.iterate()
	return snapshot.records(ctx, func(r recordContent) (bool, error) {
		if err := ctx.Err(); err != nil {
			return false, err
		}
		return yield(r.info(), nil), nil
	})
}

// info returns what the tree and the heads know of the record together.
func (r *recordContent) info() daybook.RecordInfo {
	info := daybook.RecordInfo{RecordName: string(r.name)}
	if r.inTree {
		info.Count, info.Bytes, info.Oldest, info.Newest = r.entry.Count, r.entry.Bytes, r.entry.Oldest, r.entry.Newest
	}
	for i := range r.views {
		addView(&info, &r.views[i])
	}
	return info
}

// addView adds the values of a view to info.
func addView(info *daybook.RecordInfo, view *head.View) {
	if view.Empty() {
		return
	}
	oldest, newest := view.Bounds()
	if info.Count == 0 {
		info.Oldest = oldest
	}
	info.Oldest, info.Newest = min(info.Oldest, oldest), max(info.Newest, newest)
	info.Count += uint64(view.Count())
	info.Bytes += view.Bytes()
}
