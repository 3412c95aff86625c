// SPDX-License-Identifier: Apache-2.0

//go:build race

package testenv

// Race says that the race detector is on.
const Race = true
