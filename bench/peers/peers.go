// SPDX-License-Identifier: Apache-2.0

package peers

// All returns the peers that keep JSON, in the order of the tables.
func All() []Peer { return append(sqlite(), keyValue()...) }
