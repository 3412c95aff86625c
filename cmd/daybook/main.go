// SPDX-License-Identifier: Apache-2.0

// Command daybook stores and reads the history of named JSON records in a directory.
//
// Store:
//
//	daybook demo                  record readings of this machine, and show what to do with them
//	daybook ingest [FILE...]      store values from NDJSON or CSV
//
// Read:
//
//	daybook query PATTERN         print the values of records
//	daybook tail [-f] PATTERN     print the newest values; with -f also new ones
//	daybook records [PATTERN]     list records with their number of values, bytes and times
//	daybook stats                 show the number of values and their size
//
// Maintain:
//
//	daybook cleanup --older-than  delete all values before a time
//	daybook prune PATTERN         delete values of some records by age, number or size
//	daybook retain --rules FILE   delete values again and again, as a file of rules says
//	daybook holds                 list what consumers hold back from deletion
//	daybook compact               return the space of deleted values to the file system
//	daybook check                 read everything and report damage
//	daybook quarantine            list the damaged files that were set aside
//
// Move:
//
//	daybook backup FILE           write the whole history into one file
//	daybook restore FILE          create a directory from a backup
//	daybook export PATTERN FILE   write values into an NDJSON, JSON, CSV or Parquet file
//	daybook import FILE...        store the values of exported files, and of AimDB's history.db
//
// Other:
//
//	daybook version               print the version of this command
//	daybook completion SHELL      print a script that completes these commands
//
// All commands work on the directory that --dir names; the default is ./daybook-demo. Only demo,
// ingest, import and restore create it. Query, tail, records, stats, export, backup, check without
// --quarantine, holds without --release, and quarantine without --remove open the directory
// read-only and change nothing.
//
// The exit status is 0 for success, 1 for a failure, and 2 for a wrong command line. After an
// interruption it is 130 for SIGINT (Ctrl-C), 143 for SIGTERM and 129 for SIGHUP. It is 141 for an
// export whose reader has closed the pipe. An error is one line on standard error.
//
// Each subcommand has a file of its own. root.go joins them, and failure.go turns errors into lines
// and exit statuses.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
	_ "time/tzdata" // the zones of --time-zone, also on a machine that has none
)

func main() {
	// A write to a closed pipe (daybook query ... | head) then returns an error. The signal would
	// kill the process before it has closed its directory.
	signal.Ignore(syscall.SIGPIPE)
	ctx, stop := untilInterrupted(context.Background())
	status := execute(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	stop()
	os.Exit(status)
}
