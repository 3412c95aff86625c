// SPDX-License-Identifier: Apache-2.0

// Package text turns files into stored values and stored values into files: NDJSON, JSON, CSV and
// Influx line protocol. Its subpackage parquet does the same for Parquet.
//
// A [ValueReader] reads the values of one file, in the file's order. The subpackage detect finds
// which constructor suits a file, and with which options; the subpackage decode makes UTF-8 of a
// compressed file or of another encoding:
//
//	NewNDJSONReader       one JSON object per line: with record_name, value and stored_at, or
//	                      with topic, payload and ts, as AimDB names them
//	NewJSONReader         JSON of other programs: lines, an array, or a document with paths to its
//	                      values; and the array that NewJSONWriter writes
//	NewLineProtocolReader Influx line protocol
//	NewCSVReader          any CSV: each row becomes one JSON object, or one value per column
//	NewExportedCSVReader  the CSV that NewCSVWriter writes
//	parquet.NewReader     the Parquet that parquet.NewWriter writes
//	jq.NewReader          any JSON, with an expression
//
// A [ValueWriter] writes values. All formats hold the name of the record, the time in Unix
// milliseconds and the JSON of the value:
//
//	NDJSON   {"record_name":"sensor.kitchen","value":{"celsius":21.5},"stored_at":1764000000000}
//	CSV      record_name,stored_at,value
//	         sensor.kitchen,1764000000000,"{""celsius"":21.5}"
//
// [NewJSONWriter] writes one array of the objects of NDJSON. [NewFlatCSVWriter] writes a column for
// each member of the values, for spreadsheets; no reader here gives them back.
//
// Only Parquet keeps every value byte for byte. NDJSON drops white space around a value, and turns
// each line break inside a value into a space. CSV turns "\r\n" inside a name or a value into "\n".
//
// # Guarantees
//
// A reader returns only values with a valid name and valid JSON: it checks both by the rules of
// package daybook. A backend may refuse a value for another reason, such as its time. Memory does
// not grow with the file, because lines and rows have a maximal length. Malformed input is an error
// and never a panic.
//
// A reader or writer serves one goroutine at a time. It closes neither its input nor its output.
//
// # Errors
//
// A value that cannot be stored is a [*LineError] with the name of the file and the line. The
// reader goes on with the next value after it. The cause of a LineError has fields, too. A
// [SyntaxError] has the byte where a text is wrong, and says what was wanted there. A
// [MemberError] has the member of an object, a [ColumnError] the column of a row, a [TimeError] the
// text that is not a time. An [*EndError] ends an array or a document that is damaged between its
// values.
package text
