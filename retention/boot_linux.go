// SPDX-License-Identifier: Apache-2.0

package retention

import (
	"time"

	"golang.org/x/sys/unix"
)

// bootTime returns the time since the machine was started, including the time that it was asleep.
func bootTime() time.Duration {
	var at unix.Timespec
	if unix.ClockGettime(unix.CLOCK_BOOTTIME, &at) != nil {
		return 0
	}
	return time.Duration(at.Nano())
}
