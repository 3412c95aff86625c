// SPDX-License-Identifier: Apache-2.0

//go:build !race

package rot

// rotRace says that the race detector is on.
const rotRace = false
