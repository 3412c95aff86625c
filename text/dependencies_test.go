// SPDX-License-Identifier: Apache-2.0

package text

import (
	"os/exec"
	"strings"
	"testing"
)

// TestDependencies wants that a program can link this package without the engine, the command line
// and the Parquet library, and the subpackage parquet without the first two.
func TestDependencies(t *testing.T) {
	tests := []struct {
		dir       string
		forbidden []string
		reason    string
	}{
		{".", []string{"daybook/engine", "go.etcd.io/bbolt", "spf13/cobra", "parquet-go", "itchyny/gojq"},
			"small programs read and write NDJSON and CSV"},
		{"./parquet", []string{"daybook/engine", "go.etcd.io/bbolt", "spf13/cobra"},
			"any backend can be exported"},
		{"./jq", []string{"daybook/engine", "go.etcd.io/bbolt", "spf13/cobra", "parquet-go"},
			"expressions serve any backend"},
	}
	for _, test := range tests {
		out, err := exec.Command("go", "list", "-deps", test.dir).CombinedOutput()
		if err != nil {
			t.Fatalf("go list: %v\n%s", err, out)
		}
		packages := strings.Fields(string(out))
		if len(packages) < 10 {
			t.Fatalf("go list prints %d packages: %s", len(packages), out)
		}
		for _, name := range packages {
			for _, forbidden := range test.forbidden {
				if strings.Contains(name, forbidden) {
					t.Errorf("%s imports %s; want that it does not, because %s", test.dir, name, test.reason)
				}
			}
		}
	}
}
