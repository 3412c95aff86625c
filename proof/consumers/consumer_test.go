// SPDX-License-Identifier: Apache-2.0

package consumers

import (
	"errors"
	"fmt"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/index"
)

// consumer takes the changes of a store. What it has taken and its place are saved together.
type consumer struct {
	name     string
	params   daybook.ChangesParams // without a place
	pattern  *index.Pattern
	maxTaken int // at once; 0: all

	taken []daybook.Change
	at    daybook.Cursor

	saved   []daybook.Change // as of the last save
	savedAt daybook.Cursor

	mayFork bool // the store has lost or changed its history after the last catching up
}

func newConsumers() []*consumer {
	all := []*consumer{
		{name: "all"},
		{name: "all, another"},
		{name: "pattern", params: daybook.ChangesParams{Pattern: daybook.Pattern{Text: "a.*"}}},
		{name: "topic", params: daybook.ChangesParams{Pattern: daybook.Pattern{Text: "*.3", Syntax: daybook.Topic}}},
		{name: "durable", params: daybook.ChangesParams{Durable: true}},
		{name: "slow", maxTaken: 3},
		{name: "slow and durable", params: daybook.ChangesParams{Durable: true}, maxTaken: 5},
	}
	for _, c := range all {
		text := c.params.Pattern.Text
		if text == "" {
			text = "#"
		}
		syntax := c.params.Pattern.Syntax
		if c.params.Pattern.Text == "" {
			syntax = daybook.Topic
		}
		c.pattern, _ = index.Compile(daybook.Pattern{Text: text, Syntax: syntax})
	}
	return all
}

// crash forgets what was not saved.
func (c *consumer) crash() {
	c.taken, c.at = append([]daybook.Change(nil), c.saved...), c.savedAt
	c.mayFork = true // as long ago as that was
}

func (c *consumer) save() { c.saved, c.savedAt = append([]daybook.Change(nil), c.taken...), c.at }

// catchUp takes what the store has after the consumer's place. After a fork it takes back what
// the store does not share, and goes on there.
func (c *consumer) catchUp(s *store) error {
	for {
		err := c.read(s)
		var fork *daybook.ForkedError
		switch {
		case !errors.As(err, &fork):
			return err
		case !c.mayFork:
			return fmt.Errorf("forked without a cause: at %v, %w", c.at, err)
		case fork.Common.Sequence >= c.at.Sequence && !c.at.IsZero() && fork.Common.Epoch == c.at.Epoch:
			return fmt.Errorf("forked at %v, which is not before %v", fork.Common, c.at)
		}
		for len(c.taken) > 0 && c.taken[len(c.taken)-1].Cursor.Sequence > fork.Common.Sequence {
			c.taken = c.taken[:len(c.taken)-1]
		}
		c.at = fork.Common
	}
}

func (c *consumer) read(s *store) error {
	params := c.params
	params.After = c.at
	taken := 0
	for change, err := range s.db.Changes(ctx, params) {
		if err != nil {
			return err
		}
		if !change.IsPlace() {
			if change.Cursor.Sequence <= c.at.Sequence {
				return fmt.Errorf("%v follows %v", change.Cursor, c.at)
			}
			c.taken = append(c.taken, change)
			taken++
		}
		c.at = change.Cursor
		if c.maxTaken > 0 && taken == c.maxTaken {
			return nil // it may be told of a fork that it has not met yet
		}
	}
	c.mayFork = false
	return nil
}

// check compares what the consumer has with the store's model, up to the consumer's place. It may
// miss a value that was deleted at some time: an older backup brings such a value back.
func (c *consumer) check(s *store, wasDeleted map[uint64]bool) error {
	taken := map[uint64]uint64{} // the id of each number
	for _, change := range c.taken {
		n := change.Cursor.Sequence
		if _, twice := taken[n]; twice || n > uint64(len(s.history)) || s.history[n-1].id != change.StoredAt {
			return fmt.Errorf("it has value %d under %v, which the store does not have", change.StoredAt, change.Cursor)
		}
		taken[n] = change.StoredAt
	}
	for at, n := range s.history[:min(c.at.Sequence, uint64(len(s.history)))] {
		if _, found := taken[uint64(at)+1]; !found && n.id != 0 && !wasDeleted[n.id] && c.pattern.Match(n.record) {
			return fmt.Errorf("it is at %v and does not have value %d, which has number %d", c.at, n.id, at+1)
		}
	}
	return nil
}
