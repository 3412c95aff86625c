// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"iter"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/backendtest"
)

// target is the server that a forwarder sends to. It ignores values whose cursors it knows.
type target struct {
	isDown, losesAnswers atomic.Bool

	maxPost  int64 // size of the largest one, in bytes
	repeated int   // number of values that arrived again
	known    map[daybook.Cursor]bool
	taken    []string
}

// client returns a client whose requests all go to the target, without a network.
func (g *target) client() *http.Client {
	client := newClient()
	client.Transport = g
	return client
}

func (g *target) RoundTrip(r *http.Request) (*http.Response, error) {
	if g.isDown.Load() {
		return nil, errors.New("connection refused")
	}
	g.maxPost = max(g.maxPost, r.ContentLength)
	lines := bufio.NewScanner(r.Body)
	for lines.Scan() {
		if err := g.take(lines.Bytes()); err != nil {
			return nil, err
		}
	}
	answer := &http.Response{StatusCode: http.StatusNoContent, Body: http.NoBody}
	if g.losesAnswers.Load() {
		answer.StatusCode, answer.Status = http.StatusGatewayTimeout, "504 Gateway Timeout"
	}
	return answer, lines.Err()
}

func (g *target) take(line []byte) error {
	var change daybook.Change
	if err := json.Unmarshal(line, &change); err != nil {
		return err
	}
	if g.known[change.Cursor] {
		g.repeated++
		return nil
	}
	if g.known == nil {
		g.known = map[daybook.Cursor]bool{}
	}
	g.known[change.Cursor] = true
	g.taken = append(g.taken, change.RecordName+" "+string(change.Value))
	return nil
}

// wantTaken checks that each value of the backend's only record has arrived once, in order.
func (g *target) wantTaken(t *testing.T, backend daybook.Backend) {
	t.Helper()
	synctest.Wait()
	if diff := cmp.Diff(values(t, backend, "*"), g.taken); diff != "" {
		t.Errorf("arrived (-want +got):\n%s", diff)
	}
}

func forwarderTo(g *target, backend daybook.Backend) *forwarder {
	return &forwarder{
		backend: backend, url: "http://target/values", client: g.client(), maxBytes: 1 << 20, status: quiet(),
	}
}

// count stores the numbers from first to last, a minute apart.
func count(t *testing.T, backend daybook.Backend, first, last int) {
	t.Helper()
	for n := first; n <= last; n++ {
		if err := daybook.StoreAs(t.Context(), backend, "counter", n, daybook.Now()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
	}
}

func TestForward(t *testing.T) {
	tests := []struct {
		name   string
		reason string // why the row is here
		during func(g *target)
	}{
		{"the target works", "each value arrives soon", func(*target) {}},
		{"the target is down for hours", "nothing is lost meanwhile", func(g *target) { g.isDown.Store(true) }},
		{"answers get lost", "the same values are sent again", func(g *target) { g.losesAnswers.Store(true) }},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				memory, g := backendtest.NewMemory(), &target{}
				count(t, memory, 1, 10) // before the first start
				test.during(g)
				f := forwarderTo(g, memory)
				stop := start(t, f.run)
				count(t, memory, 11, 200)
				g.isDown.Store(false)
				g.losesAnswers.Store(false)
				time.Sleep(maxRetry)
				g.wantTaken(t, memory)
				stop()

				stop = start(t, forwarderTo(g, memory).run) // it goes on where the last one was
				before := g.repeated
				count(t, memory, 201, 210)
				stop()
				g.wantTaken(t, memory)
				if g.repeated != before {
					t.Errorf("%d values came again after a restart; want none", g.repeated-before)
				}
			})
		})
	}
}

// After an outage of hours, one of a second is no reason to wait for a minute.
func TestForwardRetriesSoon(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		memory, g := backendtest.NewMemory(), &target{}
		stop := start(t, forwarderTo(g, memory).run)
		g.isDown.Store(true)
		count(t, memory, 1, 100)
		g.isDown.Store(false)
		time.Sleep(maxRetry)
		g.isDown.Store(true)
		if err := daybook.StoreAs(t.Context(), memory, "counter", 101, daybook.Now()); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		g.isDown.Store(false)
		time.Sleep(2 * minRetry)
		stop()
		g.wantTaken(t, memory)
	})
}

func TestForwardAdvancesTheHold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		memory, g := backendtest.NewMemory(), &target{}
		stop := start(t, forwarderTo(g, memory).run)
		count(t, memory, 1, 5)
		g.isDown.Store(true)
		count(t, memory, 6, 8)
		stop()
		if deleted, err := memory.Cleanup(t.Context(), daybook.Now()); deleted != 5 || err != nil {
			t.Errorf("Cleanup deleted %d, %v; want the 5 values that have arrived", deleted, err)
		}
	})
}

// advances counts the calls of AdvanceHold, each of which writes to the tree.
type advances struct {
	*backendtest.Memory
	number int
}

func (b *advances) AdvanceHold(ctx context.Context, name string, at daybook.Cursor) error {
	b.number++
	return b.Memory.AdvanceHold(ctx, name, at)
}

func TestForwardSavesItsPlaceNowAndThen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, g := &advances{Memory: backendtest.NewMemory()}, &target{}
		stop := start(t, forwarderTo(g, b).run)
		for n := range 600 {
			if err := daybook.StoreAs(t.Context(), b, "counter", n, daybook.Now()); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Second)
		}
		stop()
		g.wantTaken(t, b)
		if b.number < 10 || b.number > 12 {
			t.Errorf("saved %d times in ten minutes; want once a minute, and at the end", b.number)
		}
		holds, err := b.Holds(t.Context())
		if err != nil || len(holds) != 1 || holds[0].Values != 0 {
			t.Errorf("the holds are %+v, %v; want one that has nothing left to spare", holds, err)
		}
	})
}

func TestForwardInBatches(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		memory, g := backendtest.NewMemory(), &target{}
		const size = 50_000
		for range 40 {
			text := strings.Repeat("x", size)
			if err := daybook.StoreAs(t.Context(), memory, "log", text, daybook.Now()); err != nil {
				t.Fatal(err)
			}
		}
		stop := start(t, forwarderTo(g, memory).run)
		synctest.Wait()
		stop()
		if most := int64(maxBatchBytes + size + 1000); g.maxPost > most || len(g.taken) != 40 {
			t.Errorf("%d values in posts of up to %d bytes; want 40, of up to %d", len(g.taken), g.maxPost, most)
		}
	})
}

// faulty is a backend whose changes have a fault at some sequence numbers.
type faulty struct {
	*backendtest.Memory
	fault func(at daybook.Cursor) error
}

func (b *faulty) Changes(ctx context.Context, params daybook.ChangesParams) iter.Seq2[daybook.Change, error] {
	return func(yield func(daybook.Change, error) bool) {
		for change, err := range b.Memory.Changes(ctx, params) {
			if fault := b.fault(change.Cursor); err == nil && !change.IsPlace() && fault != nil {
				yield(daybook.Change{}, fault)
				return
			}
			if !yield(change, err) {
				return
			}
		}
	}
}

func TestForwardStepsOverDamage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, g := &faulty{Memory: backendtest.NewMemory()}, &target{}
		b.fault = func(at daybook.Cursor) error {
			if at.Sequence != 3 && at.Sequence != 4 {
				return nil
			}
			from, through := at, at
			from.Sequence, through.Sequence = 3, 4
			return &daybook.DamagedChangesError{From: from, Through: through, Err: daybook.ErrCorrupt}
		}
		count(t, b, 1, 6)
		f := forwarderTo(g, b)
		stop := start(t, f.run)
		time.Sleep(time.Minute)
		stop()
		want := []string{"counter 1", "counter 2", "counter 5", "counter 6"}
		if diff := cmp.Diff(want, g.taken); diff != "" {
			t.Errorf("arrived (-want +got):\n%s", diff)
		}
		if got := f.status.all()["forward"]; got.Failures != 1 || got.Error != "" {
			t.Errorf("the status is %+v; want one failure, which is over", got)
		}
	})
}

func TestForwardGoesBackAfterAFork(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, g := &faulty{Memory: backendtest.NewMemory()}, &target{}
		isForked := false
		b.fault = func(at daybook.Cursor) error {
			if !isForked {
				return nil
			}
			isForked = false
			common := at
			common.Sequence = 2
			return &daybook.ForkedError{Common: common, Current: at}
		}
		f := forwarderTo(g, b)
		stop := start(t, f.run)
		count(t, b, 1, 4)
		synctest.Wait()
		isForked = true
		count(t, b, 5, 5)
		stop()
		if g.repeated != 2 || len(g.taken) != 5 {
			t.Errorf("%d values arrived, and %d again; want 5, and 2 again", len(g.taken), g.repeated)
		}
		if got := f.status.all()["forward"]; got.Failures != 1 {
			t.Errorf("the status is %+v; want one failure", got)
		}
	})
}

// A forwarder cannot work when its place can no longer be kept.
func TestForwardEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		memory := backendtest.NewMemory()
		f := forwarderTo(&target{}, memory)
		ended := make(chan error)
		go func() { ended <- f.run(t.Context()) }()
		synctest.Wait()
		if err := memory.Close(); err != nil {
			t.Fatal(err)
		}
		if err := <-ended; !errors.Is(err, daybook.ErrClosed) {
			t.Errorf("run returned %v; want ErrClosed", err)
		}
	})
}

// A server that has moved has not got the values, whatever the page answers that it points to.
func TestForwardFollowsNoRedirect(t *testing.T) {
	for _, code := range []int{301, 302, 303, 307, 308} {
		moved := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/values" {
				http.Redirect(w, r, "/login", code)
			}
		}))
		f := &forwarder{url: moved.URL + "/values", client: newClient()}
		f.batch.WriteString("{}\n")
		if err := f.post(t.Context()); err == nil || !strings.Contains(err.Error(), http.StatusText(code)) {
			t.Errorf("a redirect with %d: post returned %v; want an error that names it", code, err)
		}
		moved.Close()
	}
}

func TestForwardHidesThePassword(t *testing.T) {
	g := &target{}
	g.losesAnswers.Store(true)
	f := &forwarder{url: "http://gateway:secret@target/values", client: g.client()}
	refused := f.post(t.Context())
	g.isDown.Store(true)
	for _, err := range []error{refused, f.post(t.Context())} {
		if err == nil || strings.Contains(err.Error(), "secret") || !strings.Contains(err.Error(), "target/values") {
			t.Errorf("post returned %v; want an error with the URL, without its password", err)
		}
	}
}

// The connection is used again, also after an answer that has a body.
func TestForwardKeepsItsConnection(t *testing.T) {
	addresses := map[string]bool{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		addresses[r.RemoteAddr] = true
		_, _ = w.Write(make([]byte, 10_000))
	}))
	defer server.Close()
	f := &forwarder{url: server.URL, client: newClient()}
	for range 3 {
		if err := f.post(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if len(addresses) != 1 {
		t.Errorf("three batches took %d connections; want one", len(addresses))
	}
}
