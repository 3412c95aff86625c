// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/daybook-db/daybook"
)

func newImportCommand(dir *string) *cobra.Command {
	format := choiceFlag{"auto", append([]string{"auto"}, transferFormats...)}
	cmd := &cobra.Command{
		Use:   "import FILE...",
		Short: "Store what export wrote",
		Long: `Store what export wrote into files, in NDJSON, CSV or Parquet. The directory is created if
need be. What is imported twice is stored twice. What other programs wrote is for ingest.

Values are stored in batches, each of them whole or not at all, in the order of the file. A
value that cannot be stored ends the command, which says where it stands and how many were
stored before it.`,
		Example: `  daybook import history.parquet --dir ./copy`,
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

func runImport(cmd *cobra.Command, dir string, names []string, format string) (err error) {
	formats := make([]string, len(names))
	for i, name := range names {
		if formats[i], err = transferFormat(name, format); err != nil {
			return err
		}
		if _, err := os.Stat(name); err != nil { // before a directory is created
			return err
		}
	}
	db, err := openForWriting(dir)
	if err != nil {
		return err
	}
	defer closing(db, &err)
	started := time.Now()
	i := &ingestion{db: db, reports: cmd.ErrOrStderr()}
	for n, name := range names {
		if err := importFile(cmd.Context(), i, name, formats[n], cmd.ErrOrStderr()); err != nil {
			return i.stoppedBy(err)
		}
	}
	_, err = fmt.Fprintf(cmd.OutOrStdout(), "imported %s from %s in %.1f s\n", counted(i.stored, "value"), counted(len(names), "file"), time.Since(started).Seconds())
	return err
}

func importFile(ctx context.Context, i *ingestion, name, format string, errOut io.Writer) error {
	file, err := os.Open(name)
	if err != nil {
		return err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return err
	}
	bar := newByteBar(errOut, "importing", info.Size())
	defer bar.clear()
	values, err := newTransferReader(name, format, file, info.Size(), bar)
	if err == nil {
		err = i.readValues(ctx, values)
	}
	return errors.Join(err, i.store(ctx))
}

func newTransferReader(name, format string, file *os.File, size int64, bar *byteBar) (valueReader, error) {
	buffered := bufio.NewReaderSize(bar.counting(file), inputBuffer)
	switch format {
	case "parquet":
		return newParquetReader(name, file, size, bar)
	case "csv":
		return newTransferRows(name, buffered)
	}
	return &lineReader{name: name, in: buffered}, nil
}

// transferRows reads the CSV that csvWriter writes.
type transferRows struct {
	name string
	rows *csv.Reader
}

func newTransferRows(name string, in io.Reader) (*transferRows, error) {
	r := &transferRows{name: name, rows: csv.NewReader(in)}
	header, err := r.rows.Read()
	if err != nil && err != io.EOF {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if !slices.Equal(header, transferColumns) {
		return nil, fmt.Errorf("%s: the header is %q; want %q, as export writes it (ingest reads other CSV)", name, header, transferColumns)
	}
	return r, nil
}

func (r *transferRows) next() (daybook.StoredValue, error) {
	row, err := r.rows.Read()
	if err == io.EOF {
		return daybook.StoredValue{}, io.EOF
	}
	if err != nil {
		return daybook.StoredValue{}, fmt.Errorf("%s: %w", r.name, err)
	}
	line, _ := r.rows.FieldPos(0)
	at, err := parseMillis(row[1])
	if err != nil {
		return daybook.StoredValue{}, &badLine{r.name, line, 0, err}
	}
	value, err := checkedValue(row[0], json.RawMessage(row[2]), at)
	if err != nil {
		return value, &badLine{r.name, line, 0, err}
	}
	return value, nil
}
