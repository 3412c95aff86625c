// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package disk

import (
	"errors"
	"os"
)

// allocate is not there on other systems, or makes a file that is short until it is written.
func allocate(*os.File, int64) error { return errors.ErrUnsupported }
