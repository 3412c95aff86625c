// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/daybook-db/daybook/text"
	"github.com/daybook-db/daybook/text/parquet"
)

func newImportCommand(dir *string) *cobra.Command {
	format := choiceFlag{"auto", append([]string{"auto"}, exportFormats...)}
	cmd := &cobra.Command{
		Use:   "import FILE...",
		Short: "Store the values of exported files, and of AimDB's history.db",
		Long: `Store the values of files that "daybook export" wrote, in NDJSON, JSON, CSV or Parquet; - is
standard input. The directory is created if it does not exist. A file that is imported twice
is stored twice. "daybook ingest" reads the files of other programs. A spreadsheet, DuckDB or
pandas may have written the CSV or Parquet again: the columns may be in another order, and an
index of pandas is ignored.

A SQLite file with AimDB's table is read as it is, whatever its name, with the log beside it.
AimDB may have it open. The file is not changed.

Values are stored in the order of the file, in batches: a batch is stored completely or not at
all. A value that cannot be stored ends the command, which then names the line and the number
of values that were stored before it. If the disk becomes full when all values are in the log
but not all in the tree, import prints a warning and succeeds.`,
		Example: `  daybook import history.parquet --dir ./copy
  daybook import history.db --dir ./copy
  daybook import week.csv sensors.ndjson
  daybook import yesterday.json --dir ./copy
  gunzip < history.ndjson.gz | daybook import - --format ndjson --dir ./copy`,
		Args: asUsage(func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return errors.New("import needs a FILE that export or AimDB wrote")
			}
			return nil
		}),
		RunE: func(cmd *cobra.Command, args []string) error { return runImport(cmd, *dir, args, format.value) },
	}
	cmd.Flags().Var(&format, "format", "input format")
	return cmd
}

// exportedFile is a file that export wrote, open for reading.
type exportedFile struct {
	text.ValueReader
	file io.Closer // nil for standard input
	bar  *byteBar
}

func (f *exportedFile) close() {
	f.bar.clear()
	if f.file != nil {
		_ = f.file.Close() // it was only read
	}
}

func runImport(cmd *cobra.Command, dir string, names []string, format string) (err error) {
	files, err := openExportedFiles(cmd, names, format)
	defer func() {
		for _, f := range files {
			f.close()
		}
	}()
	if err != nil {
		return err // before a directory is created
	}
	db, err := newLateStore(dir)
	if err != nil {
		return err
	}
	defer db.closeAfterStoring(cmd.ErrOrStderr(), &err)
	started := time.Now()
	l := &loader{db: db, notes: cmd.ErrOrStderr()}
	for i, f := range files {
		err := bothErrors(l.load(cmd.Context(), f), l.store(cmd.Context()))
		f.bar.clear()
		if err != nil {
			return l.stoppedBy(err)
		}
		tellCutOff(l.notes, names[i], f.ValueReader)
	}
	if err := db.open(); err != nil { // files without values leave an empty daybook
		return err
	}
	_, err = fmt.Fprintf(cmd.OutOrStdout(), "imported %s from %s in %.1f s\n",
		counted(l.stored, "value"), counted(len(names), "file"), time.Since(started).Seconds())
	return err
}

// openExportedFiles opens files and reads their beginnings. With an error it returns the files
// before it.
func openExportedFiles(cmd *cobra.Command, names []string, format string) (files []*exportedFile, err error) {
	for _, name := range names {
		f, err := openExported(cmd, name, format)
		if err != nil {
			return files, err
		}
		files = append(files, f)
	}
	return files, nil
}

func openExported(cmd *cobra.Command, name, format string) (*exportedFile, error) {
	if format == "auto" && isHistory(name) {
		return openHistory(cmd, name)
	}
	format, err := exportFormat(name, format)
	if err != nil {
		return nil, err
	}
	if name == standard {
		if format == "parquet" {
			return nil, usagef("Parquet is read from its end, so it cannot come from standard input: name a file")
		}
		values, err := newExportedReader(stdinName, format, cmd.InOrStdin())
		return &exportedFile{ValueReader: values}, err
	}
	file, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	f := &exportedFile{file: file}
	info, err := file.Stat()
	if err == nil && info.IsDir() {
		err = fmt.Errorf("%s is a directory: name the files in it", name)
	}
	if err == nil {
		f.bar = newByteBar(cmd.ErrOrStderr(), "importing", info.Size())
		if format == "parquet" {
			in := f.bar.countReaderAt(file)
			f.ValueReader, err = parquet.NewReader(in, info.Size(), text.ReadOptions{Name: name})
		} else {
			f.ValueReader, err = newExportedReader(name, format, f.bar.countReader(file))
		}
	}
	if err != nil {
		f.close()
		return nil, err
	}
	return f, nil
}

// newExportedReader returns a reader of the NDJSON, JSON or CSV that export writes.
func newExportedReader(name, format string, in io.Reader) (text.ValueReader, error) {
	opts := text.ReadOptions{Name: name, TimeUnit: text.Milliseconds, AnyTime: true}
	switch format {
	case "csv":
		return text.NewExportedCSVReader(in, opts)
	case "json": // NDJSON, too: programs call it .json as well
		return text.NewJSONReader(in, opts)
	}
	return text.NewNDJSONReader(in, opts), nil
}
