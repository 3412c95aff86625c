// SPDX-License-Identifier: Apache-2.0

//go:build !(linux || darwin)

package disk

import "os"

// FreeSpace returns false: this system does not tell how much space is free.
func FreeSpace(path string) (free int64, known bool) { return 0, false }

func freeSpace(*os.File) (free int64, known bool) { return 0, false }

func diskSize(*os.File) (size int64, known bool) { return 0, false }
