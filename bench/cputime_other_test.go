// SPDX-License-Identifier: Apache-2.0

//go:build !unix

package bench

import "time"

var started = time.Now()

// cpuTime returns the time that has passed: how to ask for the time of processors differs there.
func cpuTime() time.Duration { return time.Since(started) }
