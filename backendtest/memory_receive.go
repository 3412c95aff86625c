// SPDX-License-Identifier: Apache-2.0

package backendtest

import (
	"context"
	"fmt"

	"github.com/daybook-db/daybook"
)

// memoryStream names a stream.
type memoryStream struct {
	store, epoch [16]byte
	name         string
}

// StoreBatchFrom implements daybook.Receiver.
func (m *Memory) StoreBatchFrom(ctx context.Context, b daybook.Batch) (daybook.Position, error) {
	position, err := m.storeBatchFrom(ctx, b)
	return position, m.countStore(err)
}

func (m *Memory) storeBatchFrom(ctx context.Context, b daybook.Batch) (daybook.Position, error) {
	if err := m.lock(ctx); err != nil {
		return daybook.Position{}, err
	}
	defer m.mu.Unlock()
	if err := b.Validate(); err != nil {
		return daybook.Position{}, err
	}
	for i, v := range b.Values {
		if err := validate(v); err != nil {
			return daybook.Position{}, fmt.Errorf("values[%d] of %d in the batch: %w", i, len(b.Values), err)
		}
	}
	stream := memoryStream{b.Store, b.Epoch, b.Stream}
	next, isDuplicate, err := m.positions[stream].Next(&b)
	if isDuplicate || err != nil {
		return next, err
	}
	for _, v := range b.Values {
		m.insertLocked(v)
	}
	if m.positions == nil {
		m.positions = map[memoryStream]daybook.Position{}
	}
	m.positions[stream] = next
	return next, nil
}

// Position implements daybook.Receiver.
func (m *Memory) Position(ctx context.Context, store, epoch [16]byte, stream string) (daybook.Position, error) {
	if err := m.lock(ctx); err != nil {
		return daybook.Position{}, err
	}
	defer m.mu.Unlock()
	if err := daybook.ValidateStream(store, epoch, stream); err != nil {
		return daybook.Position{}, err
	}
	return m.positions[memoryStream{store, epoch, stream}], nil
}
