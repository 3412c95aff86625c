// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"math"
	"path/filepath"
	"time"

	"github.com/shirou/gopsutil/v4/cpu"
	"github.com/shirou/gopsutil/v4/disk"
	"github.com/shirou/gopsutil/v4/load"
	"github.com/shirou/gopsutil/v4/mem"
	"github.com/shirou/gopsutil/v4/net"
	"github.com/shirou/gopsutil/v4/sensors"
)

// sensor reads one kind of values from the host.
type sensor struct {
	name string
	// rest is the least time between two readings, for a sensor whose values change slowly.
	rest time.Duration
	// read fails or returns no readings if the host has none of that kind.
	read func(context.Context) ([]reading, error)
}

// reading is one value of one record.
type reading struct {
	record string
	value  any // one of the types below, which JSON can hold
}

type cpuReading struct {
	BusyPercent float64 `json:"busy_percent"`
}

type memoryReading struct {
	UsedPercent float64 `json:"used_percent"`
	Used        uint64  `json:"used_bytes"`
	Available   uint64  `json:"available_bytes"`
}

type loadReading struct {
	Load1  float64 `json:"load1"`
	Load5  float64 `json:"load5"`
	Load15 float64 `json:"load15"`
}

type diskReading struct {
	UsedPercent float64 `json:"used_percent"`
	Used        uint64  `json:"used_bytes"`
	Free        uint64  `json:"free_bytes"`
	Path        string  `json:"path"`
}

type networkReading struct {
	BytesSent       uint64 `json:"bytes_sent"`
	BytesReceived   uint64 `json:"bytes_received"`
	PacketsSent     uint64 `json:"packets_sent"`
	PacketsReceived uint64 `json:"packets_received"`
}

type temperatureReading struct {
	Celsius float64 `json:"celsius"`
}

// hostSensors returns the sensors of this machine. The disk is the one that holds dir.
func hostSensors(dir string) []sensor {
	return []sensor{
		{name: "CPUs", read: readCPUs},
		{name: "memory", read: readMemory},
		{name: "load", read: readLoad},
		{name: "networks", read: readNetworks},
		{name: "disk", rest: time.Second, read: func(ctx context.Context) ([]reading, error) {
			return readDisk(ctx, dir)
		}},
		{name: "temperatures", rest: time.Second, read: readTemperatures},
	}
}

// readCPUs reads how busy each CPU was after the previous reading.
func readCPUs(ctx context.Context) ([]reading, error) {
	each, err := cpu.PercentWithContext(ctx, 0, true)
	if err != nil {
		return nil, err
	}
	total, err := cpu.PercentWithContext(ctx, 0, false)
	if err != nil || len(total) != 1 {
		return nil, err
	}
	readings := []reading{{"host.cpu.total", cpuReading{rounded(total[0])}}}
	for i, percent := range each {
		readings = append(readings, reading{fmt.Sprintf("host.cpu.%d", i), cpuReading{rounded(percent)}})
	}
	return readings, nil
}

func readMemory(ctx context.Context) ([]reading, error) {
	m, err := mem.VirtualMemoryWithContext(ctx)
	if err != nil {
		return nil, err
	}
	return []reading{{"host.memory", memoryReading{rounded(m.UsedPercent), m.Used, m.Available}}}, nil
}

func readLoad(ctx context.Context) ([]reading, error) {
	l, err := load.AvgWithContext(ctx)
	if err != nil {
		return nil, err
	}
	return []reading{{"host.load", loadReading{rounded(l.Load1), rounded(l.Load5), rounded(l.Load15)}}}, nil
}

// readDisk reads the usage of the disk that holds dir.
func readDisk(ctx context.Context, dir string) ([]reading, error) {
	path, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	d, err := disk.UsageWithContext(ctx, path)
	if err != nil {
		return nil, err
	}
	return []reading{{"host.disk", diskReading{rounded(d.UsedPercent), d.Used, d.Free, path}}}, nil
}

// readNetworks reads the counters of the network interfaces that have carried data.
func readNetworks(ctx context.Context) ([]reading, error) {
	interfaces, err := net.IOCountersWithContext(ctx, true)
	if err != nil {
		return nil, err
	}
	var readings []reading
	for _, i := range interfaces {
		if i.BytesSent+i.BytesRecv == 0 {
			continue
		}
		readings = append(readings, reading{"host.net." + i.Name,
			networkReading{i.BytesSent, i.BytesRecv, i.PacketsSent, i.PacketsRecv}})
	}
	return readings, nil
}

// readTemperatures reads the temperature sensors. On some hosts several have the same name, and
// some hosts report an error together with readings.
func readTemperatures(ctx context.Context) ([]reading, error) {
	temperatures, err := sensors.TemperaturesWithContext(ctx)
	var readings []reading
	seen := make(map[string]int)
	for _, t := range temperatures {
		record := "host.temperature." + t.SensorKey
		if seen[record]++; seen[record] > 1 {
			record = fmt.Sprintf("%s.%d", record, seen[record])
		}
		readings = append(readings, reading{record, temperatureReading{rounded(t.Temperature)}})
	}
	if len(readings) > 0 {
		err = nil
	}
	return readings, err
}

// rounded keeps two decimals. It returns 0 for NaN and infinities, which JSON cannot hold.
func rounded(x float64) float64 {
	if math.IsNaN(x) || math.IsInf(x, 0) {
		return 0
	}
	return math.Round(x*100) / 100
}
