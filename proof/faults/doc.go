// SPDX-License-Identifier: Apache-2.0

// Package faults has operations of the engine's disk fail, in tests. It has no code of its own.
package faults
