// SPDX-License-Identifier: Apache-2.0

package peers_test

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"
	"testing"

	"github.com/dustin/go-humanize"
	"github.com/shirou/gopsutil/v4/disk"
	"github.com/shirou/gopsutil/v4/mem"
)

// machine describes the machine in the `key: value` lines of the benchmark format, as far as it can
// find out.
func machine() string {
	lines := []string{"go: " + runtime.Version()}
	parts := []string{fmt.Sprintf("%d cores", runtime.NumCPU())}
	if memory, err := mem.VirtualMemory(); err == nil {
		parts = append(parts, humanize.IBytes(memory.Total))
	}
	if partition, err := partitionOf(os.TempDir()); err == nil {
		parts = append(parts, fmt.Sprintf("%s on %s", partition.Fstype, filepath.Base(partition.Device)))
	}
	lines = append(lines, "machine: "+strings.Join(parts, ", "))
	if flags := cgoFlags(); flags != "" {
		lines = append(lines, "cgo: "+flags)
	}
	return strings.Join(lines, "\n") + "\n"
}

// cgoFlags returns the flags that SQLite's C code was compiled with. They decide how it syncs.
func cgoFlags() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	for _, s := range info.Settings {
		if s.Key == "CGO_CFLAGS" {
			return s.Value
		}
	}
	return ""
}

// partitionOf returns the partition that has dir.
func partitionOf(dir string) (disk.PartitionStat, error) {
	partitions, err := disk.Partitions(true)
	if err != nil {
		return disk.PartitionStat{}, err
	}
	var best disk.PartitionStat
	for _, p := range partitions {
		inside, err := filepath.Rel(p.Mountpoint, dir)
		if err == nil && !strings.HasPrefix(inside, "..") && len(p.Mountpoint) >= len(best.Mountpoint) {
			best = p
		}
	}
	if best.Mountpoint == "" {
		return best, fmt.Errorf("no file system found for %s", dir)
	}
	return best, nil
}

// deviceWrites returns the bytes that the disk under the temporary directory has written since the
// machine started, for all processes, if the machine counts them. That includes the file system's
// journal, which wears out flash as data does.
func deviceWrites(b *testing.B) (written uint64, known bool) {
	b.Helper()
	partition, err := partitionOf(os.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	name := filepath.Base(partition.Device)
	counters, err := disk.IOCounters(name)
	if err != nil || len(counters) == 0 {
		return 0, false
	}
	return counters[name].WriteBytes, true
}
