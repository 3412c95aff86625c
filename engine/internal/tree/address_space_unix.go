// SPDX-License-Identifier: Apache-2.0

//go:build !windows

package tree

import "syscall"

// errNoAddressSpace is what mapping a file fails with when the address space is limited.
var errNoAddressSpace error = syscall.ENOMEM
