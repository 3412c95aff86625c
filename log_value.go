// SPDX-License-Identifier: Apache-2.0

package daybook

import (
	"encoding/hex"
	"log/slog"
)

// This file has what a slog.Logger writes of types that it would write as Go structs. A field has
// the key of the JSON, except in Failure and Stats, whose lines are short.

// LogValue returns the fields of the failure as a group.
func (f Failure) LogValue() slog.Value {
	return slog.GroupValue(slog.Uint64("count", f.Count), slog.Time("at", f.Time()), slog.String("error", f.Message))
}

// LogValue returns the attributes that tell which file it is and why.
func (q QuarantinedFile) LogValue() slog.Value {
	return slog.GroupValue(slog.String("path", q.Path), slog.Int64("bytes", q.Bytes), slog.String("reason", q.Reason))
}

// LogValue returns the attributes that tell at a glance how the backend is. Those that are mostly
// empty appear only when they are not.
func (s Stats) LogValue() slog.Value {
	attrs := []slog.Attr{
		slog.Uint64("values", s.Values), slog.Uint64("records", s.Records), slog.Int64("disk_bytes", s.DiskBytes),
		slog.Uint64("last_sequence", s.LastSequence),
	}
	for _, count := range []struct {
		name  string
		count uint64
	}{
		{"values_deleted", s.ValuesDeleted}, {"values_dropped", s.ValuesDropped},
		{"stores_invalid", s.StoreFailures.Invalid}, {"stores_canceled", s.StoreFailures.Canceled},
		{"holds", uint64(len(s.Holds))}, {"quarantined", uint64(len(s.Quarantined))},
	} {
		if count.count > 0 {
			attrs = append(attrs, slog.Uint64(count.name, count.count))
		}
	}
	if s.StoreFailures.Failing {
		attrs = append(attrs, slog.Bool("stores_failing", true))
	}
	if s.Failed != "" {
		attrs = append(attrs, slog.String("failed", s.Failed))
	}
	for _, failure := range []struct {
		name string
		last *Failure
	}{
		{"store_failure", s.StoreFailures.Last}, {"checkpoint_failure", s.CheckpointFailure},
		{"compaction_failure", s.CompactionFailure},
	} {
		if failure.last != nil {
			attrs = append(attrs, slog.Any(failure.name, *failure.last))
		}
	}
	return slog.GroupValue(attrs...)
}

// LogValue returns the counters that are not 0, and the last failure if there is one.
func (s StoreFailures) LogValue() slog.Value {
	var attrs []slog.Attr
	for _, counter := range []struct {
		name  string
		count uint64
	}{
		{"no_space", s.NoSpace}, {"failed", s.Failed}, {"corrupt", s.Corrupt}, {"other", s.Other},
		{"invalid", s.Invalid}, {"canceled", s.Canceled},
	} {
		if counter.count > 0 {
			attrs = append(attrs, slog.Uint64(counter.name, counter.count))
		}
	}
	if s.Last != nil {
		attrs = append(attrs, slog.Any("last", *s.Last))
	}
	return slog.GroupValue(append(attrs, slog.Bool("failing", s.Failing))...)
}

// LogValue returns the durations in seconds.
func (d Durations) LogValue() slog.Value {
	return slog.GroupValue(slog.Uint64("count", d.Count), slog.Float64("total_seconds", d.Total.Seconds()),
		slog.Float64("max_seconds", d.Max.Seconds()))
}

// LogValue returns the fields as a group.
func (h Hold) LogValue() slog.Value {
	return slog.GroupValue(slog.String("name", h.Name), slog.String("pattern", h.Pattern.Text),
		slog.String("syntax", h.Pattern.Syntax.String()), slog.String("at", h.At.String()),
		slog.Uint64("max_bytes", h.MaxBytes), slog.Float64("max_age_seconds", h.MaxAge.Seconds()))
}

// LogValue returns the attributes of the hold that tell how its consumer is.
func (h HoldInfo) LogValue() slog.Value {
	return slog.GroupValue(slog.String("name", h.Name), slog.String("at", h.At.String()),
		slog.Uint64("values", h.Values), slog.Uint64("bytes", h.Bytes), slog.Uint64("lost", h.Lost),
		slog.Bool("damaged", h.Damaged))
}

// LogValue returns the fields as a group.
func (h HoldStats) LogValue() slog.Value {
	return slog.GroupValue(slog.String("name", h.Name), slog.String("at", h.At.String()),
		slog.Uint64("pending", h.Pending), slog.Uint64("lost", h.Lost), slog.Bool("damaged", h.Damaged))
}

// LogValue returns the fields as a group.
func (p Position) LogValue() slog.Value {
	return slog.GroupValue(slog.Uint64("through", p.Through), slog.String("digest", hex.EncodeToString(p.Digest[:])))
}

// LogValue returns the stream, the numbers, and how many values there are.
func (b Batch) LogValue() slog.Value {
	return slog.GroupValue(slog.String("stream", b.Stream), slog.Uint64("from", b.From),
		slog.Uint64("through", b.Through), slog.Int("values", len(b.Values)))
}
