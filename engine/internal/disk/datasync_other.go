// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package disk

import "os"

// datasync calls FlushFileBuffers on Windows, F_FULLFSYNC on Darwin, and fsync on other systems.
func datasync(f *os.File) error { return f.Sync() }
