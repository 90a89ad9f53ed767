package accesslog

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/cockroachdb/errors/oserror"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// header is what a chunk says of its lines.
type header struct {
	Stream

	Lines int   `json:"lines"`
	Since int64 `json:"since"` // When the first line came, in Unix milliseconds.
}

// chunk is lines of one stream.
type chunk struct {
	header

	lines []byte
}

// Names of segments are their number and a suffix. A file with newSuffix was being made when the
// node ended.
const (
	segmentSuffix = ".log"
	newSuffix     = ".new"
	frameBytes    = 8 // Of the length and the checksum before a chunk.
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// encode appends a chunk in the form in which segments have it (see the package).
func (c *chunk) encode(dst []byte) ([]byte, error) {
	head, err := json.Marshal(c.header)
	if err != nil {
		return nil, err
	}
	body := slices.Concat(head, []byte{'\n'}, c.lines)
	dst = binary.LittleEndian.AppendUint32(dst, uint32(len(body)))
	dst = binary.LittleEndian.AppendUint32(dst, crc32.Checksum(body, castagnoli))
	return append(dst, body...), nil
}

// decode returns the chunks of a segment in the order in which they came. Chunks of one stream are
// joined. With errDamaged it returns the chunks before the damage.
func decode(raw []byte) (chunks []*chunk, _ error) {
	byStream := map[Stream]*chunk{}
	for len(raw) > 0 {
		if len(raw) < frameBytes {
			return chunks, errDamaged
		}
		length, sum := binary.LittleEndian.Uint32(raw), binary.LittleEndian.Uint32(raw[4:])
		raw = raw[frameBytes:]
		if uint64(length) > uint64(len(raw)) || crc32.Checksum(raw[:length], castagnoli) != sum {
			return chunks, errDamaged
		}
		head, lines, _ := bytes.Cut(raw[:length], []byte{'\n'})
		raw = raw[length:]
		var h header
		if json.Unmarshal(head, &h) != nil {
			return chunks, errDamaged
		}
		c := byStream[h.Stream]
		if c == nil {
			c = &chunk{header: header{Stream: h.Stream, Since: h.Since}}
			byStream[h.Stream] = c
			chunks = append(chunks, c)
		}
		c.Lines += h.Lines
		c.lines = append(c.lines, lines...)
	}
	return chunks, nil
}

// segment is a file of chunks to which nothing more is written.
type segment struct {
	number uint64
	bytes  int64
}

// spool has all segments of a node.
type spool struct {
	fs   vfs.FS
	dir  string
	most int64

	mu     sync.Mutex
	closed []segment // Oldest first.
	next   uint64    // Number of the next segment.
	open   vfs.File  // Of segment next-1, which is being written; nil: there is none.
	size   int64     // Of the open segment.
	since  time.Time // When the open segment was begun.
	total  int64     // Bytes of all segments.
}

// openSpool finds the segments in a directory. The directory is made only when it is needed.
func openSpool(fs vfs.FS, dir string, most int64) (*spool, error) {
	s := &spool{fs: fs, dir: dir, most: most, next: 1}
	names, err := fs.List(dir)
	if err != nil && !oserror.IsNotExist(err) {
		return nil, err
	}
	for _, name := range names {
		if strings.HasSuffix(name, newSuffix) {
			if err := fs.Remove(fs.PathJoin(dir, name)); err != nil {
				return nil, err
			}
			continue
		}
		text, ok := strings.CutSuffix(name, segmentSuffix)
		number, err := strconv.ParseUint(text, 16, 64)
		if !ok || err != nil {
			continue
		}
		info, err := fs.Stat(fs.PathJoin(dir, name))
		if err != nil {
			return nil, err
		}
		s.closed = append(s.closed, segment{number, info.Size()})
		s.total += info.Size()
		s.next = max(s.next, number+1)
	}
	slices.SortFunc(s.closed, func(a, b segment) int {
		if a.number < b.number {
			return -1
		}
		return 1
	})
	return s, nil
}

func (s *spool) path(number uint64, suffix string) string {
	return s.fs.PathJoin(s.dir, fmt.Sprintf("%016x", number)+suffix)
}

// append writes a chunk to the open segment. If that fails, nothing more is written to this
// segment.
func (s *spool) append(c *chunk) error {
	raw, err := c.encode(nil)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.total+int64(len(raw)) > s.most {
		return errSpool
	}
	if s.open == nil {
		if err := s.begin(); err != nil {
			return err
		}
	}
	if _, err = s.open.Write(raw); err != nil {
		return errors.Join(err, s.end())
	}
	s.size += int64(len(raw))
	s.total += int64(len(raw))
	return nil
}

func (s *spool) begin() error {
	if err := s.fs.MkdirAll(s.dir, 0o700); err != nil {
		return err
	}
	f, err := s.fs.Create(s.path(s.next, segmentSuffix), vfs.WriteCategoryUnspecified)
	if err != nil {
		return err
	}
	s.next++
	s.open, s.size, s.since = f, 0, time.Now()
	return nil
}

// end closes the open segment.
func (s *spool) end() error {
	err := s.open.Close()
	s.closed = append(s.closed, segment{s.next - 1, s.size})
	s.open = nil
	return err
}

// due returns the segments that are to be delivered. The open one is among them if it is older than
// every, or large.
func (s *spool) due(every time.Duration) ([]segment, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var err error
	if s.open != nil && (time.Since(s.since) >= every || s.size >= segmentBytes) {
		err = s.end()
	}
	return slices.Clone(s.closed), err
}

// read returns the chunks of a segment.
func (s *spool) read(g segment) ([]*chunk, error) {
	f, err := s.fs.Open(s.path(g.number, segmentSuffix))
	if err != nil {
		return nil, err
	}
	raw, err := io.ReadAll(f)
	if err = errors.Join(err, f.Close()); err != nil {
		return nil, err
	}
	return decode(raw)
}

// keep replaces a segment by the chunks that are left of it. If none are, it removes the segment.
func (s *spool) keep(g segment, left []*chunk) error {
	var raw []byte
	for _, c := range left {
		var err error
		if raw, err = c.encode(raw); err != nil {
			return err
		}
	}
	path := s.path(g.number, segmentSuffix)
	var err error
	if len(left) == 0 {
		err = s.fs.Remove(path)
	} else {
		err = s.replace(path, s.path(g.number, newSuffix), raw)
	}
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	i := slices.IndexFunc(s.closed, func(c segment) bool { return c.number == g.number })
	s.total += int64(len(raw)) - s.closed[i].bytes
	s.closed[i].bytes = int64(len(raw))
	if len(left) == 0 {
		s.closed = slices.Delete(s.closed, i, i+1)
	}
	return nil
}

// replace writes a new file and renames it to path, so that a crash leaves the one or the other.
func (s *spool) replace(path, by string, raw []byte) error {
	f, err := s.fs.Create(by, vfs.WriteCategoryUnspecified)
	if err != nil {
		return err
	}
	_, err = f.Write(raw)
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	return s.fs.Rename(by, path)
}

// waiting returns how many bytes all segments have.
func (s *spool) waiting() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.total
}

// late returns how many segments were due and are still here, and how many bytes they have.
func (s *spool) late() (segments int, bytes int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, g := range s.closed {
		bytes += g.bytes
	}
	return len(s.closed), bytes
}

func (s *spool) close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.open == nil {
		return nil
	}
	return s.end()
}
