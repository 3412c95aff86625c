// SPDX-License-Identifier: Apache-2.0

//go:build amd64 || arm64

package powercut

import "github.com/daybook-db/daybook/proof/testenv"

// size says how much TestPowerCut does.
type size struct {
	states     int // distinct crash states that it tries at least
	workloads  int // workloads that it records at least
	steps      int // steps of each workload
	recoveries int // recoveries of each workload whose power is cut too
	random     int // random states after each operation, in addition to the two extremes
}

// sizeOfRun returns the size for the flags -long and -proof.states. Each durability has one of the first
// four workloads, and Always has two. The race detector looks for races and not for states, so it makes do
// with one workload.
func sizeOfRun() size {
	s := size{states: 1000, workloads: 4, steps: 20, recoveries: 1, random: 2}
	if testenv.Long() {
		s = size{states: 2500, workloads: 4, steps: 45, recoveries: 3, random: 2}
	}
	if raceEnabled {
		s.states, s.workloads = s.states/5, 1
	}
	if *statesFlag > 0 {
		s.states = *statesFlag
	}
	if s.states >= manyStates {
		s.random = 5
	}
	return s
}
