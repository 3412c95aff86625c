// SPDX-License-Identifier: Apache-2.0

package disk

import "os"

// giveToDirectoryOwner does nothing: on Windows a file inherits its permissions from its directory.
func giveToDirectoryOwner(*os.File) {}

// giveDirectoryToParentOwner does nothing: on Windows a directory inherits its permissions from its
// parent.
func giveDirectoryToParentOwner(string) {}
