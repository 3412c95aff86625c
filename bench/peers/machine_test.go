// SPDX-License-Identifier: Apache-2.0

package peers_test

import (
	_ "embed"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"
	"testing"

	"github.com/dustin/go-humanize"
	"github.com/shirou/gopsutil/v4/disk"
	"github.com/shirou/gopsutil/v4/mem"
)

// machine describes what is measured, and the machine, in the `key: value` lines of the benchmark
// format, as far as it can find out.
func machine() string {
	lines := append(versions(), "go: "+runtime.Version(), fmt.Sprintf("rounds: %d", roundCount(1)))
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

// peerModules are the modules whose versions a run names, in the order of the tables.
var peerModules = []struct{ name, path string }{
	{"mattn/go-sqlite3", "github.com/mattn/go-sqlite3"},
	{"modernc.org/sqlite", "modernc.org/sqlite"},
	{"bbolt", "go.etcd.io/bbolt"},
	{"Pebble", "github.com/cockroachdb/pebble/v2"},
	{"Badger", "github.com/dgraph-io/badger/v4"},
	{"BuntDB", "github.com/tidwall/buntdb"},
	{"tstorage", "github.com/nakabonne/tstorage"},
	{"klauspost/compress", "github.com/klauspost/compress"},
}

// required is the file that says which versions of the peers are built in.
//
//go:embed go.mod
var required string

// versions says what is measured: Daybook's commit, the one of -before, and the versions of the
// peers. The program of a test knows neither its commit nor, in this package, its dependencies. So
// git says the commit, and go.mod the versions.
func versions() []string {
	var lines []string
	if commit := commitOf("HEAD"); commit != "" {
		if changes, err := exec.Command("git", "status", "--porcelain").Output(); err != nil || len(changes) > 0 {
			commit += " with changes"
		}
		lines = append(lines, "commit: "+commit)
	}
	if *before != "" {
		lines = append(lines, "before: "+commitOf(*before))
	}
	var found []string
	for _, peer := range peerModules {
		for line := range strings.Lines(required) {
			if words := strings.Fields(line); len(words) >= 2 && words[0] == peer.path {
				found = append(found, peer.name+" "+words[1])
			}
		}
	}
	return append(lines, "peers: "+strings.Join(found, ", "))
}

// commitOf returns the short hash of a revision; "" outside of a repository.
func commitOf(revision string) string {
	out, err := exec.Command("git", "rev-parse", "--short=12", "--verify", revision+"^{commit}").Output()
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(out))
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
