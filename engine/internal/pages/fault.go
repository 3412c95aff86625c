// SPDX-License-Identifier: Apache-2.0

package pages

import "sync/atomic"

// faultyRead returns the problem with a page that is about to be read; "" for none. Only tests set
// it. Without it a read takes one load of a pointer more.
var faultyRead atomic.Pointer[func(id uint64) (problem string)]

// FailReads is for tests: each read of a page of any image first asks fail for the problem with the
// page, until lift is called. A page that has one counts as damaged. bbolt's own reads do not ask.
func FailReads(fail func(id uint64) (problem string)) (lift func()) {
	faultyRead.Store(&fail)
	return func() { faultyRead.Store(nil) }
}

// faultOf returns the problem that a test wants the page to have.
func faultOf(id uint64) (problem string) {
	if fail := faultyRead.Load(); fail != nil {
		return (*fail)(id)
	}
	return ""
}
