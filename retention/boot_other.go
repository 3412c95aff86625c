// SPDX-License-Identifier: Apache-2.0

//go:build !linux && !windows

package retention

import "time"

// bootTime returns 0: what is known of uptime is that of the process.
func bootTime() time.Duration { return 0 }
