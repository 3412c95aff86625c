// SPDX-License-Identifier: Apache-2.0

// Package daybook keeps the history of named JSON records on one machine: every value that a record
// ever had, with the time at which it was stored.
//
// This package is the vocabulary that all backends and callers share: [StoredValue], [QueryParams],
// the interface [Backend] and the small interfaces beside it, the errors, and the typed helpers
// [QueryLatest], [QueryRange] and [Persist]. It stores nothing itself:
//
//   - Package [github.com/daybook-db/daybook/engine] is the embedded engine. Open a directory with
//     engine.Open, and use the result as a Backend or directly.
//   - Package [github.com/daybook-db/daybook/retention] deletes values that have become too old or
//     too many, in any Backend.
//   - Package [github.com/daybook-db/daybook/backendtest] tests a Backend of your own.
//
// A program with the embedded engine:
//
//	db, err := engine.Open("history", nil)
//	...
//	defer db.Close()
//	err = db.Store(ctx, "sensor.kitchen", json.RawMessage(`{"celsius":21.5}`), daybook.Now())
//
//	// The newest value of every sensor, decoded.
//	latest, err := daybook.QueryLatest[Reading](ctx, db, "sensor.*", 1)
//
//	// Everything of the last hour, without holding all of it in memory: record after record, by
//	// name, and the values of each record oldest first.
//	lastHour := daybook.Since(daybook.Ago(time.Hour)).OldestFirst()
//	for value, err := range db.Scan(ctx, "*", lastHour) {
//		...
//	}
//
//	// The newest ten values of each record below plant.line1. A topic splits names at their dots.
//	values, err := db.Query(ctx, "plant.line1.#", daybook.Latest(10).Topic())
//
// Timestamps are Unix milliseconds. [Now], [Ago] and [Timestamp] make them of times; [Time] and the
// methods Time make times of them. None of these wraps around, also while the clock is in 1970.
//
// # What a crash may lose
//
// With the embedded engine's default durability, a value is on stable storage when Store returns
// nil. Neither a process crash nor a power cut loses it. A batch survives whole or not at all. The
// values that survive any crash are a prefix of the stored ones: none is there unless all values
// that were committed before it are there, too. The engine's option Durability trades this for
// speed:
//
//	Options.Durability  Store returns when    a process crash loses  a power cut loses
//	DurabilityAlways    it is on the disk     nothing acknowledged   nothing acknowledged
//	DurabilityInterval  it is written         nothing acknowledged   the last interval and sync
//	DurabilityOS        it is written         nothing acknowledged   what the OS had not written
//
// "Written" means that the operating system has it, "on the disk" that stable storage has it.
//
// The last interval is the option SyncInterval long, one second by default. What was stored during
// the sync that is running may be lost, too.
//
// A value may or may not be there afterwards if its Store had not returned when the machine went
// down, or had returned [ErrFailed]. After any other error of Store the value is not there.
//
// # Semantics that every backend shares
//
//   - Results are ordered by record name, bytewise ascending, then by time in the requested
//     [Order]. Values with equal timestamps are ordered by insertion: newest first returns the last
//     inserted first.
//   - Values with equal record and timestamp are all kept. Nothing overwrites.
//   - Timestamps are Unix milliseconds. Every uint64 is legal, in any order: zero, the far future,
//     a backfill of the past. The latest value of a record is the value with the greatest
//     timestamp.
//   - A record name is valid UTF-8, 1 to [MaxRecordNameLen] bytes, without NUL.
//   - A value is one JSON text (RFC 8259) in UTF-8, at most [MaxValueLen] bytes long and nested at
//     most [MaxValueDepth] deep. The embedded engine returns it byte for byte as it was stored.
//   - Patterns follow [PatternSyntax] and are case-sensitive.
//   - An invalid argument is an error that names it, and the call changes nothing.
package daybook
