package audit

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
)

// Defaults of FileConfig.
const (
	DefaultFileBytes = 100 << 20
	DefaultFileKeep  = 10
	// MaxFileKeep bounds how many files are kept, because each rotation renames all of them.
	MaxFileKeep = 1000
)

// FileConfig describes a file of records. Before the file grows beyond Bytes, it becomes PATH.1,
// PATH.1 becomes PATH.2, and so on. Files beyond Keep are removed.
type FileConfig struct {
	Path  string
	Bytes int64 // 0: DefaultFileBytes.
	Keep  int   // How many older files are kept; 0: none.
}

// fileMode lets only the owner read who did what.
const fileMode = 0o600

// file is the target that FileConfig describes.
type file struct {
	c    FileConfig
	f    *os.File // Nil: it has to be opened again.
	size int64
}

var _ target = (*file)(nil)

func openFile(c FileConfig) (*file, error) {
	if c.Bytes == 0 {
		c.Bytes = DefaultFileBytes
	}
	f := &file{c: c}
	if err := f.open(); err != nil {
		return nil, err
	}
	return f, nil
}

func (f *file) name() string { return "file" }

// open opens the file for appending. If a crash has cut its last line short, open ends that line,
// so that the next one is whole.
func (f *file) open() error {
	h, err := os.OpenFile(f.c.Path, os.O_RDWR|os.O_APPEND|os.O_CREATE, fileMode)
	if err != nil {
		return err
	}
	st, err := h.Stat()
	if err != nil {
		return errors.Join(err, h.Close())
	}
	size := st.Size()
	if st.Mode().IsRegular() && size > 0 {
		var last [1]byte
		if _, err := h.ReadAt(last[:], size-1); err == nil && last[0] != '\n' {
			n, err := io.WriteString(h, "\n")
			size += int64(n)
			if err != nil {
				return errors.Join(err, h.Close())
			}
		}
	}
	f.f, f.size = h, size
	return nil
}

// write implements target.
func (f *file) write(_ context.Context, batch []byte, _ func(error)) error {
	if f.f != nil && f.size > 0 && f.size+int64(len(batch)) > f.c.Bytes {
		if err := f.rotate(); err != nil {
			return err
		}
	}
	if f.f == nil {
		if err := f.open(); err != nil {
			return err
		}
	}
	n, err := f.f.Write(batch)
	f.size += int64(n)
	if err != nil {
		// When the file is opened again, a line that was cut short is ended.
		err = errors.Join(err, f.f.Close())
		f.f = nil
	}
	return err
}

// rotate renames every file to the next number.
func (f *file) rotate() error {
	err := f.f.Close()
	f.f = nil
	if err != nil {
		return err
	}
	if f.c.Keep == 0 {
		return os.Remove(f.c.Path)
	}
	for i := f.c.Keep - 1; i >= 0; i-- {
		if err := os.Rename(f.older(i), f.older(i+1)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// older returns the name of the i-th file; 0 is the one that is being written.
func (f *file) older(i int) string {
	if i == 0 {
		return f.c.Path
	}
	return fmt.Sprintf("%s.%d", f.c.Path, i)
}

func (f *file) close() error {
	if f.f == nil {
		return nil
	}
	return f.f.Close()
}
