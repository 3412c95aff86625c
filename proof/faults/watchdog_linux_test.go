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

// patience is the longest time that a call may take. A busy machine once took more than 20 seconds
// for an Open.
const patience = 90 * time.Second

// watchdog ends the test binary when a run makes no progress, and prints the stacks of all
// goroutines. There is no other way to end a call that hangs.
type watchdog struct {
	mu    sync.Mutex // guards calls
	run   string
	calls []string
	timer *time.Timer
}

func newWatchdog(run string) *watchdog {
	w := &watchdog{run: run}
	w.timer = time.AfterFunc(patience, w.bite)
	return w
}

// progress notes the calls so far. It is called when a call begins and when it ends.
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
