// SPDX-License-Identifier: Apache-2.0

// Package smalldisk mounts small disks, which tests fill. A disk is a tmpfs of a few megabytes. It
// needs Linux and the right to mount, which root has; on other systems the package is empty.
package smalldisk
