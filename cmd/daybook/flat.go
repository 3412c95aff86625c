// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/text"
	"github.com/daybook-db/daybook/text/parquet"
)

// flatSuffix is at the end of the formats that --flat makes of csv and parquet.
const flatSuffix = ", flat"

func (f *queryFlags) addFlat(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&f.flat, "flat", false,
		"csv or parquet for Excel and pandas: a column for each member")
}

// flattened returns the format that --flat makes of a format. A format that nobody asked for
// becomes csv.
func (f *queryFlags) flattened(cmd *cobra.Command, format string) (string, error) {
	switch {
	case !f.flat:
		return format, nil
	case format == "csv" || format == "parquet":
		return format + flatSuffix, nil
	case format == "table" && !cmd.Flags().Changed("format"):
		return "csv" + flatSuffix, nil
	}
	return "", usagef("--flat makes columns, which only csv and parquet have: leave it out for %s", format)
}

// newScanWriter returns a writer of the values of a query. For a flat format it reads the values
// once, to find the columns. Values that are stored after that may need other columns; the writer
// then returns an error.
func newScanWriter(
	ctx context.Context, db daybook.Scanner, pattern string, params daybook.QueryParams,
	format string, out io.Writer, width int,
) (text.ValueWriter, error) {
	base, isFlat := strings.CutSuffix(format, flatSuffix)
	if !isFlat {
		return newValueWriter(format, out, width), nil
	}
	columns := text.NewFlatColumns()
	for value, err := range db.Scan(ctx, pattern, params) {
		if err == nil {
			err = columns.Add(value)
		}
		if err != nil {
			return nil, err
		}
	}
	if base == "parquet" {
		return parquet.NewFlatWriter(out, columns), nil
	}
	return text.NewFlatCSVWriter(out, columns), nil
}
