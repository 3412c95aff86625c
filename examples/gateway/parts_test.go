// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/backendtest"
)

// partsOf returns the parts that use a backend.
func partsOf(t *testing.T, backend daybook.Backend) map[string]part {
	return map[string]part{
		"poll":    (&poller{backend: backend, interval: time.Second, status: quiet()}).run,
		"alarms":  (&alarms{backend: backend, status: quiet()}).run,
		"forward": forwarderTo(&target{}, backend).run,
		"backup":  (&backups{backend: backend, path: t.TempDir() + "/backup", now: time.Now, status: quiet()}).run,
	}
}

// A backend that lacks what a part needs is an error at the start, not silence.
func TestPartsNeedAbilities(t *testing.T) {
	plain := struct{ daybook.Backend }{backendtest.NewMemory()}
	for name, run := range partsOf(t, plain) {
		if err := run(t.Context()); !errors.Is(err, errors.ErrUnsupported) {
			t.Errorf("%s returned %v; want ErrUnsupported", name, err)
		}
	}
}

// No part goes on when the backend will never work again.
func TestPartsEndWithTheBackend(t *testing.T) {
	closed := backendtest.NewMemory()
	if err := closed.Close(); err != nil {
		t.Fatal(err)
	}
	disk := &copier{Backend: closed, now: time.Now, errs: []error{daybook.ErrClosed}}
	for name, run := range partsOf(t, disk) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		if err := run(ctx); !errors.Is(err, daybook.ErrClosed) {
			t.Errorf("%s returned %v; want ErrClosed", name, err)
		}
		cancel()
	}
}

func TestStatusLogsChanges(t *testing.T) {
	var log bytes.Buffer
	s := newStatus(slog.New(slog.NewTextHandler(&log, nil)))
	for _, err := range []error{
		nil, daybook.ErrNoSpace, daybook.ErrNoSpace, context.Canceled, daybook.ErrNoSpace, nil, nil,
	} {
		s.report("poll", err)
	}
	lines := strings.Split(strings.TrimSpace(log.String()), "\n")
	if len(lines) != 2 || !strings.Contains(lines[0], "no space left") || !strings.Contains(lines[1], "failures=3") {
		t.Errorf("logged %q; want a line for the beginning of three failures, and one for their end", lines)
	}
}
