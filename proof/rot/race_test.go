// SPDX-License-Identifier: Apache-2.0

//go:build race

package rot

// raceEnabled reports whether the race detector is on, with which a case takes several times as
// long.
const raceEnabled = true
