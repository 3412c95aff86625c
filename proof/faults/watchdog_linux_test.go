// SPDX-License-Identifier: Apache-2.0

//go:build amd64 || arm64

package faults

import (
	"fmt"
	"os"
	"runtime/pprof"
	"strings"
	"sync"
	"time"
)

// patience is how long a call may take.
const patience = 20 * time.Second

// watchdog ends the test binary, with the stacks of all goroutines, when a run makes no progress: a call that
// hangs cannot be ended in any other way.
type watchdog struct {
	mu    sync.Mutex // guards what follows
	run   string
	calls []string
	timer *time.Timer
}

func newWatchdog(run string) *watchdog {
	w := &watchdog{run: run}
	w.timer = time.AfterFunc(patience, w.bite)
	return w
}

// progress notes the calls so far, the last of which begins or has ended.
func (w *watchdog) progress(calls []string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.calls = append(w.calls[:0], calls...)
	w.timer.Reset(patience)
}

func (w *watchdog) stop() { w.timer.Stop() }

func (w *watchdog) bite() {
	w.mu.Lock()
	defer w.mu.Unlock()
	_ = pprof.Lookup("goroutine").WriteTo(os.Stderr, 2)
	panic(fmt.Sprintf("run %s hangs:\n%s", w.run, strings.Join(w.calls, "\n")))
}
