// SPDX-License-Identifier: Apache-2.0

//go:build unix

package testenv

import (
	"syscall"
	"time"
)

// CPUTime returns the time that processors have worked for this process, in its own code and in the
// system's. On a busy machine it says more than the time that has passed.
func CPUTime() time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		panic(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
