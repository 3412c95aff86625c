// SPDX-License-Identifier: Apache-2.0

package daybook_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/backendtest"
)

func TestPersistEndsWithTheChannel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &canned{}
		values := make(chan reading)
		go func() {
			defer close(values)
			for i := range 3 {
				values <- reading{float64(i)}
				time.Sleep(time.Second)
			}
		}()
		start := daybook.Now()
		if err := daybook.Persist(t.Context(), c, "r", values, nil); err != nil {
			t.Fatal(err)
		}
		var want []daybook.StoredValue
		for i := range uint64(3) {
			value := json.RawMessage(fmt.Sprintf(`{"celsius":%d}`, i))
			want = append(want, daybook.StoredValue{RecordName: "r", Value: value, StoredAt: start + 1000*i})
		}
		if diff := cmp.Diff(want, c.values); diff != "" {
			t.Errorf("stored (-want +got):\n%s", diff)
		}
	})
}

func TestPersistEndsWithAPermanentError(t *testing.T) {
	tests := []struct {
		name   string
		record string
		fail   error
		want   error
		reason string
	}{
		{"closed backend", "r", daybook.ErrClosed, daybook.ErrClosed, "no later value can be stored"},
		{"read-only backend", "r", daybook.ErrReadOnly, daybook.ErrReadOnly, "no later value can be stored"},
		{"nil backend in an interface", "r", daybook.ErrNotConfigured, daybook.ErrNotConfigured,
			"no later value can be stored"},
		{"bad name", "", nil, daybook.ErrInvalidName, "no value can be stored under this name"},
		{"full disk", "r", daybook.ErrNoSpace, nil, "there may be room for the next value"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			captureLog(t)
			values := make(chan int, 2)
			values <- 1
			values <- 2
			close(values)
			err := daybook.Persist(t.Context(), &canned{fail: test.fail}, test.record, values, nil)
			if !errors.Is(err, test.want) {
				t.Errorf("Persist: got %v; want %v: %s", err, test.want, test.reason)
			}
		})
	}
}

func TestPersistSkipsValuesThatCannotBeEncoded(t *testing.T) {
	logged := captureLog(t)
	c := &canned{}
	values := make(chan any, 2)
	values <- func() {}
	values <- 7
	close(values)
	if err := daybook.Persist(t.Context(), c, "r", values, nil); err != nil {
		t.Fatal(err)
	}
	if len(c.values) != 1 || string(c.values[0].Value) != "7" || !strings.Contains(logged.String(), "was not stored") {
		t.Errorf("stored %v, logged %q; want the 7, and one value logged as not stored", c.values, logged)
	}
}

func TestPersistEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := daybook.Persist(ctx, &canned{}, "r", make(chan int), nil); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Persist: got %v; want context.DeadlineExceeded", err)
		}
	})
}

// slow is a backend whose stores take a second. It must be given contexts that do not end.
type slow struct {
	*backendtest.Memory
	fail map[string]error // of stores of values with this JSON
}

func (s *slow) wait(ctx context.Context, values ...daybook.StoredValue) error {
	for _, v := range values {
		if err := s.fail[string(v.Value)]; err != nil {
			return err
		}
	}
	time.Sleep(time.Second)
	return ctx.Err()
}

func (s *slow) Store(ctx context.Context, recordName string, value json.RawMessage, timestamp uint64) error {
	if err := s.wait(ctx, daybook.StoredValue{Value: value}); err != nil {
		return err
	}
	return s.Memory.Store(ctx, recordName, value, timestamp)
}

func (s *slow) StoreBatch(ctx context.Context, values []daybook.StoredValue) error {
	if err := s.wait(ctx, values...); err != nil {
		return err
	}
	return s.Memory.StoreBatch(ctx, values)
}

func storedValues(t *testing.T, backend daybook.Backend) []string {
	t.Helper()
	stored, err := backend.Query(t.Context(), "*", daybook.QueryParams{Order: daybook.OldestFirst})
	if err != nil {
		t.Fatal(err)
	}
	texts := []string{}
	for _, v := range stored {
		texts = append(texts, fmt.Sprintf("%s=%s", v.RecordName, v.Value))
	}
	return texts
}

// TestPersistStoresWhatWasSent ends the context at some moment while values are sent. Each value
// that was sent before Persist returned must be stored.
func TestPersistStoresWhatWasSent(t *testing.T) {
	for _, buffer := range []int{0, 1, 100} {
		for _, maxBatch := range []int{0, 1, 7} {
			t.Run(fmt.Sprintf("buffer %d, batches of %d", buffer, maxBatch), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second+time.Millisecond)
					defer cancel()
					values, sent := make(chan int, buffer), []string{}
					ended := make(chan error)
					s := &slow{Memory: backendtest.NewMemory()}
					go func() {
						ended <- daybook.Persist(ctx, s, "r", values, &daybook.PersistOptions[int]{MaxBatch: maxBatch})
					}()
					for i := 0; ctx.Err() == nil; i++ {
						select {
						case values <- i:
							sent = append(sent, fmt.Sprintf("r=%d", i))
						case <-ctx.Done():
						}
						time.Sleep(300 * time.Millisecond)
					}
					if err := <-ended; !errors.Is(err, context.DeadlineExceeded) {
						t.Errorf("Persist: got %v; want context.DeadlineExceeded", err)
					}
					if diff := cmp.Diff(sent, storedValues(t, s)); diff != "" || len(sent) < 15 {
						t.Errorf("%d sent; stored (-want +got):\n%s", len(sent), diff)
					}
				})
			})
		}
	}
}

func TestPersistOptions(t *testing.T) {
	values := make(chan int, 5)
	for i := range cap(values) {
		values <- i
	}
	close(values)
	memory := backendtest.NewMemory()
	err := daybook.Persist(t.Context(), memory, "ignored", values, &daybook.PersistOptions[int]{
		RecordName: func(value int) string { return fmt.Sprintf("r%d", value%2) },
		Timestamp:  func(value int) uint64 { return uint64(100 + value) },
		MaxBatch:   2,
	})
	if err != nil {
		t.Fatal(err)
	}
	stored, err := memory.Query(t.Context(), "*", daybook.Latest(1))
	if err != nil {
		t.Fatal(err)
	}
	want := []daybook.StoredValue{
		{RecordName: "r0", Value: json.RawMessage("4"), StoredAt: 104},
		{RecordName: "r1", Value: json.RawMessage("3"), StoredAt: 103},
	}
	if diff := cmp.Diff(want, stored); diff != "" {
		t.Errorf("stored (-want +got):\n%s", diff)
	}
}

// TestPersistFailures gives Persist values of which some cannot be stored.
func TestPersistFailures(t *testing.T) {
	for _, test := range []struct {
		name   string
		fail   map[string]error
		want   []string // what is stored
		failed []int
		err    error
		reason string
	}{
		{"none", nil, []string{"r=0", "r=1", "r=2", "r=3"}, nil, nil, "all are stored"},
		{"one value", map[string]error{"1": daybook.ErrInvalidValue}, []string{"r=0", "r=2", "r=3"}, []int{1}, nil,
			"the others of its batch can be stored"},
		{"full disk", map[string]error{"1": daybook.ErrNoSpace}, []string{"r=3"}, []int{0, 1, 2}, nil,
			"a batch is stored whole or not at all, and there may be room for the next one"},
		{"closed", map[string]error{"3": daybook.ErrClosed}, []string{"r=0", "r=1", "r=2"}, []int{3}, daybook.ErrClosed,
			"no later value can be stored"},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &slow{Memory: backendtest.NewMemory(), fail: test.fail}
				values := make(chan int, 4)
				for i := range cap(values) {
					values <- i
				}
				close(values)
				var failed []int
				err := daybook.Persist(t.Context(), s, "r", values, &daybook.PersistOptions[int]{
					MaxBatch: 3,
					Failed: func(value int, err error) {
						failed = append(failed, value)
						if err == nil {
							t.Errorf("value %d failed without an error", value)
						}
					},
				})
				if !errors.Is(err, test.err) {
					t.Errorf("Persist: got %v; want %v", err, test.err)
				}
				if diff := cmp.Diff(test.failed, failed); diff != "" {
					t.Errorf("%s: failed (-want +got):\n%s", test.reason, diff)
				}
				if diff := cmp.Diff(test.want, storedValues(t, s)); diff != "" {
					t.Errorf("%s: stored (-want +got):\n%s", test.reason, diff)
				}
			})
		})
	}
}

func TestPersistRefusesANegativeBatch(t *testing.T) {
	opts := &daybook.PersistOptions[int]{MaxBatch: -1}
	err := daybook.Persist(t.Context(), backendtest.NewMemory(), "r", make(chan int), opts)
	if !errors.Is(err, daybook.ErrInvalidParams) {
		t.Errorf("got %v; want ErrInvalidParams", err)
	}
}
