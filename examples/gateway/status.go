// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"sync"
	"time"
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
	Worked   time.Time `json:"worked,omitzero"` // when it last did
	Error    string    `json:"error,omitempty"` // of the last time; empty: it worked
	Failures uint64    `json:"failures"`        // after the start of the gateway
}

func newStatus(logger *slog.Logger) *status {
	return &status{logger: logger, parts: map[string]partStatus{}}
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
		now.Worked = time.Now()
	}
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
