// SPDX-License-Identifier: Apache-2.0

package docs_test

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/zstd"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/backend/sqlite"
)

// archiveRows is the number of rows of the archive.
const archiveRows = 20_000

// rfc3339 is how --flat writes times.
const rfc3339 = "2006-01-02T15:04:05.000Z07:00"

// recipe is what a block of docs/files.md with the mark "recipe: NAME" needs, and what must be
// stored after it.
type recipe struct {
	name    string
	needs   []string                          // programs that Daybook does not come with
	files   map[string]string                 // by name
	prepare func(t *testing.T, dir string)    // makes more files, or starts programs; nil: nothing
	want    map[string]string                 // after a line break, what query prints, by directory
	now     bool                              // the times in want are NOW, a moment ago
	exports map[string]string                 // the content of files that it writes, by name
	check   func(t *testing.T, output string) // the output; nil: anything
}

const readings = `{"record_name":"sensor.cellar","value":{"celsius":12},"stored_at":1764100000000}
{"record_name":"sensor.kitchen","value":{"celsius":21.50},"stored_at":1764000000000}
{"record_name":"sensor.kitchen","value":{"celsius":22.5},"stored_at":1764000060000}
`

const warmReadings = `{"record_name":"sensor.kitchen","value":{"celsius":21.50},"stored_at":1764000000000}
{"record_name":"sensor.kitchen","value":{"celsius":22.5},"stored_at":1764000060000}
`

var recipes = []recipe{
	{
		name: "Home Assistant",
		files: map[string]string{"history.csv": "entity_id,state,last_changed\n" +
			"sensor.attic,18.42,2025-11-24T16:00:00.000Z\n" +
			"sensor.attic,unavailable,2025-11-24T16:00:12.345Z\n" +
			"binary_sensor.door,on,2025-11-24T16:01:00.000Z\n"},
		want: map[string]string{"": `
{"record_name":"ha.binary_sensor.door","value":{"state":"on"},"stored_at":1764000060000}
{"record_name":"ha.sensor.attic","value":{"state":"18.42"},"stored_at":1764000000000}
{"record_name":"ha.sensor.attic","value":{"state":"unavailable"},"stored_at":1764000012345}
`},
	},
	{
		name:  "Home Assistant, recorder",
		needs: []string{"sqlite3"},
		prepare: func(t *testing.T, dir string) {
			mustRun(t, dir, `sqlite3 home-assistant_v2.db "
				CREATE TABLE states_meta (metadata_id INTEGER PRIMARY KEY, entity_id TEXT);
				CREATE TABLE states
					(state_id INTEGER PRIMARY KEY, state TEXT, last_updated_ts FLOAT, metadata_id INTEGER);
				INSERT INTO states_meta VALUES (1, 'sensor.attic'), (2, 'binary_sensor.door');
				INSERT INTO states VALUES (1, '18.42', 1764000000.25, 1), (2, 'on', 1764000060.5, 2),
					(3, 'unavailable', 1764000120, 1);"`)
		},
		want: map[string]string{"": `
{"record_name":"ha.binary_sensor.door","value":{"state":"on"},"stored_at":1764000060500}
{"record_name":"ha.sensor.attic","value":{"state":"18.42"},"stored_at":1764000000250}
`},
	},
	{
		name: "Excel",
		files: map[string]string{"Messung.csv": "\uFEFFDatum;Temperatur;Feuchte\r\n" +
			"24.11.2025 17:00;21,5;\r\n24.11.2025 17:15;21,75;41\r\n"},
		want: map[string]string{"": fmt.Sprintf(`
{"record_name":"cellar","value":{"Temperatur":21.5},"stored_at":%d}
{"record_name":"cellar","value":{"Temperatur":21.75,"Feuchte":41},"stored_at":%d}
`, local(17, 0).UnixMilli(), local(17, 15).UnixMilli())},
		exports: map[string]string{"cellar.csv": fmt.Sprintf(
			"record_name,stored_at,Temperatur,Feuchte\ncellar,%s,21.5,\ncellar,%s,21.75,41\n",
			local(17, 0).UTC().Format(rfc3339), local(17, 15).UTC().Format(rfc3339))},
	},
	{
		name:    "MQTT",
		needs:   []string{"mosquitto", "mosquitto_sub", "mosquitto_pub"},
		prepare: startBroker,
		now:     true,
		want: map[string]string{"": `
{"record_name":"home.door","value":"open","stored_at":NOW}
{"record_name":"home.kitchen","value":{"celsius":21.5},"stored_at":NOW}
`},
	},
	{
		name: "AimDB",
		prepare: func(t *testing.T, dir string) {
			db, err := sqlite.Open(filepath.Join(dir, "history.db"), nil)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { db.Close() }) // it is open during the recipe
			err = db.StoreBatch(t.Context(), []daybook.StoredValue{
				{RecordName: "temp::kitchen", Value: []byte(`{"celsius": 21.50}`), StoredAt: 1764000000000},
				{RecordName: "temp::kitchen", Value: []byte(`null`), StoredAt: 1764000060000},
			})
			if err != nil {
				t.Fatal(err)
			}
		},
		want: map[string]string{"": `
{"record_name":"temp::kitchen","value":{"celsius": 21.50},"stored_at":1764000000000}
{"record_name":"temp::kitchen","value":null,"stored_at":1764000060000}
`},
	},
	{
		name:    "DuckDB",
		needs:   []string{"duckdb"},
		prepare: storeReadings,
		want:    map[string]string{"": readings, "warm": warmReadings},
		check: func(t *testing.T, output string) {
			hour := time.UnixMilli(1764100000000).Format("2006-01-02 15:00:00") // in this machine's zone
			if !strings.Contains(output, hour) {
				t.Errorf("DuckDB does not print the hour of sensor.cellar, %s", hour)
			}
		},
	},
	{
		name:    "DuckDB, flat",
		needs:   []string{"duckdb"},
		prepare: storeReadings,
		want:    map[string]string{"": readings},
		check: func(t *testing.T, output string) {
			hour := time.UnixMilli(1764000000000).Format("2006-01-02 15:00:00") // in this machine's zone
			if !strings.Contains(output, "sensor.kitchen|"+hour) || !strings.Contains(output, "|22\n") {
				t.Error("DuckDB does not print the hour and the mean of sensor.kitchen")
			}
		},
	},
	{
		name:    "pandas",
		needs:   []string{"pandas"},
		prepare: storeReadings,
		want:    map[string]string{"": readings, "warm": warmReadings},
		check: func(t *testing.T, output string) {
			if !strings.Contains(output, "sensor.kitchen    22.0\n") {
				t.Error("pandas does not print the mean of sensor.kitchen")
			}
		},
	},
	{
		name: "InfluxDB",
		files: map[string]string{"home.lp": "air,sensor=hall celsius=21.5 1764000000000000000\n" +
			"air,sensor=hall humidity=41i 1764000000000000000\nair,sensor=attic celsius=12.25 1764000060000000000\n"},
		want: map[string]string{"": `
{"record_name":"air.attic","value":{"celsius":12.25},"stored_at":1764000060000}
{"record_name":"air.hall","value":{"celsius":21.5},"stored_at":1764000000000}
{"record_name":"air.hall","value":{"humidity":41},"stored_at":1764000000000}
`},
	},
	{
		name: "InfluxDB, annotated CSV",
		files: map[string]string{"air.csv": "#datatype,string,long,dateTime:RFC3339,double,string,string,string\r\n" +
			"#group,false,false,false,false,true,true,true\r\n#default,_result,,,,,,\r\n" +
			",result,table,_time,_value,_field,_measurement,sensor\r\n" +
			",,0,2025-11-24T16:00:00Z,21.5,celsius,air,hall\r\n" +
			",,1,2025-11-24T16:01:00Z,12.25,celsius,air,attic\r\n\r\n"},
		want: map[string]string{"": `
{"record_name":"air.attic.celsius","value":{"table":1,"_value":12.25},"stored_at":1764000060000}
{"record_name":"air.hall.celsius","value":{"table":0,"_value":21.5},"stored_at":1764000000000}
`},
	},
	{
		name: "Node-RED",
		files: map[string]string{"flow.ndjson": "" +
			`{"topic":"boiler/flow","payload":{"celsius":61.2},"ts":1764000000123}` + "\n" +
			`{"topic":"boiler/state","payload":"heating","ts":1764000001000}` + "\n"},
		want: map[string]string{"": `
{"record_name":"boiler.flow","value":{"celsius":61.2},"stored_at":1764000000123}
{"record_name":"boiler.state","value":"heating","stored_at":1764000001000}
`},
	},
	{
		name: "PLC",
		files: map[string]string{"line1.csv": "Datum;Zeit;Druck_bar;Temp_C;Status\r\n" +
			"24.11.2025;17:00:00;4,07;61,2;1\r\n24.11.2025;17:00:10;4,11;61,3;1\r\n"},
		want: map[string]string{"": `
{"record_name":"plant.line1","value":{"Druck_bar":4.07,"Temp_C":61.2,"Status":1},"stored_at":1764000000000}
{"record_name":"plant.line1","value":{"Druck_bar":4.11,"Temp_C":61.3,"Status":1},"stored_at":1764000010000}
`},
	},
	{
		name:    "archive",
		prepare: writeArchive,
		want:    map[string]string{"": archiveRow(0) + archiveRow(1) + archiveRow(2)},
		check: func(t *testing.T, output string) {
			for _, want := range []string{"stored 20,000 values ", "exported 20,000 values"} {
				if !strings.Contains(output, want) {
					t.Errorf("want %q of %d rows", want, archiveRows)
				}
			}
		},
	},
}

// TestRecipes runs the recipes of docs/files.md that need nothing but Daybook.
func TestRecipes(t *testing.T) {
	runRecipes(t, false)
}

// TestRecipesWithPrograms runs those that need other programs. One whose program is missing is
// skipped. The step recipes of .ci/run installs all of them.
func TestRecipesWithPrograms(t *testing.T) {
	runRecipes(t, true)
}

func runRecipes(t *testing.T, withPrograms bool) {
	if _, err := exec.LookPath("sh"); err != nil {
		t.Skip("there is no sh to run the recipes with")
	}
	scripts := recipeScripts(t)
	for _, r := range recipes {
		if len(r.needs) > 0 != withPrograms {
			continue
		}
		t.Run(r.name, func(t *testing.T) {
			t.Parallel()
			runRecipe(t, r, scripts[r.name])
		})
	}
}

// TestRecipesAreTested wants a test for each recipe, and a recipe for each test.
func TestRecipesAreTested(t *testing.T) {
	scripts := recipeScripts(t)
	for _, r := range recipes {
		if scripts[r.name] == "" {
			t.Errorf("docs/files.md has no recipe %q", r.name)
		}
		if len(r.want) == 0 {
			t.Errorf("%s: nothing is wanted of it", r.name)
		}
		delete(scripts, r.name)
	}
	for name := range scripts {
		t.Errorf("the recipe %q of docs/files.md has no test", name)
	}
}

// recipeScripts returns the blocks that are recipes, by name.
func recipeScripts(t *testing.T) map[string]string {
	scripts := map[string]string{}
	for _, b := range documentAt(t, "docs/files.md").blocks {
		if name, ok := strings.CutPrefix(b.mark, recipeMark); ok {
			scripts[name] = b.content
		}
	}
	return scripts
}

func runRecipe(t *testing.T, r recipe, script string) {
	dir := t.TempDir()
	for _, program := range r.needs {
		if program == "pandas" {
			script = pythonWithPandas(t) + script
		} else if _, err := exec.LookPath(program); err != nil {
			t.Skip("needs ", program)
		}
	}
	for name, content := range r.files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if r.prepare != nil {
		r.prepare(t, dir)
	}
	output := mustRun(t, dir, script)
	if strings.Contains(output, "daybook: ") {
		t.Errorf("a command of a pipe failed:\n%s", output)
	}
	if r.check != nil {
		r.check(t, output)
	}
	compareStored(t, dir, r)
	for name, want := range r.exports {
		got, err := os.ReadFile(filepath.Join(dir, name))
		if diff := cmp.Diff(want, string(got)); err != nil || diff != "" {
			t.Errorf("%s: %v (-want +got):\n%s", name, err, diff)
		}
	}
	if t.Failed() {
		t.Logf("the recipe printed:\n%s", output)
	}
}

var storedAt = regexp.MustCompile(`"stored_at":(\d+)}`)

// compareStored compares the three oldest values of each record with those that are wanted.
func compareStored(t *testing.T, dir string, r recipe) {
	for name, want := range r.want {
		query := `daybook query "*" --oldest-first --limit 3 --format ndjson`
		if name != "" {
			query += " --dir " + name
		}
		got := mustRun(t, dir, query)
		if r.now {
			got = storedAt.ReplaceAllStringFunc(got, func(match string) string {
				ms, _ := strconv.ParseInt(storedAt.FindStringSubmatch(match)[1], 10, 64)
				if time.Since(time.UnixMilli(ms)).Abs() > time.Minute {
					return match
				}
				return `"stored_at":NOW}`
			})
		}
		if diff := cmp.Diff(strings.TrimPrefix(want, "\n"), got); diff != "" {
			t.Errorf("what is stored in %q (-want +got):\n%s", name, diff)
		}
	}
}

// mustRun runs a script in a directory, and returns what it printed.
func mustRun(t *testing.T, dir, script string) string {
	t.Helper()
	r := runCommand(t, dir, script, 0)
	if r.err != nil {
		t.Fatalf("%v\n%s\n%s", r.err, script, r.output)
	}
	return r.output
}

// local returns a time of 24 November 2025 in this machine's zone.
func local(hour, minute int) time.Time {
	return time.Date(2025, 11, 24, hour, minute, 0, 0, time.Local)
}

func storeReadings(t *testing.T, dir string) {
	if err := os.WriteFile(filepath.Join(dir, "readings.ndjson"), []byte(readings), 0o600); err != nil {
		t.Fatal(err)
	}
	mustRun(t, dir, "daybook ingest readings.ndjson")
}

// pythonWithPandas returns the beginning of a script in which python3 has pandas. It may be
// Debian's, when another one is found first.
func pythonWithPandas(t *testing.T) string {
	for _, python := range []string{"python3", "/usr/bin/python3"} {
		if exec.Command(python, "-c", "import pandas").Run() == nil {
			return fmt.Sprintf("python3() { command %s \"$@\"; }\n", python)
		}
	}
	t.Skip("needs pandas")
	return ""
}

// startBroker starts a broker that has two messages. The file of options makes mosquitto_sub end
// after them.
func startBroker(t *testing.T, dir string) {
	listener, err := net.Listen("tcp", "localhost:0")
	if err != nil {
		t.Fatal(err)
	}
	port := strconv.Itoa(listener.Addr().(*net.TCPAddr).Port)
	listener.Close()
	broker := exec.Command("mosquitto", "-p", port)
	if err := broker.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = broker.Process.Kill()
		_ = broker.Wait()
	})
	if err := os.Mkdir(filepath.Join(dir, ".config"), 0o700); err != nil {
		t.Fatal(err)
	}
	options := fmt.Sprintf("-p %s\n-C 2\n", port)
	if err := os.WriteFile(filepath.Join(dir, ".config/mosquitto_sub"), []byte(options), 0o600); err != nil {
		t.Fatal(err)
	}
	mustRun(t, dir, fmt.Sprintf(`
		publish() { mosquitto_pub -h localhost -p %s -r -t "$1" -m "$2"; }
		for i in 1 2 3 4 5 6 7 8 9 10; do publish home/kitchen '{"celsius":21.5}' && break; sleep 0.5; done
		publish home/door '"open"'`, port))
}

func writeArchive(t *testing.T, dir string) {
	file, err := os.Create(filepath.Join(dir, "archive.csv.zst"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	writer, err := zstd.NewWriter(file)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprintln(writer, "time,celsius,percent,state")
	for i := range archiveRows {
		fmt.Fprintf(writer, "%d,%d.5,%d,ok\n", 1764000000+i, i%40, i%100)
	}
	if err := writer.Close(); err != nil {
		t.Fatal(err)
	}
}

// archiveRow returns what a row of the archive becomes.
func archiveRow(i int) string {
	value := fmt.Sprintf(`{"celsius":%d.5,"percent":%d,"state":"ok"}`, i%40, i%100)
	return fmt.Sprintf(`{"record_name":"plant.archive","value":%s,"stored_at":%d}`+"\n", value, (1764000000+i)*1000)
}
