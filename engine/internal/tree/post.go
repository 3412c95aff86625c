// SPDX-License-Identifier: Apache-2.0

package tree

import (
	"iter"

	"github.com/daybook-db/daybook/codec"
)

// Run is the values of one record that Post is to post.
type Run struct {
	Record  string
	Values  []codec.Entry // in order; sequence numbers are above all that the tree has of the record
	LeftOut int           // number of further values that are not posted, because they are being deleted
}

// Posting is the argument of Post.
type Posting struct {
	Runs        func(after string) iter.Seq[Run] // the runs of records after a name, by name
	Watermark   uint64                           // that the tree gets with the last run
	LastSegment uint64                           // greatest number of a segment of the log
	Notes       Notes                            // that are written with the watermark

	Growth int64 // the number of bytes by which the file may grow at most

	// AllowParts allows several transactions. The log must be durable up to Watermark.
	AllowParts bool
	// Interrupted is called between two transactions. If it returns an error, Post stops there and
	// returns it. nil: Post is not interrupted.
	Interrupted func() error
	// UseAllProcessors is called now and then. It returns true while no values are stored.
	UseAllProcessors func() bool
}

// Post adds runs of new values to their records' chunks and moves the watermark. It returns how
// many values it left out for good (Run.LeftOut), even with an error.
//
// The changes of a transaction are in memory until it commits. So Post takes several transactions
// if it may, and the tree has a PartialPost meanwhile. After an error or a crash, another Post with
// the same watermark continues from there.
func (t *Tree) Post(p Posting) (leftOut uint64, err error) {
	for more := true; more; {
		var n uint64
		err := t.updateWith(p.Growth, func(w *writeTx) (err error) {
			n, more, err = w.postPart(&p)
			w.values.FillPercent = fillAfter(w.grown, w.chunkGuard.LeafUsed())
			w.catalogue.bucket.FillPercent = w.catalogue.fillAfter(w.nameGuard.LeafUsed())
			return err
		})
		if err != nil {
			return leftOut, err
		}
		leftOut += n
		if more && p.Interrupted != nil {
			if err := p.Interrupted(); err != nil {
				return leftOut, err
			}
		}
	}
	// The values are in the tree even if the seal fails. Then the next commit saves the checksums.
	// If the disk has failed, that commit fails too, and its caller is told.
	_ = t.seal()
	return leftOut, nil
}

// postPart posts as much as one transaction takes, from where the previous one ended, and reports
// whether there is more. It stops for another transaction only if there is another run to post. So
// after a crash between two transactions the log has values to replay, and the checkpoint of those
// ends the partial post.
func (w *writeTx) postPart(p *Posting) (leftOut uint64, more bool, err error) {
	w.useAllProcessors = p.UseAllProcessors
	partial := &w.state.Partial
	resumed := partial.Watermark == p.Watermark
	// The tree can describe one partial post. If it has one of another watermark, which a crash
	// interrupted, this post has its values too, and ends it by posting all in one transaction.
	inParts := p.AllowParts && (resumed || *partial == PartialPost{})
	after := ""
	if resumed {
		after = partial.Through
	}
	for run := range p.Runs(after) {
		if inParts && partial.Through > after && w.full() {
			return leftOut, true, w.putDeferred()
		}
		if len(run.Values) > 0 {
			if err := w.post(run.Record, run.Values); err != nil {
				return 0, false, err
			}
		}
		leftOut += uint64(run.LeftOut)
		if inParts {
			*partial = PartialPost{Through: run.Record, Watermark: p.Watermark}
		}
	}
	*partial = PartialPost{}
	w.state.Watermark = p.Watermark
	w.state.LastSegment = max(w.state.LastSegment, p.LastSegment)
	if err := w.putNotes(p.Notes); err != nil {
		return 0, false, err
	}
	return leftOut, false, w.putDeferred()
}

// post adds a run to a record and to its catalogue entry.
func (w *writeTx) post(record string, run []codec.Entry) error {
	entry, found, err := w.entry(record)
	if err != nil {
		return err
	}
	first, last := run[0], run[len(run)-1]
	if !found {
		w.state.Records++
		entry = codec.CatalogueEntry{Oldest: first.Timestamp}
	}
	// With equal timestamps the run's value is the newer one, because it was stored later.
	if !found || last.Timestamp >= entry.Newest {
		entry.SetNewest(last.Timestamp, last.Sequence, last.Value)
	}
	entry.Oldest = min(entry.Oldest, first.Timestamp)
	entry.Count += uint64(len(run))
	size := valueBytes(run)
	entry.Bytes += size
	w.state.Values += uint64(len(run))
	w.state.Bytes += size
	if err := w.insertRun(record, run); err != nil {
		return err
	}
	return w.catalogue.put(record, &entry)
}

// valueBytes returns the number of bytes of JSON.
func valueBytes(entries []codec.Entry) (total uint64) {
	for _, e := range entries {
		total += uint64(len(e.Value))
	}
	return total
}
