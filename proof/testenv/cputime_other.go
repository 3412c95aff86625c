// SPDX-License-Identifier: Apache-2.0

//go:build !unix

package testenv

import "time"

var started = time.Now()

// CPUTime returns the time that has passed: how to ask for the time of processors differs there.
func CPUTime() time.Duration { return time.Since(started) }
