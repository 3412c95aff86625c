// SPDX-License-Identifier: Apache-2.0

//go:build amd64 || arm64

package faults

import (
	"testing"

	"github.com/daybook-db/daybook/proof/fusedisk"
)

func TestMain(m *testing.M) { fusedisk.Main(m) }
