// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"

	"github.com/daybook-db/daybook/text"
	"github.com/daybook-db/daybook/text/detect"
	"github.com/daybook-db/daybook/text/jq"
)

// newReader returns a reader of the values of an open input that has been looked at.
func (i *ingestion) newReader(ctx context.Context, in *input) (text.ValueReader, error) {
	found := in.finding
	switch {
	case i.flags.jq != "":
		return jq.NewReader(ctx, in.opened.Reader, i.flags.jq, found.Reader, i.flags.hints(in.name).Time)
	case found.Kind == detect.Parquet, found.Kind == detect.SQLite:
		return i.openExport(in)
	case found.Kind == detect.CSV && found.Own:
		return text.NewExportedCSVReader(in.opened.Reader, found.Reader)
	case found.Kind == detect.CSV:
		return text.NewCSVReader(in.opened.Reader, found.Reader)
	case found.Kind == detect.LineProtocol:
		return text.NewLineProtocolReader(in.opened.Reader, found.Reader)
	case found.Own:
		return text.NewNDJSONReader(in.opened.Reader, found.Reader), nil
	}
	return text.NewJSONReader(in.opened.Reader, found.Reader)
}

// openExport opens a file as import does.
func (i *ingestion) openExport(in *input) (text.ValueReader, error) {
	if in.live || in.opened.text.Compression != "" {
		return nil, usagef("%s is %s, which is read from several places: it must be a file that is not compressed",
			in.name, in.finding.Kind)
	}
	format := "auto"
	if in.finding.Kind == detect.Parquet {
		format = "parquet"
	}
	export, err := openExported(i.cmd, in.path, format)
	if err != nil {
		return nil, err
	}
	in.export = export
	return export, nil
}

// findingOfJQ stands for the finding about an input whose values an expression makes.
func findingOfJQ(hints detect.Hints) *detect.Finding {
	found := &detect.Finding{Kind: detect.JSONDocument, Reader: hints.Reader}
	if found.Reader.Record == "" && found.Reader.Name != stdinName {
		found.Reader.Record = detect.RecordOfFile(found.Reader.Name)
	}
	return found
}
