// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"
)

func newBackupCommand(dir *string) *cobra.Command {
	return &cobra.Command{
		Use:   "backup FILE",
		Short: "Write the whole history into one file",
		Long: `Write all values into FILE, from which "daybook restore" creates a directory. FILE must not
exist yet; - is standard output.

FILE appears only when it is complete and on stable storage. It ends with its length and its
SHA-256, so that restore notices when a part is missing or was changed. Only its
owner can read it (mode 0600). A backup that was killed leaves a file named .FILE.NUMBER.part;
the next backup to FILE removes it when it was last written more than an hour ago.

Nothing is written to the daybook, so that this works on a read-only or full disk. Values that
are in the log alone are in memory meanwhile, as in any program that opens the daybook.

No program may have the daybook open for writing. Such a program uses DB.Backup of the Go
package engine, while it goes on storing.`,
		Example:           `  daybook backup history.daybook`,
		Args:              asUsage(oneFile),
		ValidArgsFunction: completeArguments(cobra.NoFileCompletions, anyFile),
		RunE:              func(cmd *cobra.Command, args []string) error { return runBackup(cmd, *dir, args[0]) },
	}
}

func runBackup(cmd *cobra.Command, dir, name string) (err error) {
	if name == standard && isTerminal(cmd.OutOrStdout()) {
		return usagef("a backup is not text, so it is not printed on a terminal: name a file, or use a pipe")
	}
	if name != standard {
		if err := refuseInside(dir, name); err != nil {
			return err
		}
	}
	db, err := openForReading(dir)
	if err != nil {
		return err
	}
	defer closeDB(db, &err)
	stats, err := exactStats(cmd.Context(), db)
	if err != nil {
		return err
	}
	bar := newByteBar(cmd.ErrOrStderr(), "backing up", stats.TreeBytes)
	defer bar.clear()
	started := time.Now()
	if name == standard {
		return requireReader(db.Backup(cmd.Context(), bar.countWriter(cmd.OutOrStdout())))
	}
	written, err := writeNewFile(name, backupMode, func(w io.Writer) error {
		return db.Backup(cmd.Context(), bar.countWriter(w))
	})
	bar.clear()
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s of %s in %s, %.1f s\n",
		counted(stats.Values, "value"), counted(stats.Records, "record"), size(written), time.Since(started).Seconds())
	return err
}

// requireReader makes a broken pipe a failure: a part of a backup is of no use.
func requireReader(err error) error {
	if isBrokenPipe(err) {
		return errors.New("the reader of the backup has closed the pipe: it got only a part")
	}
	return err
}
