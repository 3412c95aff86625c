// SPDX-License-Identifier: Apache-2.0

package backendtest

import (
	"context"
	"fmt"
	"slices"

	"github.com/daybook-db/daybook"
)

// Mistakes of holds.

// faultyHold changes the arguments of SetHold.
type faultyHold struct {
	*Memory
	change func(m *Memory, h *daybook.Hold)
}

func (f faultyHold) SetHold(ctx context.Context, h daybook.Hold) error {
	f.change(f.Memory, &h)
	return f.Memory.SetHold(ctx, h)
}

func onHold(change func(*Memory, *daybook.Hold)) func(*Memory) daybook.Backend {
	return func(m *Memory) daybook.Backend { return faultyHold{m, change} }
}

func holdEverything(_ *Memory, h *daybook.Hold)  { h.Pattern = daybook.Pattern{} }
func holdTopicAsGlob(_ *Memory, h *daybook.Hold) { h.Pattern.Syntax = daybook.Glob }
func holdWithoutBound(_ *Memory, h *daybook.Hold) {
	if h.MaxBytes > 0 {
		h.MaxBytes = 1 << 40
	}
}
func holdOneByteMore(_ *Memory, h *daybook.Hold)   { h.MaxBytes = max(h.MaxBytes, 1) * 2 }
func holdFromBeginning(_ *Memory, h *daybook.Hold) { h.At = daybook.Cursor{} }
func holdForked(m *Memory, h *daybook.Hold) {
	if m.resolveLocked(h.At) != nil {
		h.At = daybook.Cursor{}
	}
}

// forgetLost begins each hold anew.
func forgetLost(m *Memory, h *daybook.Hold) { delete(m.holds, h.Name) }

// keepLost keeps what a hold with another pattern has lost.
func keepLost(m *Memory, h *daybook.Hold) {
	if old := m.holds[h.Name]; old != nil {
		old.Pattern = h.Pattern
	}
}

// backwardHold lets AdvanceHold go back.
type backwardHold struct{ *Memory }

func (b backwardHold) AdvanceHold(ctx context.Context, name string, at daybook.Cursor) error {
	b.locked(func() {
		if h := b.holds[name]; h != nil && ctx.Err() == nil && b.resolveLocked(at) == nil {
			h.At = daybook.Cursor{}
		}
	})
	return b.Memory.AdvanceHold(ctx, name, at)
}

// forgivingHold releases a hold that does not exist.
type forgivingHold struct{ *Memory }

func (f forgivingHold) ReleaseHold(ctx context.Context, name string) error {
	_ = f.Memory.ReleaseHold(ctx, name)
	return f.Memory.lockError(ctx)
}

func (m *Memory) lockError(ctx context.Context) error {
	if err := m.lock(ctx); err != nil {
		return err
	}
	m.mu.Unlock()
	return nil
}

// locked calls f with the lock, without which a mistake could not be told from a data race.
func (m *Memory) locked(f func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	f()
}

// withoutHolds calls remove while there are no holds.
func (m *Memory) withoutHolds(remove func() (uint64, error)) (uint64, error) {
	var holds map[string]*memoryHold
	m.locked(func() { holds, m.holds = m.holds, nil })
	defer m.locked(func() { m.holds = holds })
	return remove()
}

// faultyDeletion deletes in another way.
type faultyDeletion struct {
	*Memory
	cleanup func(m *Memory, ctx context.Context, olderThan uint64) (uint64, error)
}

func (f faultyDeletion) Cleanup(ctx context.Context, olderThan uint64) (uint64, error) {
	return f.cleanup(f.Memory, ctx, olderThan)
}

func onHeldCleanup(cleanup func(*Memory, context.Context, uint64) (uint64, error)) func(*Memory) daybook.Backend {
	return func(m *Memory) daybook.Backend { return faultyDeletion{m, cleanup} }
}

// cleanHeld deletes held values, too.
func cleanHeld(m *Memory, ctx context.Context, olderThan uint64) (uint64, error) {
	return m.withoutHolds(func() (uint64, error) { return m.Cleanup(ctx, olderThan) })
}

// countHeld counts held values as deleted ones.
func countHeld(m *Memory, ctx context.Context, olderThan uint64) (uint64, error) {
	deleted, err := m.Cleanup(ctx, olderThan)
	m.locked(func() {
		for _, c := range m.stored {
			if c.StoredAt < olderThan {
				deleted++
			}
		}
	})
	return deleted, err
}

// countAllLost counts values as lost that the consumer had taken, too.
func countAllLost(m *Memory, ctx context.Context, olderThan uint64) (uint64, error) {
	var before []daybook.Change
	m.locked(func() { before = slices.Clone(m.stored) })
	deleted, err := m.Cleanup(ctx, olderThan)
	m.locked(func() {
		for _, h := range m.holds {
			for _, c := range before[:min(int(deleted), len(before))] {
				if c.Cursor.Sequence <= h.At.Sequence && h.matches(c.RecordName) {
					h.lost++
				}
			}
		}
	})
	return deleted, err
}

// loseOnce counts each deletion as one lost value.
func loseOnce(m *Memory, ctx context.Context, olderThan uint64) (uint64, error) {
	before := map[string]uint64{}
	m.locked(func() {
		for name, h := range m.holds {
			before[name] = h.lost
		}
	})
	deleted, err := m.Cleanup(ctx, olderThan)
	m.locked(func() {
		for name, h := range m.holds {
			h.lost = min(h.lost, before[name]+1)
		}
	})
	return deleted, err
}

// heldByTime deletes no value of a record that is as new as one that is held.
func heldByTime(m *Memory, ctx context.Context, olderThan uint64) (uint64, error) {
	m.locked(func() {
		for _, h := range m.holds {
			for _, c := range m.heldBy(ctx, h) {
				olderThan = min(olderThan, c.StoredAt)
			}
		}
	})
	return m.Cleanup(ctx, olderThan)
}

// unsortedHolds returns holds in no order.
type unsortedHolds struct{ *Memory }

func (u unsortedHolds) Holds(ctx context.Context) ([]daybook.HoldInfo, error) {
	infos, err := u.Memory.Holds(ctx)
	slices.Reverse(infos)
	return infos, err
}

// unheldPrune is a Prune that knows no holds.
type unheldPrune struct{ *Memory }

func (u unheldPrune) Prune(ctx context.Context, pattern string, params daybook.PruneParams) (uint64, error) {
	return u.withoutHolds(func() (uint64, error) { return u.Memory.Prune(ctx, pattern, params) })
}

// Mistakes of a receiver.

// faultyReceiver replaces StoreBatchFrom.
type faultyReceiver struct {
	*Memory
	receive func(ctx context.Context, m *Memory, b daybook.Batch) (daybook.Position, error)
}

func (f faultyReceiver) StoreBatchFrom(ctx context.Context, b daybook.Batch) (daybook.Position, error) {
	return f.receive(ctx, f.Memory, b)
}

func onReceive(
	receive func(context.Context, *Memory, daybook.Batch) (daybook.Position, error),
) func(*Memory) daybook.Backend {
	return func(m *Memory) daybook.Backend { return faultyReceiver{m, receive} }
}

func streamOf(b daybook.Batch) memoryStream { return memoryStream{b.Store, b.Epoch, b.Stream} }

// position returns the position of a stream.
func (m *Memory) position(of memoryStream) (p daybook.Position) {
	m.locked(func() { p = m.positions[of] })
	return p
}

// setPosition sets the position of a stream.
func (m *Memory) setPosition(of memoryStream, p daybook.Position) {
	m.locked(func() {
		if m.positions == nil {
			m.positions = map[memoryStream]daybook.Position{}
		}
		m.positions[of] = p
	})
}

// receiveTwice stores a batch again that comes again.
func receiveTwice(ctx context.Context, m *Memory, b daybook.Batch) (daybook.Position, error) {
	if m.position(streamOf(b)) == b.Position() && ctx.Err() == nil {
		return b.Position(), m.StoreBatch(ctx, b.Values)
	}
	return m.StoreBatchFrom(ctx, b)
}

// refuseAgain refuses a batch that comes again.
func refuseAgain(ctx context.Context, m *Memory, b daybook.Batch) (daybook.Position, error) {
	if p := m.position(streamOf(b)); p == b.Position() && ctx.Err() == nil {
		return p, &daybook.OutOfStepError{Position: p, From: b.From}
	}
	return m.StoreBatchFrom(ctx, b)
}

// receiveByNumber compares the numbers alone.
func receiveByNumber(ctx context.Context, m *Memory, b daybook.Batch) (daybook.Position, error) {
	if p := m.position(streamOf(b)); p.Through == b.From && p.Digest != b.Previous && b.Validate() == nil {
		m.setPosition(streamOf(b), daybook.Position{Through: b.From, Digest: b.Previous})
	}
	return m.StoreBatchFrom(ctx, b)
}

// receiveWithGaps accepts batches after a gap.
func receiveWithGaps(ctx context.Context, m *Memory, b daybook.Batch) (daybook.Position, error) {
	p := m.position(streamOf(b))
	if p.Through < b.From && b.Validate() == nil {
		m.setPosition(streamOf(b), daybook.Position{Through: b.From, Digest: b.Previous})
	}
	return m.StoreBatchFrom(ctx, b)
}

// receiveUnverified does not verify digests.
func receiveUnverified(ctx context.Context, m *Memory, b daybook.Batch) (daybook.Position, error) {
	digest := b.Digest
	b.Digest = daybook.DigestOf(&b)
	p, err := m.StoreBatchFrom(ctx, b)
	if stream := streamOf(b); err == nil && p == b.Position() {
		p.Digest = digest
		m.setPosition(stream, p)
	}
	return p, err
}

// skipEmpty does not move the position for a batch without values.
func skipEmpty(ctx context.Context, m *Memory, b daybook.Batch) (daybook.Position, error) {
	if len(b.Values) > 0 {
		return m.StoreBatchFrom(ctx, b)
	}
	return m.Position(ctx, b.Store, b.Epoch, b.Stream)
}

// receivePosition moves the position before it validates the values.
func receivePosition(ctx context.Context, m *Memory, b daybook.Batch) (daybook.Position, error) {
	p, err := m.StoreBatchFrom(ctx, b)
	next, _, stepErr := m.position(streamOf(b)).Next(&b)
	if err != nil && b.Validate() == nil && stepErr == nil {
		m.setPosition(streamOf(b), next)
	}
	return p, err
}

// receiveIn makes StoreBatchFrom take another stream for the same one.
func receiveIn(change func(b *daybook.Batch)) func(context.Context, *Memory, daybook.Batch) (daybook.Position, error) {
	return func(ctx context.Context, m *Memory, b daybook.Batch) (daybook.Position, error) {
		if b.Validate() != nil {
			return m.StoreBatchFrom(ctx, b)
		}
		digest := b.Digest
		change(&b)
		stream := streamOf(b)
		next, isDuplicate, err := m.position(stream).Next(&daybook.Batch{
			From: b.From, Through: b.Through, Previous: b.Previous, Digest: digest,
		})
		if isDuplicate || err != nil {
			return next, err
		}
		m.setPosition(stream, next)
		return next, m.StoreBatch(ctx, b.Values)
	}
}

// receiveInSteps looks at the position first, and stores later.
func receiveInSteps(ctx context.Context, m *Memory, b daybook.Batch) (daybook.Position, error) {
	p, err := m.Position(ctx, b.Store, b.Epoch, b.Stream)
	if err != nil || b.Validate() != nil {
		return m.StoreBatchFrom(ctx, b)
	}
	next, isDuplicate, err := p.Next(&b)
	if isDuplicate || err != nil {
		return next, err
	}
	letOthersIn(m)
	if err := m.StoreBatch(ctx, b.Values); err != nil {
		return p, fmt.Errorf("storing: %w", err)
	}
	m.setPosition(streamOf(b), next)
	return next, nil
}
