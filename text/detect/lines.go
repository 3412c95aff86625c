// SPDX-License-Identifier: Apache-2.0

package detect

import (
	"bytes"
	"fmt"
	"io"

	"github.com/daybook-db/daybook/text"
	"github.com/daybook-db/daybook/text/timeform"
)

// sampleTimes keeps the texts of times, which it reads as now.
type sampleTimes struct{ texts []string }

func (s *sampleTimes) ParseTime(text string) (uint64, error) {
	s.texts = append(s.texts, text)
	return 0, nil
}

// countValues returns the number of values, and the first error.
func countValues(values text.ValueReader) (good int, first error) {
	for {
		_, err := values.Read()
		switch {
		case err == io.EOF:
			return good, first
		case err == nil:
			good++
		case first == nil:
			first = err
		}
	}
}

// detectLineProtocol finds the times of Influx line protocol.
func detectLineProtocol(sample Sample, hints Hints) (*Finding, error) {
	f := &Finding{Kind: LineProtocol, Reader: hints.Reader}
	times := &sampleTimes{}
	opts := hints.Reader
	opts.Times = times
	values, err := text.NewLineProtocolReader(bytes.NewReader(cutLine(sample).Text), opts)
	if err != nil {
		return nil, err
	}
	good, err := countValues(values)
	if good == 0 && err != nil {
		return nil, err
	}
	if len(times.texts) > 0 {
		form, err := timeform.Detect(times.texts, hints.Time)
		if err != nil {
			return nil, fmt.Errorf("the times of its lines: %w", err)
		}
		f.Time, f.Reader.Times = form, form.NewParser()
		f.add("time: %s", form)
	} else if hints.Reader.StampNow {
		f.add("time: now")
	}
	if opts.Record != "" {
		f.add("record %q", opts.Record)
	} else {
		f.add("record from the measurement and the tags")
	}
	return f, nil
}
