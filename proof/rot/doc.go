// SPDX-License-Identifier: Apache-2.0

// Package rot damages the engine's files, in tests. It has no code of its own.
package rot
