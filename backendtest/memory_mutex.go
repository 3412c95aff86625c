// SPDX-License-Identifier: Apache-2.0

package backendtest

import "context"

// mutex is a lock whose wait can end with a context. It has an element while it is free.
type mutex chan struct{}

func newMutex() mutex {
	m := make(mutex, 1)
	m.Unlock()
	return m
}

// Lock waits until the lock is free.
func (m mutex) Lock() { <-m }

// Unlock makes the lock free.
func (m mutex) Unlock() { m <- struct{}{} }

// lockContext waits until the lock is free, or returns the error of a context that ends.
func (m mutex) lockContext(ctx context.Context) error {
	if err := ctx.Err(); err != nil { // the lock may be free, too
		return err
	}
	select {
	case <-m:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// whileRunning returns a function that matches as the given one does until ctx ends, and nothing
// afterwards. So a loop over values ends soon. The caller must look at ctx when the loop is done.
func whileRunning(ctx context.Context, matches func(name string) bool) func(name string) bool {
	return func(name string) bool { return ctx.Err() == nil && matches(name) }
}
