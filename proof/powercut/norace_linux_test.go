// SPDX-License-Identifier: Apache-2.0

//go:build !race && (amd64 || arm64)

package powercut

// defaultStates is how many distinct states every run of the tests tries.
const defaultStates = 2500

// leastRounds is how many workloads every run records at least: each durability has one, and Always two.
const leastRounds = 4
