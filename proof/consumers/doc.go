// SPDX-License-Identifier: Apache-2.0

// Package consumers proves that a consumer of changes is never silently wrong. Many consumers with
// durable cursors read stores that are killed, lose power, are damaged, restored from older
// backups, pruned, compacted and copied. After each catching up, a consumer has exactly the values
// that the store has, each once and under its own cursor. It may have more only if the store
// deleted them. What it had of a history that the store no longer has, ErrForked made it take back.
//
// It also proves that no cursor ever means two values, in all stores together, that the numbers
// without a value are exactly those of deleted values, and that no consumer is told of a fork
// without a cause.
//
// The model of a power cut: all bytes that were written after the last call that syncs are lost,
// and files keep their identity. A failed run prints its seed and its operations, made as few as
// possible:
//
//	go test ./proof/consumers -long                           # 400 runs
//	go test ./proof/consumers -consumers.seed=7               # one run
//	go test ./proof/consumers -consumers.program='put 3,cut 1' # the operations of a failure
package consumers
