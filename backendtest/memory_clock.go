// SPDX-License-Identifier: Apache-2.0

package backendtest

import (
	"bytes"
	"context"
	"fmt"

	"github.com/daybook-db/daybook"
)

// SetClockState implements daybook.ClockMemory.
func (m *Memory) SetClockState(ctx context.Context, state []byte) error {
	if err := m.lock(ctx); err != nil {
		return err
	}
	defer m.mu.Unlock()
	if len(state) > daybook.MaxClockStateLen {
		return fmt.Errorf("%w: got a clock state of %d bytes; want at most %d",
			daybook.ErrValueTooLarge, len(state), daybook.MaxClockStateLen)
	}
	m.clockState = bytes.Clone(state)
	return nil
}

// ClockState implements daybook.ClockMemory.
func (m *Memory) ClockState(ctx context.Context) ([]byte, error) {
	if err := m.lock(ctx); err != nil {
		return nil, err
	}
	defer m.mu.Unlock()
	if len(m.clockState) == 0 {
		return nil, nil
	}
	return bytes.Clone(m.clockState), nil
}
