// SPDX-License-Identifier: Apache-2.0

package peers

// All returns every peer that keeps JSON records, in the order in which tables list them.
func All() []Peer { return append(sqlite(), keyValue()...) }
