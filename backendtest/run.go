// SPDX-License-Identifier: Apache-2.0

package backendtest

import (
	"io"
	"math"
	"testing"

	"github.com/daybook-db/daybook"
)

// Capabilities declares the limits of a backend: which promises of package daybook the suite does
// not expect of it. The zero value is the strictest: the backend keeps all promises.
type Capabilities struct {
	// MaxTimestamp is the greatest timestamp (Unix ms) that the backend can hold. Store and
	// StoreBatch must return daybook.ErrTimestampRange for greater ones. The bounds of a query and
	// the argument of Cleanup may still be any uint64. 0: the backend holds every uint64.
	MaxTimestamp uint64
	// EqualJSON means that the backend may return other bytes than those stored, as long as
	// encoding/json decodes both to the same. RecordInfo.Bytes is then not compared.
	EqualJSON bool
	// ScanBlocksWrites means that Store waits until all running Scans have ended. A Store inside
	// the loop of a Scan would wait for ever, so the suite calls none.
	ScanBlocksWrites bool
	// SkipClose means that the suite does not call Close, nor tests what follows it.
	SkipClose bool
}

func (c Capabilities) maxTimestamp() uint64 {
	if c.MaxTimestamp == 0 {
		return math.MaxUint64
	}
	return c.MaxTimestamp
}

// theme is a group of promises. It has a file of its own.
type theme struct {
	name  string
	needs ability // zero: the methods of daybook.Backend are enough
	cases []testCase
}

// testCase is a subtest with a new backend.
type testCase struct {
	name string
	why  string // the promise that a failure breaks
	run  func(s *subject)
}

// ability is an optional interface, which a backend has itself or through its Unwrap.
type ability struct {
	name string
	of   func(daybook.Backend) bool // reports whether a backend has it
}

var (
	batchStorer  = ability{"daybook.BatchStorer", has[daybook.BatchStorer]}
	scanner      = ability{"daybook.Scanner", has[daybook.Scanner]}
	recordLister = ability{"daybook.RecordLister", has[daybook.RecordLister]}
	pruner       = ability{"daybook.Pruner", has[daybook.Pruner]}
	watcher      = ability{"daybook.Watcher", has[daybook.Watcher]}
	changeSource = ability{"daybook.ChangeSource", has[daybook.ChangeSource]}
	statser      = ability{"daybook.Statser", has[daybook.Statser]}
	holder       = ability{"daybook.Holder with daybook.ChangeSource", hasHolds}
	receiver     = ability{"daybook.Receiver", has[daybook.Receiver]}
	clockMemory  = ability{"daybook.ClockMemory", has[daybook.ClockMemory]}
	closer       = ability{"io.Closer", has[io.Closer]}
)

func has[T any](backend daybook.Backend) bool {
	_, ok := daybook.As[T](backend)
	return ok
}

// hasHolds also wants Changes, because a hold is set at a place that Changes yields.
func hasHolds(backend daybook.Backend) bool {
	return has[daybook.Holder](backend) && changeSource.of(backend)
}

var themes = []theme{
	{"ordering", ability{}, orderingCases},
	{"equal times", ability{}, equalTimeCases},
	{"ranges", ability{}, rangeCases},
	{"limits", ability{}, limitCases},
	{"places", ability{}, placeCases},
	{"timestamps", ability{}, timestampCases},
	{"glob", ability{}, globCases},
	{"topic", ability{}, topicCases},
	{"names", ability{}, nameCases},
	{"values", ability{}, valueCases},
	{"errors", ability{}, errorCases},
	{"initialize", ability{}, initializeCases},
	{"cleanup", ability{}, cleanupCases},
	{"contexts", ability{}, contextCases},
	{"concurrency", ability{}, concurrencyCases},
	{"batches", batchStorer, batchCases},
	{"scan", scanner, scanCases},
	{"records", recordLister, recordCases},
	{"prune", pruner, pruneCases},
	{"watch", watcher, watchCases},
	{"changes", changeSource, changeCases},
	{"stats", statser, statsCases},
	{"holds", holder, holdCases},
	{"receive", receiver, receiveCases},
	{"clock", clockMemory, clockCases},
	{"maintenance", ability{}, maintenanceCases},
	{"closing", closer, closingCases},
}

// Run runs the suite on the backends that open returns. Each of them must be new, empty and
// independent of the others. limits is what the suite does not expect of them.
func Run(t *testing.T, open func(t *testing.T) daybook.Backend, limits Capabilities) {
	t.Helper()
	sample := openSample(t, open, limits)
	for _, theme := range themes {
		if missing(t, theme, sample, limits) {
			continue
		}
		t.Run(theme.name, func(t *testing.T) {
			for _, test := range theme.cases {
				t.Run(test.name, func(t *testing.T) { test.run(newSubject(t, open, limits, test)) })
			}
		})
	}
}

// openSample returns a closed backend, whose type shows which abilities there are.
func openSample(t *testing.T, open func(t *testing.T) daybook.Backend, limits Capabilities) daybook.Backend {
	t.Helper()
	sample := open(t)
	if closing, ok := daybook.As[io.Closer](sample); ok && !limits.SkipClose {
		if err := closing.Close(); err != nil {
			t.Errorf("Close of a backend that was not used: %v", err)
		}
	}
	return sample
}

// missing reports whether a theme is left out because the backend lacks its ability, and logs that.
func missing(t *testing.T, theme theme, sample daybook.Backend, limits Capabilities) bool {
	t.Helper()
	switch {
	case theme.needs.of == nil:
		return false
	case !theme.needs.of(sample):
		t.Logf("%s is left out: %T is no %s", theme.name, sample, theme.needs.name)
		return true
	case theme.needs.name == closer.name && limits.SkipClose:
		t.Logf("%s is left out: Capabilities.SkipClose", theme.name)
		return true
	}
	return false
}
