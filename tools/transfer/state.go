package transfer

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// uploadState is what is remembered of an upload in parts, so that it can be taken up again. Which parts
// are there is not in it: the store says that.
type uploadState struct {
	Upload   string    `json:"upload"`
	From     string    `json:"from"` // This and the next are for people who look.
	To       string    `json:"to"`
	Size     int64     `json:"size"`
	Modified time.Time `json:"modified"` // Of a source that is a file.
	ETag     string    `json:"etag"`     // Of a source that is an object.
	PartSize int64     `json:"part_size"`
}

// isOf reports whether an upload is of the same source, in the same parts.
func (s uploadState) isOf(o uploadState) bool {
	return s.Upload != "" && s.Size == o.Size && s.Modified.Equal(o.Modified) && s.ETag == o.ETag &&
		s.PartSize == o.PartSize
}

// stateFile holds an uploadState. It is locked as long as it is open, so that one process at a time
// works on an upload.
type stateFile struct {
	f    *os.File // Nil: nothing is remembered.
	path string
}

// errBusy is of a transfer that another process does right now.
var errBusy = errors.New("another process is at it")

// openState opens the state of an upload, which may be empty.
func openState(dir string, names ...string) (*stateFile, uploadState, error) {
	var s uploadState
	if dir == "" {
		return &stateFile{}, s, nil
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, s, err
	}
	path := filepath.Join(dir, sumOf(names...)+".json")
	for {
		f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
		if err != nil {
			return nil, s, err
		}
		if err := lock(f); err != nil {
			return nil, s, errors.Join(err, f.Close())
		}
		if !isAt(f, func() (os.FileInfo, error) { return os.Stat(path) }) {
			if err := f.Close(); err != nil { // It ended meanwhile, and its file is gone.
				return nil, s, err
			}
			continue
		}
		text, err := io.ReadAll(io.LimitReader(f, stateMax))
		if err != nil {
			return nil, s, errors.Join(err, f.Close())
		}
		if json.Unmarshal(text, &s) != nil {
			s = uploadState{} // It was cut off; nothing is lost but time.
		}
		return &stateFile{f, path}, s, nil
	}
}

// stateMax bounds a state that is read.
const stateMax = 1 << 20

func (s *stateFile) write(u uploadState) error {
	if s.f == nil {
		return nil
	}
	text, err := json.Marshal(u)
	if err != nil {
		return err
	}
	if err := s.f.Truncate(0); err != nil {
		return err
	}
	_, err = s.f.WriteAt(text, 0)
	return err
}

// close ends the use of a state. It is removed if nothing is to be taken up again.
func (s *stateFile) close(keep bool) {
	if s.f == nil {
		return
	}
	if !keep {
		_ = os.Remove(s.path) // If it stays, the upload that it names is not found.
	}
	_ = s.f.Close()
}

func lock(f *os.File) error {
	err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		return fmt.Errorf("%w (it holds %s)", errBusy, filepath.Base(f.Name()))
	}
	return err
}

// isAt reports whether a file is still what a path names.
func isAt(f *os.File, at func() (os.FileInfo, error)) bool {
	have, err := f.Stat()
	named, err2 := at()
	return err == nil && err2 == nil && os.SameFile(have, named)
}

func sumOf(names ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(names, "\x00")))
	return hex.EncodeToString(sum[:ownSum])
}

// bitmap says which parts of a download are in its file.
type bitmap []byte

func newBitmap(parts int) bitmap { return make(bitmap, (parts+7)/8) }

func (b bitmap) has(i int) bool { return b[i/8]&(1<<(i%8)) != 0 }
func (b bitmap) set(i int)      { b[i/8] |= 1 << (i % 8) }
