// SPDX-License-Identifier: Apache-2.0

// Package retention bounds how much history a backend keeps. A [Policy] says which values are kept.
// A [Keeper] applies it at once, and then at an interval until its context ends.
//
//	keeper := retention.Keeper{Backend: db, Policy: retention.Policy{
//		Rules: []retention.Rule{
//			{Pattern: daybook.Pattern{Text: "alarm.*"}, MaxAge: 8760 * time.Hour, KeepNewest: 10},
//			{Pattern: daybook.Pattern{Text: "config.*"}, MaxPerRecord: 100},
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
// # The clock
//
// The age of a value is the clock's time minus the timestamp of the value, so a wrong clock would
// delete young values. A Keeper therefore weighs evidence. It keeps a known time: the latest time
// that has surely passed. This is the evidence:
//
//   - The known time itself, which passes with uptime. A daybook.ClockMemory keeps it over
//     restarts, so that the first sweep after a restart has it, too.
//   - Uptime, by the steady clock of the machine; on systems other than Linux and Windows, by that
//     of the process. It adds up over restarts. Between two processes it counts no more than the
//     wall clock, because the second may run on another machine.
//   - The newest timestamps of the records, when nothing is known yet: the median of all records,
//     so that a few sensors with a wrong clock do not decide. Without records it is the clock,
//     until the first records show that it was ahead.
//   - The time when the program was built. A clock that is earlier was never set.
//
// The clock is believed if it is ahead of the known time by at most twice Keeper.MaxJump after a
// start, because the device may have been off for that time, and later by MaxJump in a day of
// uptime. It is believed if it is earlier by at most MaxJump. Otherwise it is in doubt until
//
//   - it is set right, or
//   - it is ahead, and has run steadily for as long as it is ahead, or for the longest MaxAge, and
//     for 20 hours; and the newest timestamps of the records agree, or
//   - it is early, and has run steadily for 20 hours of uptime, or the newest timestamps of the
//     records are no later: then the clock was ahead before.
//
// A clock that is wrong by less than that counts as right: a value may be deleted up to twice
// MaxJump too early. So an age that is shorter than two days is not protected at all from such a
// clock by the default MaxJump of a day. For short ages set MaxJump to a fraction of the shortest
// one, such as an hour for an age of a day. The price: after a device was off for more than twice
// MaxJump, its clock is in doubt at the start, and old values are deleted later.
//
// During a doubt the keeper counts age by uptime. It does so, too, while the clock is earlier than
// it has been, because values from before seem young then. It notes now and then which value was
// stored last, and deletes the values that were stored MaxAge of uptime ago. These are older than
// MaxAge, whatever the clocks have said. With a clock that is ahead it also deletes by the known
// time. It deletes nothing else by age. So:
//
//   - An old value is deleted within MaxAge and a day of uptime, even on a device without a clock;
//     a MaxAge of more than 100 days may take a 400th longer. With a clock that is right soon after
//     each start, it is deleted within a day of uptime after it has reached MaxAge.
//   - A value that is younger than MaxAge is not deleted by age while evidence speaks against the
//     clock, except by its own timestamp: a value that was stored with a time in 1970 is old. A
//     clock that stays ahead by less than MaxAge is believed after that time. Then it may delete
//     values that are older than half of MaxAge.
//
// Counting by uptime needs a backend that is a daybook.Pruner, Statser and ChangeSource, and a
// ClockMemory if uptime is to add up over restarts. With any other backend each keeper begins anew:
// with the newest timestamps of a RecordLister, or else with the clock alone.
package retention
