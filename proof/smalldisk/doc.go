// SPDX-License-Identifier: Apache-2.0

// Package smalldisk mounts disks that are soon full, for tests, on Linux.
package smalldisk
