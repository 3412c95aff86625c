// SPDX-License-Identifier: Apache-2.0

// Package powercut cuts the power of the engine's disk, in tests. It has no code of its own.
package powercut
