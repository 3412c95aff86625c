// SPDX-License-Identifier: Apache-2.0

package backendtest

import (
	"context"

	"github.com/daybook-db/daybook"
)

// Mistakes of the clock's memory.

type forgetsClock struct{ *Memory }

func (f forgetsClock) Cleanup(ctx context.Context, olderThan uint64) (uint64, error) {
	f.clockState = nil
	return f.Memory.Cleanup(ctx, olderThan)
}

type sharedClock struct{ *Memory }

func (f sharedClock) ClockState(ctx context.Context) ([]byte, error) {
	if _, err := f.Memory.ClockState(ctx); err != nil {
		return nil, err
	}
	return f.clockState, nil
}

type longClock struct{ *Memory }

func (f longClock) SetClockState(ctx context.Context, state []byte) error {
	return f.Memory.SetClockState(ctx, state[:min(len(state), daybook.MaxClockStateLen)])
}

type growingClock struct{ *Memory }

func (f growingClock) SetClockState(ctx context.Context, state []byte) error {
	return f.Memory.SetClockState(ctx, append(f.clockState[:len(f.clockState):len(f.clockState)], state...))
}
