// SPDX-License-Identifier: Apache-2.0

// Package daybook is the vocabulary of Daybook, an embedded engine that keeps the history of named
// JSON records on one machine: every value a record ever had, with the time it was stored.
//
// This package holds the words that every backend and every caller share: [StoredValue],
// [QueryParams], the [Backend] interface, the errors, and the typed helpers [QueryLatest],
// [QueryRange] and [Persist]. The embedded engine is package
// [github.com/daybook-db/daybook/engine]; open one with engine.Open and use it as a Backend, or
// directly for everything else that it can do. Package
// [github.com/daybook-db/daybook/retention] deletes what has become too old, in any Backend.
//
//	db, err := engine.Open("history", nil)
//	...
//	defer db.Close()
//	err = db.Store(ctx, "sensor.kitchen", json.RawMessage(`{"celsius":21.5}`), daybook.Now())
//
//	// The newest value of every sensor, decoded.
//	latest, err := daybook.QueryLatest[Reading](ctx, db, "sensor.*", 1)
//
//	// Everything of the last hour, oldest first, without holding it all.
//	params := daybook.Since(daybook.Now() - 3_600_000)
//	params.Order = daybook.OldestFirst
//	for value, err := range db.Scan(ctx, "*", params) {
//		...
//	}
//
//	// The newest ten of each record below plant.line1, by topic: the name's segments between dots.
//	params = daybook.Latest(10)
//	params.Syntax = daybook.Topic
//	values, err := db.Query(ctx, "plant.line1.#", params)
//
// # What a crash can and cannot lose
//
// With the embedded engine's default durability, a value whose Store has returned nil is on stable
// storage: neither a process crash nor a power cut loses it. A batch is there whole or not at all.
// What survives a crash is always a prefix of what was stored, in order: no value is there without
// the ones that were committed before it. The engine's Durability option trades this for speed:
//
//	Durability  Store returns when                       a process crash loses  a power cut loses
//	Always      its frame is on stable storage           nothing acknowledged   nothing acknowledged
//	Interval    written to the OS; synced every second   nothing acknowledged   at most the last interval
//	OS          written to the OS                        nothing acknowledged   what the OS had not written back
//
// A Store that had not returned yet when the machine went down, or that failed because the disk did,
// may or may not be there afterwards.
//
// # Semantics that every backend shares
//
//   - Results are ordered by record name, bytewise ascending, then by time in the asked [Order]. Values
//     of equal time are ordered by insertion: newest first returns the last inserted first.
//   - Values with equal record and timestamp are all kept. Nothing overwrites.
//   - Timestamps are Unix milliseconds, and every uint64 is legal, in any order: zero, the far future, a
//     backfill of the past. The latest value of a record is the one with the greatest timestamp.
//   - A record name is valid UTF-8, 1 to [MaxRecordNameLen] bytes, without NUL.
//   - A value is one JSON text (RFC 8259) in UTF-8, at most [MaxValueLen] bytes, nested at most
//     [MaxValueDepth] deep. The embedded engine returns it byte for byte as it was stored.
//   - Patterns follow [PatternSyntax] and are case-sensitive.
//   - Bad input gets an error that names what is wrong, and changes nothing.
package daybook
