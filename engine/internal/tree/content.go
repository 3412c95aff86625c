// SPDX-License-Identifier: Apache-2.0

package tree

import "github.com/daybook-db/daybook/engine/internal/pages"

// content is what read transactions of a commit begin with: the state, and where the buckets with
// the data begin.
type content struct {
	state           State
	values, records *pages.Bucket
}

// readContent reads and verifies the root page and the state that an image shows.
func readContent(image *pages.Image) (c content, err error) {
	if c.state, err = readState(image); err != nil {
		return content{}, err
	}
	c.values, c.records, err = dataBuckets(image)
	return c, err
}

// content returns what the transaction begins with. It is the same for all transactions of a
// commit, so only the first one reads it, if it can be kept.
func (r *readTx) content() (content, error) {
	isOf := r.commit.to == r.image.Tx()
	if known := r.commit.content.Load(); known != nil && isOf {
		return content{known.state, known.values.In(r.image), known.records.In(r.image)}, nil
	}
	c, err := readContent(r.image)
	if err == nil && isOf && c.canBeKept() {
		r.commit.content.Store(&content{c.state, c.values.In(nil), c.records.In(nil)})
	}
	return c, err
}

// canBeKept reports whether no bucket is inline, on the root page.
func (c *content) canBeKept() bool { return c.values.In(nil) != nil && c.records.In(nil) != nil }
