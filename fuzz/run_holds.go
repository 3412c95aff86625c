// SPDX-License-Identifier: Apache-2.0

package fuzz

import (
	"fmt"

	"github.com/google/go-cmp/cmp"

	"github.com/daybook-db/daybook"
)

func (o *SetHold) run(r *runner) error {
	return r.changeHold("SetHold", o.Back, func(holder daybook.Holder, at daybook.Cursor) error {
		return holder.SetHold(ctx, daybook.Hold{
			Name: o.Name, Pattern: o.Pattern, At: at,
			MaxBytes: uint64(o.MaxBytes),
		})
	})
}

func (o *AdvanceHold) run(r *runner) error {
	return r.changeHold("AdvanceHold", o.Back, func(holder daybook.Holder, at daybook.Cursor) error {
		return holder.AdvanceHold(ctx, o.Name, at)
	})
}

func (o *ReleaseHold) run(r *runner) error {
	return r.changeHold("ReleaseHold", 0, func(holder daybook.Holder, _ daybook.Cursor) error {
		return holder.ReleaseHold(ctx, o.Name)
	})
}

// changeHold makes the same change to the holds of the store and of the model. They have the same
// sequence numbers, in other epochs. at is the place before the last values.
func (r *runner) changeHold(what string, back int, do func(holder daybook.Holder, at daybook.Cursor) error) error {
	if err := r.beforeWriting(); err != nil {
		return err
	}
	stats, err := r.model.Stats(ctx)
	if err != nil {
		return err
	}
	last := stats.LastCursor
	last.Sequence -= min(uint64(back), last.Sequence)
	if last.Sequence == 0 {
		last = daybook.Cursor{}
	}
	return compareErrors(what, do(r.model, last), do(r.subject, r.subject.CursorAt(last.Sequence)))
}

// compareHolds compares what each hold spares and has lost.
func (r *runner) compareHolds() error {
	want, wantErr := r.model.Holds(ctx)
	got, gotErr := r.subject.Holds(ctx)
	if err := compareErrors("Holds", wantErr, gotErr); err != nil {
		return err
	}
	if diff := cmp.Diff(holdTexts(want), holdTexts(got)); diff != "" {
		return fmt.Errorf("the holds differ from the model's (-model +store):\n%s", diff)
	}
	return nil
}

func holdTexts(infos []daybook.HoldInfo) (texts []string) {
	for _, h := range infos {
		texts = append(texts, fmt.Sprintf("%s: %+v at %d, up to %d bytes: %d values of %d bytes, %d lost",
			h.Name, h.Pattern, h.At.Sequence, h.MaxBytes, h.Values, h.Bytes, h.Lost))
	}
	return texts
}

func (o *Receive) run(r *runner) error {
	if err := r.beforeWriting(); err != nil {
		return err
	}
	b := r.nextBatch(o.Stream, o.stored())
	for range 2 {
		want, wantErr := r.model.StoreBatchFrom(ctx, b)
		got, gotErr := r.subject.StoreBatchFrom(ctx, b)
		if err := compareErrors("StoreBatchFrom", wantErr, gotErr); err != nil {
			return err
		}
		if got != want {
			return fmt.Errorf("StoreBatchFrom returns the position %+v; the model's is %+v", got, want)
		}
		if !o.Again {
			break
		}
	}
	return nil
}

// nextBatch returns the next batch of a stream.
func (r *runner) nextBatch(stream string, values []daybook.StoredValue) daybook.Batch {
	b := r.streams[stream]
	b.Store, b.Epoch, b.Stream, b.Values = [16]byte{1}, [16]byte{2}, stream, values
	b.From, b.Previous = b.Through, b.Digest
	b.Through += uint64(len(values)) + 1
	b.Digest = daybook.DigestOf(&b)
	r.streams[stream] = b
	return b
}

// comparePositions compares the position of each stream.
func (r *runner) comparePositions() error {
	for stream, last := range r.streams {
		got, err := r.subject.Position(ctx, last.Store, last.Epoch, stream)
		if got != last.Position() || err != nil {
			return fmt.Errorf("the position of stream %q is %+v, %v; want %+v", stream, got, err, last.Position())
		}
	}
	return nil
}
