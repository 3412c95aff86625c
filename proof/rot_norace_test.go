// SPDX-License-Identifier: Apache-2.0

//go:build !race

package proof

// rotRace says that the race detector is on.
const rotRace = false
