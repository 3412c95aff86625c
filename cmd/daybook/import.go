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
)

func newImportCommand(dir *string) *cobra.Command {
	format := choiceFlag{"auto", append([]string{"auto"}, transferFormats...)}
	cmd := &cobra.Command{
		Use:   "import FILE...",
		Short: "Store what export wrote",
		Long: `Store what export wrote into files, in NDJSON, CSV or Parquet, or with - to standard input.
The directory is created if need be. What is imported twice is stored twice. What other programs wrote is for ingest.

Values are stored in batches, each of them whole or not at all, in the order of the file. A
value that cannot be stored ends the command, which says where it stands and how many were
stored before it. That a full disk has room for all of it in the log alone is a warning, and
no failure.`,
		Example: `  daybook import history.parquet --dir ./copy
  gunzip < history.ndjson.gz | daybook import - --format ndjson --dir ./copy`,
		Args: checked(func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return errors.New("import needs a FILE that export wrote")
			}
			return nil
		}),
		RunE: func(cmd *cobra.Command, args []string) error { return runImport(cmd, *dir, args, format.value) },
	}
	cmd.Flags().Var(&format, "format", "input format")
	return cmd
}

// transfer is a file that export wrote.
type transfer struct {
	text.ValueReader
	file *os.File
	bar  *byteBar
}

func (t *transfer) close() {
	t.bar.clear()
	if t.file != nil {
		_ = t.file.Close() // it was only read
	}
}

func runImport(cmd *cobra.Command, dir string, names []string, format string) (err error) {
	var transfers []*transfer // all are looked at before a directory is created for them
	defer func() {
		for _, t := range transfers {
			t.close()
		}
	}()
	for _, name := range names {
		t, err := openTransfer(cmd, name, format)
		if err != nil {
			return err
		}
		transfers = append(transfers, t)
	}
	db, err := openForWriting(dir)
	if err != nil {
		return err
	}
	defer closingStored(db, cmd.ErrOrStderr(), &err)
	started := time.Now()
	i := &ingestion{db: db, reports: cmd.ErrOrStderr()}
	for _, t := range transfers {
		err := i.readValues(cmd.Context(), t)
		if stored := i.store(cmd.Context()); err == nil {
			err = stored
		}
		t.bar.clear()
		if err != nil {
			return i.stoppedBy(err)
		}
	}
	_, err = fmt.Fprintf(cmd.OutOrStdout(), "imported %s from %s in %.1f s\n", counted(i.stored, "value"), counted(len(names), "file"), time.Since(started).Seconds())
	return err
}

func openTransfer(cmd *cobra.Command, name, format string) (*transfer, error) {
	format, err := transferFormat(name, format)
	if err != nil {
		return nil, err
	}
	if name == standard {
		if format == "parquet" {
			return nil, usagef("a Parquet file is read from its end, so it cannot come from standard input: name a file")
		}
		values, err := newTransferReader(stdinName, format, cmd.InOrStdin())
		return &transfer{ValueReader: values}, err
	}
	file, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	t := &transfer{file: file}
	info, err := file.Stat()
	if err == nil && info.IsDir() {
		err = fmt.Errorf("%s is a directory: name the files in it", name)
	}
	if err == nil {
		t.bar = newByteBar(cmd.ErrOrStderr(), "importing", info.Size())
		if format == "parquet" {
			t.ValueReader, err = text.NewParquetReader(t.bar.countingAt(file), info.Size(), text.ReadOptions{Name: name})
		} else {
			t.ValueReader, err = newTransferReader(name, format, t.bar.counting(file))
		}
	}
	if err != nil {
		t.close()
		return nil, err
	}
	return t, nil
}

func newTransferReader(name, format string, in io.Reader) (text.ValueReader, error) {
	opts := text.ReadOptions{Name: name}
	if format == "csv" {
		values, err := text.NewExportedCSVReader(in, opts)
		if errors.As(err, new(*text.HeaderError)) {
			err = fmt.Errorf("%w, as export writes it (ingest reads other CSV)", err)
		}
		return values, err
	}
	return text.NewNDJSONReader(in, opts), nil
}
