// SPDX-License-Identifier: Apache-2.0

package retention

import (
	"time"

	"golang.org/x/sys/windows"
)

// bootTime returns the time since the machine was started, including the time that it was asleep.
func bootTime() time.Duration { return windows.DurationSinceBoot() }
