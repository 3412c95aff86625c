// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/backendtest"
)

// ask sends a request to the handler of a gateway.
func ask(t *testing.T, a *api, method, path, body string) *httptest.ResponseRecorder {
	t.Helper()
	answer := httptest.NewRecorder()
	a.handler().ServeHTTP(answer, httptest.NewRequestWithContext(t.Context(), method, path, strings.NewReader(body)))
	return answer
}

func TestHealth(t *testing.T) {
	memory := backendtest.NewMemory()
	a := &api{backend: memory, status: quiet()}
	a.status.report("poll", nil)
	a.status.report("forward", errors.New("no route"))

	answer := ask(t, a, http.MethodGet, "/healthz", "")
	if answer.Code != http.StatusOK {
		t.Errorf("/healthz answered %d; want 200", answer.Code)
	}
	var got map[string]any
	if err := json.Unmarshal(answer.Body.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"parts", "stats", "status"}, slices.Sorted(maps.Keys(got))); diff != "" {
		t.Errorf("keys (-want +got):\n%s", diff)
	}
	parts := got["parts"].(map[string]any)
	for part, want := range map[string][]string{"poll": {"failures", "worked_at"}, "forward": {"error", "failures"}} {
		if diff := cmp.Diff(want, slices.Sorted(maps.Keys(parts[part].(map[string]any)))); diff != "" {
			t.Errorf("keys of %s (-want +got):\n%s", part, diff)
		}
	}

	stats := got["stats"].(map[string]any)
	for _, key := range []string{"values", "disk_bytes", "store_failures", "values_deleted", "values_dropped"} {
		if _, ok := stats[key]; !ok {
			t.Errorf("the stats have no %q, which an operator looks at: %v", key, stats)
		}
	}
}

// failed is a backend whose log takes no more writes.
type failed struct{ *backendtest.Memory }

func (f failed) Stats(ctx context.Context) (daybook.Stats, error) {
	stats, err := f.Memory.Stats(ctx)
	stats.Failed = "no sync"
	return stats, err
}

func TestHealthFails(t *testing.T) {
	closed := backendtest.NewMemory()
	if err := closed.Close(); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		backend daybook.Backend
		want    string
	}{
		"its log failed":  {failed{backendtest.NewMemory()}, "no sync"},
		"it was closed":   {closed, daybook.ErrClosed.Error()},
		"it has no stats": {struct{ daybook.Backend }{closed}, errors.ErrUnsupported.Error()},
	} {
		answer := ask(t, &api{backend: test.backend, status: quiet()}, http.MethodGet, "/healthz", "")
		var got health
		if err := json.Unmarshal(answer.Body.Bytes(), &got); err != nil {
			t.Error(err)
		}
		if answer.Code != http.StatusServiceUnavailable || got.Status != "failed" || got.Error != test.want {
			t.Errorf("%s: /healthz answered %d, %+v; want 503, and %q", name, answer.Code, got, test.want)
		}
	}
}

func TestLatest(t *testing.T) {
	memory := backendtest.NewMemory()
	for at, celsius := range []float64{21, 22} {
		if err := daybook.StoreAs(t.Context(), memory, "sensor.boiler", reading{celsius}, uint64(at)); err != nil {
			t.Fatal(err)
		}
	}
	a := &api{backend: memory, status: quiet()}
	answer := ask(t, a, http.MethodGet, "/latest?pattern=sensor.*", "")
	want := `[{"record_name":"sensor.boiler","value":{"value":22},"stored_at":1}]` + "\n"
	if got := answer.Body.String(); answer.Code != http.StatusOK || got != want {
		t.Errorf("/latest answered %d, %s; want %s", answer.Code, got, want)
	}
	answer = ask(t, a, http.MethodGet, "/latest?pattern=none", "")
	if got := answer.Body.String(); answer.Code != http.StatusOK || got != "[]\n" {
		t.Errorf("/latest of no record answered %d, %s; want []", answer.Code, got)
	}
	if answer = ask(t, a, http.MethodGet, "/latest?pattern=%5C", ""); answer.Code != http.StatusBadRequest {
		t.Errorf("a malformed pattern: %d; want 400", answer.Code)
	}
}

func TestPage(t *testing.T) {
	a := &api{backend: backendtest.NewMemory(), status: quiet()}
	answer := ask(t, a, http.MethodGet, "/", "")
	if answer.Code != http.StatusOK || !strings.Contains(answer.Body.String(), `new EventSource("live")`) {
		t.Errorf("/ answered %d, %s; want the live page", answer.Code, answer.Body)
	}
	if answer := ask(t, a, http.MethodGet, "/elsewhere", ""); answer.Code != http.StatusNotFound {
		t.Errorf("/elsewhere answered %d; want 404", answer.Code)
	}
}

func TestConfigure(t *testing.T) {
	disk := &badDisk{Backend: backendtest.NewMemory()}
	a := &api{backend: disk, status: quiet()}
	for name, body := range map[string]string{
		"a limit that is no object": `{"boiler":80}`,
		"an unknown field":          `{"boiler":{"above":80,"hysterese":5}}`,
		"something after it":        `{"boiler":{"above":80}} {}`,
		"garbage after it":          `{"boiler":{"above":80}}x`,
		"null":                      `null`,
		"a limit that is null":      `{"boiler":null}`,
		"no limit":                  `{"boiler":{"hysteresis":5}}`,
		"a limit of null":           `{"boiler":{"above":null}}`,
		"no number":                 `{"boiler":{"above":NaN}}`,
		"a number out of range":     `{"boiler":{"above":1e999}}`,
		"a negative hysteresis":     `{"boiler":{"above":80,"hysteresis":-1}}`,
		"nothing":                   ``,
		"too much":                  strings.Repeat(" ", 2<<20) + `{}`,
	} {
		if answer := ask(t, a, http.MethodPut, "/config/alarms", body); answer.Code != http.StatusBadRequest {
			t.Errorf("%s: %d; want 400", name, answer.Code)
		}
	}
	answer := ask(t, a, http.MethodPut, "/config/alarms", `{"boiler":{"above":80,"hysteresis":5}}`)
	if answer.Code != http.StatusNoContent {
		t.Errorf("limits: %d, %s; want 204", answer.Code, answer.Body)
	}
	want := []string{`config.alarms {"boiler":{"above":80,"hysteresis":5}}`}
	if diff := cmp.Diff(want, values(t, disk, "*")); diff != "" {
		t.Errorf("stored (-want +got):\n%s", diff)
	}
	disk.fail(daybook.ErrNoSpace)
	if answer := ask(t, a, http.MethodPut, "/config/alarms", `{}`); answer.Code != http.StatusInsufficientStorage {
		t.Errorf("a full disk: %d; want 507", answer.Code)
	}
}

func TestLive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		memory := backendtest.NewMemory()
		a := &api{backend: memory, status: quiet()}
		answer := make(chan *httptest.ResponseRecorder)
		go func() { answer <- ask(t, a, http.MethodGet, "/live?pattern=sensor.*", "") }()
		time.Sleep(time.Second)
		if err := daybook.StoreAs(t.Context(), memory, "sensor.boiler", reading{21}, 1000); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if err := memory.Close(); err != nil { // ends the watch
			t.Fatal(err)
		}
		got := (<-answer).Body.String()
		const want = `data: {"record_name":"sensor.boiler","value":{"value":21},"stored_at":1000,"cursor":"`
		if !strings.HasPrefix(got, "id: ") || !strings.Contains(got, want) || !strings.HasSuffix(got, "\n\n") {
			t.Errorf("/live sent %q; want an event with an id and %s", got, want)
		}
	})
}

// Neither a client that listens, nor a connection that a browser opened ahead, delays the end.
func TestServeEndsSoon(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	a := &api{backend: backendtest.NewMemory(), status: quiet()}
	stop := start(t, func(ctx context.Context) error { return serve(ctx, listener, a.handler()) })
	unused, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer unused.Close()
	live, err := http.Get("http://" + listener.Addr().String() + "/live")
	if err != nil {
		t.Fatal(err)
	}
	defer live.Body.Close()

	began := time.Now()
	stop()
	if took := time.Since(began); took > 4*time.Second { // a connection that is not ended delays it for 5 s
		t.Errorf("the end took %s; want a moment", took)
	}
	if _, err := io.ReadAll(live.Body); err != nil {
		t.Errorf("/live was broken off: %v; want an orderly end", err)
	}
}
