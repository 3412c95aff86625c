// SPDX-License-Identifier: Apache-2.0

//go:build amd64 || arm64

package powercut

import "github.com/daybook-db/daybook/proof/testenv"

// size says how much TestPowerCut does.
type size struct {
	states     int // it tries at least this number of distinct crash states
	workloads  int // and records at least this number of workloads
	steps      int // of each workload
	recoveries int // from each workload, in which the power is cut too
	random     int // random states after each operation, in addition to the two extreme ones
}

// manyStates is the number of states with which a run takes more states from each recording.
const manyStates = 10_000

// sizeOfRun returns the size that the flags -long and -proof.states ask for. Four workloads are
// enough for two of Always and one of each other durability. The race detector finds races with one
// workload.
func sizeOfRun() size {
	s := size{states: 2000, workloads: 4, steps: 30, recoveries: 1, random: 1}
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
