// SPDX-License-Identifier: Apache-2.0

//go:build race && (amd64 || arm64)

package powercut

// raceEnabled reports whether the race detector is on, with which a state takes several times as
// long.
const raceEnabled = true
