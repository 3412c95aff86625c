// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/daybook-db/daybook"
)

//go:embed live.html
var livePage []byte

// shutdownGrace is how long the end of the program waits for connections. Browsers open some that
// they never use, and Shutdown would wait for these, too.
const shutdownGrace = 300 * time.Millisecond

// serve serves until ctx ends, and then waits a moment for the running requests. Those of live end
// with ctx.
func serve(ctx context.Context, listener net.Listener, handler http.Handler) error {
	server := http.Server{
		Handler:           handler,
		BaseContext:       func(net.Listener) context.Context { return ctx },
		ReadHeaderTimeout: 10 * time.Second,
	}
	defer server.Close()
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownGrace)
	defer cancel()
	_ = server.Shutdown(grace) // Close ends the rest
	return nil
}

// api answers over HTTP.
type api struct {
	backend daybook.Backend
	status  *status
}

func (a *api) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", page)
	mux.HandleFunc("GET /healthz", a.health)
	mux.HandleFunc("GET /latest", a.latest)
	mux.HandleFunc("GET /live", a.live)
	mux.HandleFunc("PUT /config/alarms", a.configure)
	return mux
}

// page answers with a page that shows the newest values, live.
func page(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = w.Write(livePage)
}

// health is what GET /healthz answers.
type health struct {
	Status string                `json:"status"` // "ok" or "failed"
	Error  string                `json:"error,omitempty"`
	Parts  map[string]partStatus `json:"parts"`
	Stats  daybook.Stats         `json:"stats"`
}

// health answers 503 if only a new start helps: the backend stores nothing until it is opened
// again, or a part is stuck. A full disk or a silent sensor is in the answer, and no reason for it.
func (a *api) health(w http.ResponseWriter, r *http.Request) {
	answer, code := health{Status: "ok", Parts: a.status.all()}, http.StatusOK
	var err error
	if answer.Stats, err = a.stats(r.Context()); err == nil {
		err = a.status.stuck()
	}
	if err != nil {
		answer.Status, answer.Error, code = "failed", err.Error(), http.StatusServiceUnavailable
	}
	writeJSON(w, code, answer)
}

// stats returns the numbers of the backend, and why it has failed.
func (a *api) stats(ctx context.Context) (daybook.Stats, error) {
	statser, ok := daybook.As[daybook.Statser](a.backend)
	if !ok {
		return daybook.Stats{}, errors.ErrUnsupported
	}
	stats, err := statser.Stats(ctx)
	if err == nil && stats.Failed != "" {
		err = errors.New(stats.Failed)
	}
	return stats, err
}

// latest answers with the newest value of each record.
func (a *api) latest(w http.ResponseWriter, r *http.Request) {
	values, err := a.backend.Query(r.Context(), pattern(r), daybook.Latest(1))
	if err != nil {
		writeError(w, err)
		return
	}
	if values == nil {
		values = []daybook.StoredValue{} // JSON has [] for it, and null for nil
	}
	writeJSON(w, http.StatusOK, values)
}

// live sends each value when it is stored, as server-sent events. A browser that is too slow misses
// values, and the event after them says how many.
func (a *api) live(w http.ResponseWriter, r *http.Request) {
	watcher, ok := daybook.As[daybook.Watcher](a.backend)
	if !ok {
		writeError(w, errors.ErrUnsupported)
		return
	}
	events, err := watcher.Watch(r.Context(), pattern(r), daybook.WatchParams{})
	if err != nil {
		writeError(w, err)
		return
	}
	w.Header().Set("Content-Type", "text/event-stream")
	control := http.NewResponseController(w)
	_ = control.Flush() // the header, because the first event may be far off
	for event := range events {
		line, err := json.Marshal(event)
		if err != nil {
			continue
		}
		_ = control.SetWriteDeadline(time.Now().Add(10 * time.Second))
		_, _ = fmt.Fprintf(w, "id: %s\ndata: %s\n\n", event.Cursor, line)
		if err := control.Flush(); err != nil {
			return // the client is gone, or does not read
		}
	}
}

// configure stores new limits of alarms.
func (a *api) configure(w http.ResponseWriter, r *http.Request) {
	configured, err := readLimits(http.MaxBytesReader(w, r.Body, 1<<20))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	if err := storeLimits(r.Context(), a.backend, configured); err != nil {
		writeError(w, err)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// pattern returns the record pattern that a request asks for.
func pattern(r *http.Request) string {
	return cmp.Or(r.FormValue("pattern"), "*")
}

func writeJSON(w http.ResponseWriter, code int, answer any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(answer) // the client may be gone
}

// writeError answers with the error of a backend.
func writeError(w http.ResponseWriter, err error) {
	code := http.StatusServiceUnavailable
	switch {
	case errors.Is(err, daybook.ErrInvalidPattern):
		code = http.StatusBadRequest
	case errors.Is(err, daybook.ErrNoSpace):
		code = http.StatusInsufficientStorage
	}
	http.Error(w, err.Error(), code)
}
