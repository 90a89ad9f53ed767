package transfer

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// errSkipped is of local things that hold no bytes to copy.
var errSkipped = errors.New("skipped")

// Skipped reports whether a failure is only that of something that is never copied: a socket, a device, or
// a symbolic link to a directory.
func Skipped(err error) bool { return errors.Is(err, errSkipped) }

// Walk lists the files below a local directory, in the order that their paths have as keys. Symbolic links
// to files count as files. What cannot be read is yielded as a *Failure, and the walk goes on. Files that
// begin with the names of unfinished downloads are left out.
func Walk(ctx context.Context, root string) iter.Seq2[Item, error] {
	return func(yield func(Item, error) bool) {
		walkDir(ctx, root, "", yield)
	}
}

func walkDir(ctx context.Context, root, rel string, yield func(Item, error) bool) bool {
	if err := ctx.Err(); err != nil {
		yield(Item{}, err)
		return false
	}
	dir := filepath.Join(root, filepath.FromSlash(rel))
	entries, err := os.ReadDir(dir)
	if err != nil {
		return yield(Item{}, &Failure{Location{Path: dir}, err})
	}
	slices.SortFunc(entries, func(a, b fs.DirEntry) int { return strings.Compare(keyOrder(a), keyOrder(b)) })
	for _, e := range entries {
		if isOwnFile(e.Name()) {
			continue
		}
		at := filepath.Join(dir, e.Name())
		if e.IsDir() {
			if !walkDir(ctx, root, rel+e.Name()+"/", yield) {
				return false
			}
			continue
		}
		item, err := fileItem(at)
		if err != nil {
			if !yield(Item{}, &Failure{Location{Path: at}, err}) {
				return false
			}
			continue
		}
		item.Rel = rel + e.Name()
		if !yield(item, nil) {
			return false
		}
	}
	return true
}

// keyOrder is what entries of a directory are sorted by: what lies in a directory has a slash after its
// name.
func keyOrder(e fs.DirEntry) string {
	if e.IsDir() {
		return e.Name() + "/"
	}
	return e.Name()
}

// fileItem returns a file as it is now.
func fileItem(path string) (Item, error) {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return Item{}, plainPathError(err)
	case info.IsDir():
		return Item{}, fmt.Errorf("%w: a symbolic link to a directory", errSkipped)
	case !info.Mode().IsRegular():
		return Item{}, fmt.Errorf("%w: it is no regular file", errSkipped)
	}
	return Item{At: Location{Path: path}, Rel: filepath.Base(path), Size: info.Size(), Modified: info.ModTime()}, nil
}

// plainPathError takes the path out of an error that is told with the path.
func plainPathError(err error) error {
	var pe *fs.PathError
	if errors.As(err, &pe) {
		return pe.Err
	}
	return err
}

// Names of what a download keeps until it is whole.
const (
	ownPrefix   = ".cairn-"
	ownPart     = ".part"
	ownProgress = ".json"
	ownSum      = 16 // Bytes of the checksum in the name.
)

// isOwnFile reports whether a name is that of an unfinished download.
func isOwnFile(name string) bool {
	name, ok := strings.CutPrefix(name, ownPrefix)
	sum, end, dot := strings.Cut(name, ".")
	_, err := hex.DecodeString(sum)
	return ok && dot && err == nil && len(sum) == 2*ownSum && ("."+end == ownPart || "."+end == ownProgress)
}
