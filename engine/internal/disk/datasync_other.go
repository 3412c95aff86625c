// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package disk

import "os"

// datasync is FlushFileBuffers on Windows, F_FULLFSYNC on Darwin, fsync elsewhere.
func datasync(f *os.File) error { return f.Sync() }
