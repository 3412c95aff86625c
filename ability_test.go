// SPDX-License-Identifier: Apache-2.0

package daybook_test

import (
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
