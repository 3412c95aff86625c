// SPDX-License-Identifier: Apache-2.0

package tree

import "golang.org/x/sys/windows"

// errNoAddressSpace is the error of mapping a file when the address space is limited.
var errNoAddressSpace error = windows.ERROR_NOT_ENOUGH_MEMORY
