// SPDX-License-Identifier: Apache-2.0

//go:build race

package rot

// rotRace says that the race detector is on, under which a case takes many times as long.
const rotRace = true
