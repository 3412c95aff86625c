// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/daybook-db/daybook/engine"
)

func newBackupCommand(dir *string) *cobra.Command {
	return &cobra.Command{
		Use:   "backup FILE",
		Short: "Write everything into one file, which restore makes a directory of",
		Long: `Write everything that is stored into FILE, which must not be there yet, or with - to
standard output. FILE is there, durably, only when all of it is written. It ends with its
length and its SHA-256, so that restore finds whatever is cut off or altered. What a backup
that was killed leaves beside FILE, .FILE.NUMBER.part, the next one to FILE removes when
nobody has written to it for an hour.

A program that has the daybook open does this while it stores, with DB.Backup of the Go
package engine; this command needs the daybook for itself.`,
		Example: `  daybook backup history.daybook
  daybook backup - | zstd | ssh backup.example 'cat > history.daybook.zst'`,
		Args:              checked(oneFile),
		ValidArgsFunction: after(cobra.NoFileCompletions, anyFile),
		RunE:              func(cmd *cobra.Command, args []string) error { return runBackup(cmd, *dir, args[0]) },
	}
}

// oneFile wants exactly one argument.
func oneFile(cmd *cobra.Command, args []string) error {
	if len(args) != 1 {
		return fmt.Errorf("%s takes one FILE, or - , and got %s", cmd.Name(), counted(len(args), "argument"))
	}
	return namedFile(args[0])
}

// namedFile refuses a name that is empty, as from a variable of a script that is not set.
func namedFile(name string) error {
	if name == "" {
		return errors.New("FILE is empty: want a name, or - for standard input or output")
	}
	return nil
}

func runBackup(cmd *cobra.Command, dir, name string) (err error) {
	if name == standard && isTerminal(cmd.OutOrStdout()) {
		return usagef("a backup is no text for a terminal: name a file, or pipe it somewhere")
	}
	db, err := openExisting(dir)
	if err != nil {
		return err
	}
	defer closing(db, &err)
	stats, err := db.Stats(cmd.Context())
	if err != nil {
		return err
	}
	bar := newByteBar(cmd.ErrOrStderr(), "backing up", stats.TreeBytes)
	started := time.Now()
	defer bar.clear()
	if name == standard {
		return wanted("backup", db.Backup(cmd.Context(), bar.countingTo(cmd.OutOrStdout())))
	}
	written, err := writeWhole(name, func(w io.Writer) error { return db.Backup(cmd.Context(), bar.countingTo(w)) })
	bar.clear()
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s of %s in %s, %.1f s\n",
		counted(stats.Values, "value"), counted(stats.Records, "record"), size(written), time.Since(started).Seconds())
	return err
}

// wanted is err, but that somebody who has stopped reading what is of use as a whole only is an error.
func wanted(what string, err error) error {
	if isBrokenPipe(err) {
		return fmt.Errorf("nobody reads the %s any more: it is not whole", what)
	}
	return err
}

// writeWhole writes a file that must not be there yet, and returns its size. It has its name only when it is whole and
// durable.
func writeWhole(name string, write func(io.Writer) error) (written int64, err error) {
	if err := notThere(name); err != nil {
		return 0, err
	}
	removeLeftovers(name)
	file, err := os.CreateTemp(filepath.Dir(name), "."+filepath.Base(name)+".*.part")
	if err != nil {
		return 0, notCreated(name, err)
	}
	part := file.Name()
	defer os.Remove(part) // if it still has that name
	err = write(file)
	if err == nil {
		written, err = file.Seek(0, io.SeekEnd)
	}
	if err == nil {
		err = file.Sync()
	}
	if closed := file.Close(); err == nil {
		err = closed
	}
	if err == nil {
		err = giveName(part, name)
	}
	return written, err
}

// removeLeftovers removes what writeWhole has left of a file when it was killed. Who is still writing one has done so within
// the hour. What cannot be removed is in nobody's way.
func removeLeftovers(name string) {
	entries, err := os.ReadDir(filepath.Dir(name))
	if err != nil {
		return // that nothing can be written there is found soon enough
	}
	for _, entry := range entries {
		number, isPart := strings.CutPrefix(entry.Name(), "."+filepath.Base(name)+".")
		number, isWhole := strings.CutSuffix(number, ".part")
		if !isPart || !isWhole || !isDigits(number) {
			continue
		}
		if info, err := entry.Info(); err == nil && info.Mode().IsRegular() && time.Since(info.ModTime()) > time.Hour {
			_ = os.Remove(filepath.Join(filepath.Dir(name), entry.Name()))
		}
	}
}

// notCreated says why there cannot be a file, without the hidden name that err has for it.
func notCreated(name string, err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s cannot be written: there is no directory %s", name, filepath.Dir(name))
	}
	if fault := new(fs.PathError); errors.As(err, &fault) {
		err = fault.Err
	}
	return fmt.Errorf("%s cannot be written: %w", name, err)
}

func notThere(name string) error {
	info, err := os.Lstat(name)
	switch {
	case err != nil:
		return nil
	case info.IsDir():
		return fmt.Errorf("%s is a directory: name a file in it", name)
	}
	return fmt.Errorf("%s is there already: name another file, or remove it first", name)
}

// giveName renames a file, but over none that has come meanwhile, as far as the file system can tell, and makes that durable
// where it can.
func giveName(part, name string) error {
	if err := os.Link(part, name); errors.Is(err, fs.ErrExist) {
		return notThere(name)
	} else if err != nil { // there are no links here
		if err := os.Rename(part, name); err != nil {
			return err
		}
	}
	if dir, err := os.Open(filepath.Dir(name)); err == nil {
		_ = dir.Sync()
		_ = dir.Close()
	}
	return nil
}

func newRestoreCommand(dir *string) *cobra.Command {
	return &cobra.Command{
		Use:   "restore FILE",
		Short: "Make a directory of what backup wrote",
		Long: `Make a daybook in the directory that --dir names, which must be empty or not there, of
what backup wrote into FILE, or with - of standard input. All of it is checked before the
daybook is in place: of a backup that is cut off or altered nothing is restored.`,
		Example: `  daybook restore history.daybook --dir ./restored
  ssh backup.example 'cat history.daybook.zst' | zstd -d | daybook restore - --dir ./restored`,
		Args:              checked(oneFile),
		ValidArgsFunction: after(cobra.NoFileCompletions, anyFile),
		RunE:              func(cmd *cobra.Command, args []string) error { return runRestore(cmd, *dir, args[0]) },
	}
}

func runRestore(cmd *cobra.Command, dir, name string) (err error) {
	if info, err := os.Stat(dir); err == nil && !info.IsDir() {
		return fmt.Errorf("%s is not a directory", dir)
	}
	in, total := io.NopCloser(cmd.InOrStdin()), int64(-1)
	if name != standard {
		file, err := os.Open(name)
		if err != nil {
			return err
		}
		defer file.Close()
		in = file
		if info, err := file.Stat(); err == nil {
			total = info.Size()
		}
	}
	bar := newByteBar(cmd.ErrOrStderr(), "restoring", total)
	err = engine.Restore(cmd.Context(), dir, bar.counting(in))
	bar.clear()
	if err != nil {
		return err
	}
	return reportRestored(cmd.Context(), cmd.OutOrStdout(), dir)
}

func reportRestored(ctx context.Context, out io.Writer, dir string) (err error) {
	db, err := openForReading(dir)
	if err != nil {
		return err
	}
	defer closing(db, &err)
	stats, err := db.Stats(ctx)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, "restored %s of %s into %s\n", counted(stats.Values, "value"), counted(stats.Records, "record"), dir)
	return err
}
