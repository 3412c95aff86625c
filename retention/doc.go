// SPDX-License-Identifier: Apache-2.0

// Package retention bounds how much history a backend keeps. A [Policy] says which values are kept.
// A [Keeper] applies it at once, and then at an interval until its context ends.
//
//	keeper := retention.Keeper{Backend: db, Policy: retention.Policy{
//		Rules: []retention.Rule{
//			{Pattern: "alarm.*", MaxAge: 365 * 24 * time.Hour, KeepNewest: 10},
//			{Pattern: "config.*", MaxPerRecord: 100},
//		},
//		MaxAge: 7 * 24 * time.Hour, // of all other records
//	}}
//	go keeper.Run(ctx)
//
// [ReadPolicy] reads a policy from a file. [Policy.Apply] applies one without a keeper.
//
// The package works with any daybook.Backend if the policy has only a MaxAge. Rules and MaxBytes
// need a daybook.Pruner.
//
// Values that a sweep deletes cannot be restored, except from a backup. An interrupted sweep has
// deleted a part of the values, and the next sweep deletes the rest.
//
// The age of a value is the clock's time minus the timestamp of the value, so a wrong clock would
// delete young values. A Keeper does not believe a clock that is earlier than the stored values or
// that has jumped ahead: see [Keeper].
package retention
