// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/fuzz"
	"github.com/daybook-db/daybook/proof/testenv"
)

// TestPrograms runs the programs in testdata/programs, which FuzzEngine begins with.
func TestPrograms(t *testing.T) {
	for name, program := range programs(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if err := program.Run(programDir(testenv.TempDir(t))); err != nil {
				t.Error(err)
			}
		})
	}
}

// programs returns the programs in testdata/programs by name.
func programs(t testing.TB) map[string]fuzz.Program {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join("testdata", "programs", "*.txt"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("%d programs, %v", len(paths), err)
	}
	programs := map[string]fuzz.Program{}
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		program, err := fuzz.Parse(text)
		if err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		programs[strings.TrimSuffix(filepath.Base(path), ".txt")] = program
	}
	return programs
}

// programDir is the directory of a program.
type programDir string

func (dir programDir) Open(opts fuzz.StoreOptions, readOnly bool) (fuzz.Subject, error) {
	storeOptions := &Options{
		Tuning: Tuning{
			HeadSize:        int64(opts.HeadSize),
			TransactionSize: MinTransactionSize,
			ChunkValues:     opts.ChunkValues,
			ChunkBytes:      opts.ChunkBytes,
		},
		ReadOnly: readOnly,
		Logger:   discard,
	}
	if !readOnly {
		storeOptions.Durability = DurabilityOS // process crashes only; power cuts are tested elsewhere
	}
	db, err := Open(string(dir), storeOptions)
	if err != nil {
		return nil, err
	}
	return &programDB{DB: db}, nil
}

// programDB is a store on which a program runs. One goroutine at a time may use it.
type programDB struct {
	*DB
	stalled *turn // the turn, while it holds that
}

func (db *programDB) ScansBlockWrites() bool { return runtime.GOOS == "windows" }

func (db *programDB) Stall() {
	if db.stalled == nil {
		db.stalled = <-db.turns.free
	}
}

func (db *programDB) goOn() {
	if db.stalled != nil {
		db.stalled.end()
		db.stalled = nil
	}
}

// goOnIfFull gives the turn back if the next commit would wait for a checkpoint.
func (db *programDB) goOnIfFull() {
	if db.heads.frozenHead() != nil && db.heads.full() {
		db.goOn()
	}
}

func (db *programDB) Store(ctx context.Context, recordName string, value json.RawMessage, timestamp uint64) error {
	db.goOnIfFull()
	return db.DB.Store(ctx, recordName, value, timestamp)
}

func (db *programDB) StoreBatch(ctx context.Context, values []daybook.StoredValue) error {
	db.goOnIfFull()
	return db.DB.StoreBatch(ctx, values)
}

func (db *programDB) Cleanup(ctx context.Context, olderThan uint64) (uint64, error) {
	db.goOn()
	return db.DB.Cleanup(ctx, olderThan)
}

func (db *programDB) Prune(ctx context.Context, recordPattern string, params daybook.PruneParams) (uint64, error) {
	db.goOn()
	return db.DB.Prune(ctx, recordPattern, params)
}

func (db *programDB) CursorAt(sequence uint64) daybook.Cursor { return db.cursorAt(sequence) }

func (db *programDB) SetHold(ctx context.Context, h daybook.Hold) error {
	db.goOn()
	return db.DB.SetHold(ctx, h)
}

func (db *programDB) AdvanceHold(ctx context.Context, name string, at daybook.Cursor) error {
	db.goOn()
	return db.DB.AdvanceHold(ctx, name, at)
}

func (db *programDB) ReleaseHold(ctx context.Context, name string) error {
	db.goOn()
	return db.DB.ReleaseHold(ctx, name)
}

func (db *programDB) StoreBatchFrom(ctx context.Context, b daybook.Batch) (daybook.Position, error) {
	if len(b.Values) == 0 {
		db.goOn()
	}
	db.goOnIfFull()
	return db.DB.StoreBatchFrom(ctx, b)
}

func (db *programDB) Checkpoint(ctx context.Context) error {
	db.goOn()
	return db.DB.Checkpoint(ctx)
}

func (db *programDB) Compact(ctx context.Context) error {
	db.goOn()
	return db.DB.Compact(ctx)
}

func (db *programDB) Check(ctx context.Context) error {
	db.goOn()
	return db.DB.Check(ctx)
}

func (db *programDB) Close() error {
	db.goOn()
	return db.DB.Close()
}

func (db *programDB) Totals(ctx context.Context) (fuzz.Totals, error) {
	stats, err := db.Stats(ctx)
	return fuzz.Totals{Records: stats.Records, Values: stats.Values, ValueBytes: stats.ValueBytes}, err
}

func (db *programDB) Crash() error {
	db.goOn()
	return db.abandon()
}

func (db *programDB) Restore() error {
	db.goOn()
	var backup bytes.Buffer
	if err := db.Backup(context.Background(), &backup); err != nil {
		return err
	}
	if err := errors.Join(db.Close(), os.RemoveAll(db.dir.path)); err != nil {
		return err
	}
	return Restore(context.Background(), db.dir.path, &backup)
}

// CrashWithin stores the batch, crashes, and removes the last bytes that this wrote into the log,
// like a process that is killed during the write. It removes nothing when the batch began a
// segment, because that changed the segment before too.
func (db *programDB) CrashWithin(
	ctx context.Context, values []daybook.StoredValue, eighths int,
) (arrived bool, err error) {
	path, before, err := db.lastSegment()
	if err != nil {
		return false, err
	}
	if err := db.StoreBatch(ctx, values); err != nil {
		return false, err
	}
	if err := db.Crash(); err != nil {
		return false, err
	}
	pathAfter, after, err := db.lastSegment()
	if err != nil || pathAfter != path || bytes.Equal(before, after) {
		return err == nil, err
	}
	first, last := extentOfChange(before, after)
	cut := first + (last-first)*eighths/8
	return cut == last, overwriteFile(path, int64(cut), before[cut:last])
}

// lastSegment returns the last segment of the log that is in use, if there is one. Segments that
// are being prepared or renumbered may appear and disappear meanwhile.
func (db *programDB) lastSegment() (path string, data []byte, err error) {
	paths, err := filepath.Glob(filepath.Join(db.dir.path, logName, "*[0-9].log"))
	if err != nil {
		return "", nil, err
	}
	slices.Sort(paths)
	for _, path := range slices.Backward(paths) {
		data, err := readSegment(path)
		switch {
		case os.IsNotExist(err):
		case err != nil:
			return "", nil, err
		case segmentInUse(path, data):
			return path, data, nil
		}
	}
	return "", nil, nil
}

// readSegment reads a segment, which the engine may have open. wine now and then refuses to open it
// a second time while it is renamed.
func readSegment(path string) (data []byte, err error) {
	const sharingViolation = syscall.Errno(32) // ERROR_SHARING_VIOLATION
	for try := 0; ; try++ {
		data, err = os.ReadFile(path)
		if runtime.GOOS != "windows" || !errors.Is(err, sharingViolation) || try == 100 {
			return data, err
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// segmentInUse reports whether the header of a segment has the number in its name, and a first
// sequence number. See go doc ./internal/wal for the format.
func segmentInUse(path string, data []byte) bool {
	number, err := strconv.ParseUint(strings.TrimSuffix(filepath.Base(path), ".log"), 10, 64)
	return err == nil && len(data) >= 44 && binary.LittleEndian.Uint64(data[16:]) == number &&
		binary.LittleEndian.Uint64(data[24:]) != 0
}

// extentOfChange returns the first and the last place at which two files of one size differ.
func extentOfChange(a, b []byte) (first, last int) {
	for a[first] == b[first] {
		first++
	}
	for last = len(a); a[last-1] == b[last-1]; {
		last--
	}
	return first, last
}

func overwriteFile(path string, at int64, data []byte) error {
	file, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	if _, err := file.WriteAt(data, at); err != nil {
		_ = file.Close()
		return err
	}
	return file.Close()
}
