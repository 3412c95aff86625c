// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"sync"
	"time"

	"github.com/daybook-db/daybook"
)

// status remembers how each part of the gateway does. It logs when a part begins to fail and when
// it works again, so that a disk that is full for a night takes two lines of the log.
type status struct {
	logger *slog.Logger
	mu     sync.Mutex
	parts  map[string]partStatus
}

// partStatus says how a part does.
type partStatus struct {
	WorkedAt uint64 `json:"worked_at,omitzero"` // when it last did, Unix ms
	Error    string `json:"error,omitempty"`    // of the last time; empty: it worked
	Failures uint64 `json:"failures"`           // after the start of the gateway

	reported   time.Time     // when it last reported; its monotonic clock is never set
	maxSilence time.Duration // between two reports; 0: without limit
}

func newStatus(logger *slog.Logger) *status {
	return &status{logger: logger, parts: map[string]partStatus{}}
}

// expect says that a part reports at least once in a time.
func (s *status) expect(part string, maxSilence time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.parts[part] = partStatus{reported: time.Now(), maxSilence: maxSilence}
}

// stuck returns an error if a part has not reported for too long.
func (s *status) stuck() error {
	for name, part := range s.all() {
		if silence := time.Since(part.reported); part.maxSilence > 0 && silence > part.maxSilence {
			return fmt.Errorf("%s is stuck: it has not reported for %s", name, silence.Round(time.Second))
		}
	}
	return nil
}

// report says how a part did: err is nil if it worked. A part that was interrupted, because the
// gateway ends, did neither well nor badly.
func (s *status) report(part string, err error) {
	if errors.Is(err, context.Canceled) {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.parts[part]
	wasWell := now.Error == ""
	if err != nil {
		now.Error = err.Error()
		now.Failures++
	} else {
		now.Error = ""
		now.WorkedAt = daybook.Now()
	}
	now.reported = time.Now()
	s.parts[part] = now
	switch {
	case wasWell && err != nil:
		s.logger.Warn("failed", "part", part, "error", err)
	case !wasWell && err == nil:
		s.logger.Info("works again", "part", part, "failures", now.Failures)
	}
}

// all returns the status of all parts.
func (s *status) all() map[string]partStatus {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.parts)
}
