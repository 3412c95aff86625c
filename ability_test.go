// SPDX-License-Identifier: Apache-2.0

package daybook_test

import (
	"context"
	"encoding/json"
	"testing"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/backendtest"
)

// wrapper is a backend that has no ability of its own.
type wrapper struct{ daybook.Backend }

func (w wrapper) Unwrap() daybook.Backend { return w.Backend }

// opaque hides the abilities of its backend.
type opaque struct{ daybook.Backend }

// scanning is a wrapper with an ability.
type scanning struct {
	wrapper
	daybook.Scanner
}

// prefixed is a wrapper that gives its records other names.
type prefixed struct{ wrapper }

func (p prefixed) Store(ctx context.Context, record string, value json.RawMessage, timestamp uint64) error {
	return p.Backend.Store(ctx, "p."+record, value, timestamp)
}

func (p prefixed) Query(
	ctx context.Context, pattern string, params daybook.QueryParams,
) ([]daybook.StoredValue, error) {
	return p.Backend.Query(ctx, "p."+pattern, params)
}

// TestWrapperSeesAll stores and queries through a wrapper, whose backend is a BatchStorer and a
// Scanner. No call may pass the wrapper's own methods.
func TestWrapperSeesAll(t *testing.T) {
	backend := prefixed{wrapper{backendtest.NewMemory()}}
	values := make(chan int, 3)
	for i := range 3 {
		values <- i
	}
	close(values)
	if err := daybook.Persist(t.Context(), backend, "r", values, nil); err != nil {
		t.Fatal(err)
	}
	all, err := backend.Backend.Query(t.Context(), "p.r", daybook.QueryParams{})
	if err != nil || len(all) != 3 {
		t.Errorf("%d values were stored by the wrapper's Store, %v; want 3", len(all), err)
	}
	found, err := daybook.QueryLatest[int](t.Context(), backend, "r", 5)
	if err != nil || len(found) != 3 {
		t.Errorf("%d values were found by the wrapper's Query, %v; want 3", len(found), err)
	}
}

func TestAs(t *testing.T) {
	memory := backendtest.NewMemory()
	own := scanning{wrapper{memory}, memory}
	for _, test := range []struct {
		name    string
		backend daybook.Backend
		want    daybook.Scanner // nil: none
		reason  string
	}{
		{"nil", nil, nil, "there is no backend"},
		{"the backend itself", memory, memory, "it is a Scanner"},
		{"wrapped twice", wrapper{wrapper{memory}}, memory, "wrappers keep abilities"},
		{"opaque", wrapper{opaque{memory}}, nil, "without Unwrap the abilities are hidden"},
		{"wrapper with the ability", wrapper{own}, own, "the outermost Scanner sees the calls"},
		{"wrapper of nil", wrapper{}, nil, "there is no backend"},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, ok := daybook.As[daybook.Scanner](test.backend)
			if ok != (test.want != nil) || got != test.want {
				t.Errorf("got %T, %v; want %T (%s)", got, ok, test.want, test.reason)
			}
		})
	}
}
