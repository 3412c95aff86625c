// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"syscall"
)

// interruption is the cause of a context that a signal has canceled.
type interruption struct{ signal syscall.Signal }

func (i interruption) Error() string { return "interrupted by the signal " + i.signal.String() }

// status returns what shells report for a process that the signal ended.
func (i interruption) status() int { return 128 + int(i.signal) }

// untilInterrupted returns a copy of ctx that the first interruption cancels. Its cause is the
// interruption. Later signals do nothing until stop is called.
func untilInterrupted(ctx context.Context) (interrupted context.Context, stop func()) {
	interrupted, cancel := context.WithCancelCause(ctx)
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, interruptions()...)
	go func() {
		select {
		case received := <-signals:
			number, _ := received.(syscall.Signal) // each of interruptions is one
			cancel(interruption{number})
		case <-interrupted.Done():
		}
	}()
	return interrupted, func() {
		signal.Stop(signals)
		cancel(nil)
	}
}

// interruptions returns the signals after which a command closes its directory and ends. SIGHUP,
// which a closed terminal sends, is not one of them under nohup. Windows never sends it.
func interruptions() []os.Signal {
	signals := []os.Signal{os.Interrupt, syscall.SIGTERM}
	if !signal.Ignored(syscall.SIGHUP) {
		signals = append(signals, syscall.SIGHUP)
	}
	return signals
}

// interruptedStatus returns the exit status of a command that the end of ctx has interrupted.
func interruptedStatus(ctx context.Context) int {
	if by := (interruption{}); errors.As(context.Cause(ctx), &by) {
		return by.status()
	}
	return statusInterrupted
}
