// SPDX-License-Identifier: Apache-2.0

package disk

import (
	"os"

	"golang.org/x/sys/windows"
	"golang.org/x/sys/windows/registry"
)

// PlaceOf returns the place of an open file. It leaves out when the file was made, because a file
// that replaces another one within seconds gets the time of that.
func PlaceOf(file *os.File) Place {
	p := Place{Machine: machine()}
	var info windows.ByHandleFileInformation
	if err := windows.GetFileInformationByHandle(windows.Handle(file.Fd()), &info); err == nil {
		p.File = uint64(info.FileIndexHigh)<<32 | uint64(info.FileIndexLow)
		p.Volume = uint64(info.VolumeSerialNumber)
	}
	return p
}

// ChangedAt returns 0: Windows may set the time of the last write only when the file is closed.
func ChangedAt(*os.File) uint64 { return 0 }

// machineID returns the identity that the system got when it was installed.
func machineID() string {
	key, err := registry.OpenKey(registry.LOCAL_MACHINE, `SOFTWARE\Microsoft\Cryptography`,
		registry.QUERY_VALUE|registry.WOW64_64KEY)
	if err != nil {
		return ""
	}
	defer key.Close()
	id, _, err := key.GetStringValue("MachineGuid")
	if err != nil {
		return ""
	}
	return id
}
