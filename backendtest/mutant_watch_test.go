// SPDX-License-Identifier: Apache-2.0

package backendtest

import (
	"context"

	"github.com/daybook-db/daybook"
)

// faultyWatch changes the arguments of Watch.
type faultyWatch struct {
	*Memory
	change func(pattern *string, params *daybook.WatchParams)
}

func (f faultyWatch) Watch(
	ctx context.Context, recordPattern string, params daybook.WatchParams,
) (<-chan daybook.Event, error) {
	f.change(&recordPattern, &params)
	return f.Memory.Watch(ctx, recordPattern, params)
}

func onWatch(change func(pattern *string, params *daybook.WatchParams)) func(*Memory) daybook.Backend {
	return func(m *Memory) daybook.Backend { return faultyWatch{m, change} }
}

func watchEverything(pattern *string, _ *daybook.WatchParams) {
	if *pattern != "" {
		*pattern = "*"
	}
}

func watchPatiently(_ *string, params *daybook.WatchParams) {
	if params.Buffer > 0 {
		params.Buffer = 1 << 20
	}
}

// silentWatch sends no counts of missed values.
type silentWatch struct{ *Memory }

func (s silentWatch) Watch(
	ctx context.Context, recordPattern string, params daybook.WatchParams,
) (<-chan daybook.Event, error) {
	events, err := s.Memory.Watch(ctx, recordPattern, params)
	if err != nil {
		return nil, err
	}
	sent := make(chan daybook.Event)
	go func() {
		defer close(sent)
		for event := range events {
			event.Missed = 0
			select {
			case sent <- event:
			case <-ctx.Done():
			}
		}
	}()
	return sent, nil
}
