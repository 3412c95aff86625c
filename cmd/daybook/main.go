// SPDX-License-Identifier: Apache-2.0

// Command daybook keeps and reads the history of named JSON records in a directory.
//
//	daybook demo                 record this machine's own readings, then show what can be done with them
//	daybook ingest FILE...       store values from NDJSON or CSV
//	daybook query PATTERN        print the values of the records that a pattern matches
//	daybook tail [-f] PATTERN    print the last values, and those that are being stored
//	daybook records [PATTERN]    list records: values, bytes, oldest, newest
//	daybook stats                say what the directory holds and weighs
//	daybook cleanup --older-than delete the values older than a time, and say exactly how many
//	daybook prune PATTERN        delete from some records by age, count or size
//	daybook retain --rules FILE  delete what a file of rules does not keep, now and then again and again
//	daybook compact              give the space of deleted values back to the file system
//	daybook check                read everything and say what is damaged
//	daybook backup FILE          write everything into one file
//	daybook restore FILE         make a directory of what backup wrote
//	daybook export PATTERN FILE  write values into NDJSON, CSV or Parquet
//	daybook import FILE...       store what export wrote
//	daybook completion SHELL     print a script for the shell that completes all that
//
// Every subcommand works in the directory that --dir names, ./daybook-demo unless told otherwise, so
// that all of them find what the demo recorded. Only demo, ingest, import and restore create it; query,
// tail, records, stats, export, and check without --quarantine open it read-only and change nothing.
//
// Each subcommand has a file of its own; root.go joins them and turns an error into one line on
// standard error and an exit status: 0 done, 1 failed, 2 called wrongly, 130 interrupted.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	// A write to a closed pipe (daybook query ... | head) then returns an error instead of killing
	// the process before it has closed its directory.
	signal.Ignore(syscall.SIGPIPE)
	ctx, stop := signal.NotifyContext(context.Background(), interruptions()...)
	status := execute(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	stop()
	os.Exit(status)
}

// interruptions are the signals that end a command in order: with its directory closed, and nothing half-written left. That
// a terminal has gone is none for what was started with nohup. On Windows it never comes.
func interruptions() []os.Signal {
	signals := []os.Signal{os.Interrupt, syscall.SIGTERM}
	if !signal.Ignored(syscall.SIGHUP) {
		signals = append(signals, syscall.SIGHUP)
	}
	return signals
}
