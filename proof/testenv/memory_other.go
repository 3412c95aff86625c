// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package testenv

const memory = ""

func roomInMemory() bool { return false }
