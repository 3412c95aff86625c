// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/engine"
)

// runUntil runs a gateway with the real engine until the condition holds.
func runUntil(t *testing.T, s settings, condition func(url string) bool) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithTimeout(t.Context(), time.Minute)
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- run(ctx, s, listener) }()
	for ctx.Err() == nil && !condition("http://"+listener.Addr().String()) {
		time.Sleep(10 * time.Millisecond)
	}
	if ctx.Err() != nil {
		t.Error("the condition does not hold after a minute")
	}
	stop()
	if err := <-ended; err != nil {
		t.Errorf("run returned %v; want nil at an orderly end", err)
	}
}

// get returns what the gateway answers, once it listens.
func get(t *testing.T, url string) string {
	t.Helper()
	answer, err := http.Get(url)
	if err != nil {
		t.Error(err)
		return ""
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != http.StatusOK {
		t.Errorf("%s answered %s, %s, %v", url, answer.Status, body, err)
	}
	return string(body)
}

// server is a target with a network, which keeps the changes that it gets. It ignores those that it
// has: at the end of a gateway the answer to a batch may get lost.
type server struct {
	*httptest.Server
	mu    sync.Mutex
	known map[daybook.Cursor]bool
	taken []daybook.Change
}

func newServer(t *testing.T) *server {
	s := &server{known: map[daybook.Cursor]bool{}}
	s.Server = httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		defer s.mu.Unlock()
		for lines := json.NewDecoder(r.Body); lines.More(); {
			var change daybook.Change
			if err := lines.Decode(&change); err != nil {
				t.Error(err)
				return
			}
			if !s.known[change.Cursor] {
				s.taken = append(s.taken, change)
			}
			s.known[change.Cursor] = true
		}
	}))
	t.Cleanup(s.Close)
	return s
}

func (s *server) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.taken)
}

// The gateway runs twice. What it has forwarded was acknowledged, so the directory must have it, in
// the same order and without gap.
func TestRun(t *testing.T) {
	target := newServer(t)
	s := settings{
		dir: t.TempDir(), poll: 5 * time.Millisecond, maxSize: 64 << 20, forward: target.URL,
		backup: filepath.Join(t.TempDir(), "history.daybook"), backupKeep: 2,
	}
	limits := strings.NewReader(`{"pump":{"above":0}}`)
	runUntil(t, s, func(url string) bool {
		if limits.Len() > 0 {
			request, _ := http.NewRequestWithContext(t.Context(), http.MethodPut, url+"/config/alarms", limits)
			if answer, err := http.DefaultClient.Do(request); err != nil || answer.StatusCode != http.StatusNoContent {
				t.Fatalf("limits: %v, %v", answer, err)
			}
		}
		_, err := os.Stat(s.backup)
		alarm := get(t, url+"/latest?pattern=alarm.*")
		return err == nil && strings.Contains(alarm, `"active":true`) && target.count() > 50
	})
	first := target.count()
	runUntil(t, s, func(url string) bool {
		return strings.Contains(get(t, url+"/healthz"), `"status":"ok"`) && target.count() > first+50
	})

	db, err := engine.Open(s.dir, &engine.Options{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var stored []daybook.Change
	for change, err := range db.Changes(t.Context(), daybook.ChangesParams{}) {
		if err != nil {
			t.Fatal(err)
		}
		stored = append(stored, change)
	}
	if len(stored) < len(target.taken) {
		t.Fatalf("the directory has %d changes; want the %d that were forwarded", len(stored), len(target.taken))
	}
	if diff := cmp.Diff(target.taken, slices.Clip(stored[:len(target.taken)])); diff != "" {
		t.Errorf("forwarded and stored differ (-forwarded +stored):\n%s", diff)
	}
}

// The other parts end with one that fails, so that the program ends and is started again.
func TestPartsEndTogether(t *testing.T) {
	failed := errors.New("no sync")
	err := runParts(t.Context(), map[string]part{
		"poll": func(context.Context) error { return failed },
		"http": func(ctx context.Context) error { <-ctx.Done(); return nil },
	})
	if !errors.Is(err, failed) || !strings.HasPrefix(err.Error(), "poll: ") {
		t.Errorf("runParts returned %v; want the error of poll, with its name", err)
	}
}

func TestRunFails(t *testing.T) {
	busy := t.TempDir()
	db, err := engine.Open(busy, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	tests := []struct {
		name     string
		settings settings
		want     error
	}{
		{"the directory is in use", settings{dir: busy, maxSize: 8 << 20}, daybook.ErrLocked},
		{"there are no rules", settings{dir: t.TempDir(), maxSize: 8 << 20, rules: "no such file"}, fs.ErrNotExist},
		{"the directory is too small", settings{dir: t.TempDir(), maxSize: 1}, daybook.ErrInvalidParams},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			listener, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			if err := run(t.Context(), test.settings, listener); !errors.Is(err, test.want) {
				t.Errorf("run returned %v; want %v", err, test.want)
			}
		})
	}
}
