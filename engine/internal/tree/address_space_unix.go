// SPDX-License-Identifier: Apache-2.0

//go:build !windows

package tree

import "syscall"

// errNoAddressSpace is the error of mapping a file when the address space is limited.
var errNoAddressSpace error = syscall.ENOMEM
