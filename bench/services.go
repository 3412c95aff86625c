// SPDX-License-Identifier: Apache-2.0

package bench

import (
	"fmt"
	"math/rand/v2"
	"strconv"
)

// web is a device of shape Web.
type web struct {
	random         *rand.Rand
	requests, hits walk
	median         walk
}

func newWeb(_ int, random *rand.Rand) device {
	return &web{
		random:   random,
		requests: walks(1, random, 40, 200, 3000)[0],
		hits:     walks(1, random, 0.01, 0.5, 0.99)[0],
		median:   walks(1, random, 1.5, 5, 90)[0],
	}
}

func (d *web) append(dst []byte, _ uint64) []byte {
	requests, median := d.requests.next(d.random), d.median.next(d.random)
	sent := max(requests*5400+d.random.NormFloat64()*1e5, 0)
	dst = appendDecimal(append(dst, `{"requests":`...), requests, 0)
	dst = strconv.AppendInt(append(dst, `,"errors":`...), int64(d.random.ExpFloat64()*2), 10)
	dst = appendDecimal(append(dst, `,"p50_ms":`...), median, 0)
	dst = appendDecimal(append(dst, `,"p99_ms":`...), median+d.random.ExpFloat64()*60, 0)
	dst = appendDecimal(append(dst, `,"bytes_sent":`...), sent, 0)
	dst = appendDecimal(append(dst, `,"cache_hits":`...), d.hits.next(d.random), 3)
	return append(dst, '}')
}

// machine is a device of shape States.
type machine struct {
	random *rand.Rand
	parts  int64
	speed  walk
}

func newStates(_ int, random *rand.Rand) device {
	return &machine{random: random, speed: walks(1, random, 0.3, 5, 40)[0]}
}

var states = [...]string{"running", "idle", "setup", "blocked", "starved", "fault", "cleaning", "off"}

func (d *machine) append(dst []byte, _ uint64) []byte {
	d.parts += int64(d.random.IntN(3))
	dst = append(append(dst, `{"state":"`...), states[d.random.IntN(len(states))]...)
	dst = append(append(dst, `","operator":"`...), workers[d.random.IntN(len(workers))]...)
	dst = strconv.AppendInt(append(dst, '.'), int64(d.random.IntN(10)), 10)
	dst = strconv.AppendInt(append(dst, `","order":"A-`...), 204_000+7*int64(d.random.IntN(500)), 10)
	dst = strconv.AppendInt(append(dst, `","parts":`...), d.parts, 10)
	dst = appendDecimal(append(dst, `,"speed":`...), d.speed.next(d.random), 1)
	return append(dst, '}')
}

// session is a device of shape Sessions.
type session struct {
	random *rand.Rand
	user   string // the members that are the same in the whole session
}

var (
	plans     = [...]string{"free", "plus", "team"}
	actions   = [...]string{"view", "view", "view", "search", "add", "remove", "pay", "leave"}
	sections  = [...]string{"shoes", "garden", "books"}
	referrers = [...]string{"newsletter", "search", "partner", "social"}
)

func newSession(_ int, random *rand.Rand) device {
	return &session{random, fmt.Sprintf(`,"session":"%016x","user":{"id":%d,"plan":%q}`,
		random.Uint64(), random.IntN(1_000_000), plans[random.IntN(len(plans))])}
}

// append makes an object in which three members are there in 30, 20 and 5 of 100 values.
func (d *session) append(dst []byte, _ uint64) []byte {
	dst = append(append(dst, `{"event":"`...), actions[d.random.IntN(len(actions))]...)
	dst = append(append(dst, '"'), d.user...)
	dst = append(append(dst, `,"page":"/shop/`...), sections[d.random.IntN(len(sections))]...)
	dst = strconv.AppendInt(append(dst, '/'), 1000+int64(d.random.IntN(2000)), 10)
	dst = append(dst, '"')
	if d.random.IntN(100) < 30 {
		dst = d.appendItems(dst)
	}
	if d.random.IntN(100) < 20 {
		dst = append(append(dst, `,"referrer":"`...), referrers[d.random.IntN(len(referrers))]...)
		dst = append(dst, '"')
	}
	if d.random.IntN(100) < 5 {
		dst = strconv.AppendInt(append(dst, `,"error":{"code":`...), 500+int64(d.random.IntN(4)), 10)
		dst = append(dst, `,"retry":true}`...)
	}
	dst = strconv.AppendInt(append(dst, `,"ms":`...), int64(d.random.ExpFloat64()*80), 10)
	return append(dst, '}')
}

// appendItems appends one to four items of the basket.
func (d *session) appendItems(dst []byte) []byte {
	dst = append(dst, `,"items":`...)
	for i := range 1 + d.random.IntN(4) {
		start := byte(',')
		if i == 0 {
			start = '['
		}
		dst = strconv.AppendInt(append(append(dst, start), `{"sku":"K-`...), 1000+int64(d.random.IntN(4000)), 10)
		dst = strconv.AppendInt(append(dst, `","quantity":`...), 1+int64(d.random.IntN(3)), 10)
		dst = append(dst, '}')
	}
	return append(dst, ']')
}

// logs is a device of shape Logs.
type logs struct{ random *rand.Rand }

func newLogs(_ int, random *rand.Rand) device { return logs{random} }

var (
	levels = [...]string{"info", "info", "info", "info", "info", "info", "info", "debug", "warn", "error"}
	paths  = [...]string{"devices", "readings", "alarms", "users", "reports"}
)

func (d logs) append(dst []byte, _ uint64) []byte {
	status := 200
	if d.random.IntN(10) == 0 {
		status = 404
	}
	dst = append(append(dst, `{"level":"`...), levels[d.random.IntN(len(levels))]...)
	dst = append(append(dst, `","logger":"http","msg":"GET /api/v1/`...), paths[d.random.IntN(len(paths))]...)
	dst = strconv.AppendInt(append(dst, '/'), 10_000+int64(d.random.IntN(90_000)), 10)
	dst = strconv.AppendInt(append(dst, " answered "...), int64(status), 10)
	dst = strconv.AppendInt(append(dst, " in "...), int64(d.random.ExpFloat64()*40), 10)
	return fmt.Appendf(dst, ` ms","trace":"%016x"}`, d.random.Uint64())
}
