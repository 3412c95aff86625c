// SPDX-License-Identifier: Apache-2.0

package text_test

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/daybook-db/daybook/text"
)

// Lines that cannot be stored are reported, and the others are read.
func ExampleNewNDJSONReader() {
	lines := strings.NewReader(`{"record_name":"sensor.kitchen","value":{"celsius":21.5},"stored_at":1764000000000}
{"record_name":"sensor.cellar","value":{"celsius":12}}
`)
	values := text.NewNDJSONReader(lines, text.ReadOptions{Name: "readings.ndjson"})
	for {
		value, err := values.Read()
		var bad *text.LineError
		switch {
		case err == io.EOF:
			return
		case errors.As(err, &bad):
			fmt.Println("skipped line", bad.Line, "because of:", bad.Err)
		case err != nil:
			fmt.Println(err)
			return
		default:
			fmt.Printf("%s at %d: %s\n", value.RecordName, value.StoredAt, value.Value)
		}
	}
	// Output:
	// sensor.kitchen at 1764000000000: {"celsius":21.5}
	// skipped line 2 because of: member "stored_at": it has no time
}

// Each row becomes one JSON object, and the objects are written as NDJSON.
func ExampleNewCSVReader() {
	rows := strings.NewReader("time,celsius,sky\n2025-11-23T06:00:00Z,3.50,clear\n2025-11-23T07:00:00Z,4,\n")
	values, err := text.NewCSVReader(rows, text.ReadOptions{Record: "vienna", Time: []string{"time"}})
	if err != nil {
		fmt.Println(err)
		return
	}
	lines := text.NewNDJSONWriter(os.Stdout)
	for {
		value, err := values.Read()
		if err == io.EOF {
			break
		}
		if err == nil {
			err = lines.Write(value)
		}
		if err != nil {
			fmt.Println(err)
			return
		}
	}
	if err := lines.Close(); err != nil {
		fmt.Println(err)
	}
	// Output:
	// {"record_name":"vienna","value":{"celsius":3.50,"sky":"clear"},"stored_at":1763877600000}
	// {"record_name":"vienna","value":{"celsius":4},"stored_at":1763881200000}
}
