// SPDX-License-Identifier: Apache-2.0

//go:build race && (amd64 || arm64)

package powercut

// defaultStates is fewer under the race detector, which looks for races and not for states.
const defaultStates = 500

// leastRounds is one workload, for the same reason.
const leastRounds = 1
