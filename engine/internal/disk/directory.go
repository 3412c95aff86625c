// SPDX-License-Identifier: Apache-2.0

package disk

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
)

// directory is an FS of the operating system.
type directory struct {
	// places are the directories that are open: first the directory itself, then those that
	// FollowLink and Hold opened. They are complete before other goroutines use the FS.
	places []place
	links  []link // that FollowLink followed
}

// link is a symbolic link that FollowLink followed.
type link struct {
	absolute string // what Verify looks up
	real     string // the path that FollowLink returned
}

// place is an open directory with its path.
type place struct {
	path     string // as it was given, cleaned; it is never looked up again
	absolute string // what verify looks up
	root     *os.Root

	// unverifiable says that the system gives one directory several identities.
	unverifiable bool
}

func openDirectory(path string) (*directory, error) {
	absolute, err := Absolute(path)
	if err != nil {
		return nil, err
	}
	d := &directory{}
	return d, d.addPlace(filepath.Clean(path), absolute, func() (*os.Root, error) { return os.OpenRoot(path) })
}

// maxOpenTries is the number of times that addPlace opens a directory until the path still leads
// to it.
const maxOpenTries = 3

// addPlace opens a directory. path is its name in messages, and in later calls.
func (d *directory) addPlace(path, absolute string, open func() (*os.Root, error)) error {
	for try := 1; ; try++ {
		root, err := open()
		if err != nil {
			return err
		}
		p := place{path: path, absolute: absolute, root: root}
		p.unverifiable = p.verify() != nil
		if !p.unverifiable || try == maxOpenTries {
			d.places = append(d.places, p)
			return nil
		}
		_ = root.Close()
	}
}

func (d *directory) Hold(path string) error {
	p, name, err := d.find(path)
	if err != nil {
		return err
	}
	absolute := p.absolute + string(filepath.Separator) + name
	return describe(d.addPlace(path, absolute, func() (*os.Root, error) { return p.root.OpenRoot(name) }), path)
}

// Absolute is filepath.Abs that does not take "link/.." for nothing.
func Absolute(path string) (string, error) {
	if runtime.GOOS == "windows" {
		return filepath.Abs(path)
	}
	if filepath.IsAbs(path) {
		return path, nil
	}
	working, err := os.Getwd()
	return working + string(filepath.Separator) + path, err
}

// verify returns an error if the path leads elsewhere. If the path cannot be looked up, for example
// without the permission for a directory above, or because the disk fails, nothing is known, and
// that is no error.
func (p place) verify() error {
	if p.unverifiable {
		return nil
	}
	own, err := p.root.Stat(".")
	if err != nil {
		return nil
	}
	found, err := os.Stat(p.absolute)
	switch {
	case errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR):
		return fmt.Errorf("the directory %s was moved or deleted while it was open: "+
			"move it back, or restore a backup, and open it again", p.absolute)
	case err == nil && !os.SameFile(own, found):
		return fmt.Errorf("the directory %s was moved or deleted while it was open, and another is in its place, "+
			"which was not touched: put the one that you mean there, and open it again", p.absolute)
	}
	return nil
}

func (d *directory) Verify() error {
	var errs []error
	for _, p := range d.places {
		errs = append(errs, p.verify())
	}
	for _, l := range d.links {
		errs = append(errs, d.verifyLink(l))
	}
	return errors.Join(errs...)
}

// verifyLink returns an error if a link leads to another file than before. The file may be missing.
func (d *directory) verifyLink(l link) error {
	own, err := d.Stat(l.real)
	if err != nil {
		return nil
	}
	found, err := os.Stat(l.absolute)
	if errors.Is(err, fs.ErrNotExist) || err == nil && !os.SameFile(own, found) {
		return fmt.Errorf("the symbolic link %s was changed or removed while it was in use: let it lead to %s, and "+
			"open the directory again", l.absolute, l.real)
	}
	return nil
}

func (d *directory) Close() error {
	var errs []error
	for _, p := range d.places {
		errs = append(errs, p.root.Close())
	}
	return errors.Join(errs...)
}

// maxLinks is the number of symbolic links that may lead from one to the next.
const maxLinks = 40

func (d *directory) FollowLink(path string) (string, error) {
	in, name, err := d.find(path)
	if err != nil {
		return "", err
	}
	target, err := in.root.Readlink(name)
	if err != nil {
		return path, nil // it is missing, or no link
	}
	first := in.absolute + string(filepath.Separator) + name
	var links []fs.FileInfo
	for at := first; len(links) < maxLinks; {
		info, err := os.Lstat(at)
		if err != nil {
			return "", err
		}
		links = append(links, info)
		// The path is joined as text, because Join would take "link/.." for nothing.
		if before, _ := filepath.Split(at); !filepath.IsAbs(target) {
			target = before + target
		}
		at = target
		if target, err = os.Readlink(at); err != nil {
			real, err := d.openPlaceOf(at, links)
			if err != nil {
				// It does not match fs.ErrNotExist: there is a file, on a disk that is not mounted.
				return "", fmt.Errorf("the symbolic link %s leads to %s, whose directory cannot be used: %v",
					path, at, err)
			}
			d.links = append(d.links, link{first, real})
			return real, nil
		}
	}
	return "", &fs.PathError{Op: "open", Path: path, Err: errors.New("too many symbolic links")}
}

// openPlaceOf opens the directory of a file, which has an absolute path, and returns the path that
// the file has in it. links are those that led to it.
func (d *directory) openPlaceOf(path string, links []fs.FileInfo) (string, error) {
	dir, base := filepath.Split(path)
	name, err := filepath.EvalSymlinks(dir)
	if err == nil {
		err = d.addPlace(name, dir, func() (*os.Root, error) { return os.OpenRoot(dir) })
	}
	if err != nil {
		return "", err
	}
	// Another user must not lead an administrator's command to the files of a third.
	info, err := d.places[len(d.places)-1].root.Stat(".")
	if err == nil && slices.ContainsFunc(links, func(l fs.FileInfo) bool { return !mayFollow(l, info) }) {
		err = errors.New("the link belongs to another user than the directory: make the link as the owner of the " +
			"directory, or as root")
	}
	return filepath.Join(name, base), err
}

// find returns the innermost open directory that a path is in, and the path within it. An outer one
// would look up again what the path says: a link may lead to the directory above.
func (d *directory) find(path string) (in place, name string, err error) {
	for _, p := range slices.Backward(d.places) {
		within, err := filepath.Rel(p.path, path)
		if err != nil || within == ".." || strings.HasPrefix(within, ".."+string(filepath.Separator)) {
			continue
		}
		if in.root == nil || len(within) < len(name) {
			in, name = p, within
		}
	}
	if in.root != nil {
		return in, name, nil
	}
	return place{}, "", &fs.PathError{Op: "open", Path: path, Err: errors.New("the path is outside the open directory")}
}

// describe gives an error of os.Root the whole path.
func describe(err error, path string) error {
	var of *fs.PathError
	if errors.As(err, &of) {
		return &fs.PathError{Op: of.Op, Path: path, Err: of.Err}
	}
	return err
}

func (d *directory) Create(path string) (File, error) {
	f, err := d.create(path, os.O_RDWR, 0o600)
	return osFile{f}, err
}

func (d *directory) Open(path string) (File, error) {
	f, err := d.open(path, os.O_RDWR, 0)
	return osFile{f}, err
}

func (d *directory) OpenFile(path string, flag int, mode fs.FileMode) (*os.File, error) {
	if flag&os.O_CREATE != 0 {
		if f, err := d.create(path, flag, mode); !errors.Is(err, fs.ErrExist) {
			return f, err
		}
	}
	return d.open(path, flag, mode)
}

func (d *directory) open(path string, flag int, mode fs.FileMode) (*os.File, error) {
	in, name, err := d.find(path)
	if err != nil {
		return nil, err
	}
	f, err := in.root.OpenFile(name, flag, mode)
	return f, describe(err, path)
}

// create creates a file that must not exist yet. So the file that is given to the owner of the
// directory is always a new one: a symbolic link to another file counts as existing.
func (d *directory) create(path string, flag int, mode fs.FileMode) (*os.File, error) {
	f, err := d.open(path, flag|os.O_CREATE|os.O_EXCL, mode)
	if err == nil {
		if parent, err := d.Stat(filepath.Dir(path)); err == nil {
			giveToDirectoryOwner(f, parent)
		}
	}
	return f, err
}

func (d *directory) ReadFile(path string) ([]byte, error) {
	in, name, err := d.find(path)
	if err != nil {
		return nil, err
	}
	data, err := in.root.ReadFile(name)
	return data, describe(err, path)
}

func (d *directory) ReadStart(path string, n int) (start []byte, size int64, err error) {
	f, err := d.open(path, os.O_RDONLY, 0)
	if err != nil {
		return nil, 0, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, 0, err
	}
	start = make([]byte, n)
	got, err := f.ReadAt(start, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, 0, err
	}
	return start[:got], info.Size(), nil
}

func (d *directory) Stat(path string) (fs.FileInfo, error) {
	in, name, err := d.find(path)
	if err != nil {
		return nil, err
	}
	info, err := in.root.Stat(name)
	return info, describe(err, path)
}

func (d *directory) Lstat(path string) (fs.FileInfo, error) {
	in, name, err := d.find(path)
	if err != nil {
		return nil, err
	}
	info, err := in.root.Lstat(name)
	return info, describe(err, path)
}

func (d *directory) Rename(oldPath, newPath string) error {
	in, oldName, err := d.find(oldPath)
	if err != nil {
		return err
	}
	target, newName, err := d.find(newPath)
	if err == nil && target.root != in.root {
		err = &fs.PathError{Op: "rename", Path: newPath, Err: errors.New("the new path is in another directory")}
	}
	if err != nil {
		return err
	}
	err = in.root.Rename(oldName, newName)
	var of *os.LinkError
	if errors.As(err, &of) {
		return &os.LinkError{Op: "rename", Old: oldPath, New: newPath, Err: of.Err}
	}
	return err
}

func (d *directory) Remove(path string) error {
	in, name, err := d.find(path)
	if err != nil {
		return err
	}
	return describe(in.root.Remove(name), path)
}

func (d *directory) ReadDir(path string) ([]fs.DirEntry, error) {
	f, err := d.open(path, os.O_RDONLY, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	entries, err := f.ReadDir(-1)
	slices.SortFunc(entries, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
	return entries, err
}

func (d *directory) Mkdir(path string) error {
	in, name, err := d.find(path)
	if err != nil {
		return err
	}
	if info, err := in.root.Stat(name); err == nil {
		if !info.IsDir() {
			return &fs.PathError{Op: "mkdir", Path: path, Err: syscall.ENOTDIR}
		}
		return nil
	}
	if err := in.root.Mkdir(name, 0o700); err == nil {
		d.giveToParentOwner(in, name, path)
	} else if !errors.Is(err, fs.ErrExist) {
		return describe(err, path)
	}
	return d.SyncDir(filepath.Dir(path))
}

func (d *directory) giveToParentOwner(in place, name, path string) {
	parent, err := d.Stat(filepath.Dir(path))
	if err != nil {
		return
	}
	if dir, err := in.root.OpenFile(name, os.O_RDONLY|onlyDirectory, 0); err == nil {
		// os.Root follows links within it also with O_NOFOLLOW.
		opened, _ := dir.Stat()
		if found, _ := in.root.Lstat(name); os.SameFile(opened, found) {
			giveEmptyDirectory(dir, parent)
		}
		_ = dir.Close()
	}
}

func (d *directory) SyncDir(path string) error {
	return syncDir(func() (*os.File, error) { return d.open(path, os.O_RDONLY, 0) })
}

func (d *directory) FreeSpace(path string) (free int64, known bool) {
	f, err := d.open(path, os.O_RDONLY, 0)
	if err != nil {
		return 0, false
	}
	defer f.Close()
	return freeSpace(f)
}

func (d *directory) DiskSize(path string) (size int64, known bool) {
	f, err := d.open(path, os.O_RDONLY, 0)
	if err != nil {
		return 0, false
	}
	defer f.Close()
	return diskSize(f)
}
