package snapshot

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/cairnstore/cairn/cluster/errs"
)

// The stream's format is in doc.go.
const (
	streamMagic     = "CAIRNSNP"
	streamVersion   = 1
	streamHeadBytes = 8 + 1 + 8 + 8 + 4 + 4
	fileHeadBytes   = 2 + 8
	maxFileName     = 255
	sumBytes        = 4
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

var errBadChecksum = errors.New("the checksum does not match")

// streamBytes returns the length of the stream of files.
func streamBytes(files []File) int64 {
	n := int64(streamHeadBytes + sumBytes)
	for _, f := range files {
		n += int64(fileHeadBytes+len(f.Name)) + sumBytes + f.Size + sumBytes
	}
	return n
}

// validFileName tells names that a database gives its files from ones that lead
// elsewhere.
func validFileName(name string) bool {
	if name == "" || name == "." || name == ".." || len(name) > maxFileName {
		return false
	}
	for _, c := range []byte(name) {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '.', c == '-', c == '_':
		default:
			return false
		}
	}
	return true
}

func appendSum(b []byte) []byte {
	return binary.LittleEndian.AppendUint32(b, crc32.Checksum(b, castagnoli))
}

// packer streams a snapshot. Files are opened as the stream gets to them.
type packer struct {
	snaps   *Store
	meta    *Meta
	pending []byte // Heads and checksums still to be read.
	next    int    // Index of the next file.
	file    vfs.File
	left    int64
	sum     uint32 // Of the open file.
	sums    uint32 // Of the files' checksums.
	ended   bool
	closed  bool
}

func newPacker(s *Store, m *Meta) *packer {
	b := append([]byte(streamMagic), streamVersion)
	b = binary.LittleEndian.AppendUint64(b, m.StateIndex)
	b = binary.LittleEndian.AppendUint64(b, m.StateTerm)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(m.Files)))
	return &packer{snaps: s, meta: m, pending: appendSum(b)}
}

// Read implements io.Reader.
func (p *packer) Read(b []byte) (int, error) {
	for len(p.pending) == 0 && p.left == 0 {
		if p.ended {
			return 0, io.EOF
		}
		if err := p.advance(); err != nil {
			return 0, err
		}
	}
	if len(p.pending) > 0 {
		n := copy(b, p.pending)
		p.pending = p.pending[n:]
		return n, nil
	}
	n, err := p.file.Read(b[:min(int64(len(b)), p.left)])
	p.sum = crc32.Update(p.sum, castagnoli, b[:n])
	p.left -= int64(n)
	if err == io.EOF && n > 0 {
		err = nil
	}
	if err == io.EOF {
		err = io.ErrUnexpectedEOF // The file is shorter than it was.
	}
	return n, err
}

// advance ends the open file and begins the next, or ends the stream.
func (p *packer) advance() error {
	if p.file != nil {
		sum := binary.LittleEndian.AppendUint32(nil, p.sum)
		p.sums = crc32.Update(p.sums, castagnoli, sum)
		p.pending = sum
		err := errors.Join(p.file.Close(), p.meta.Files[p.next-1].intact(p.sum))
		p.file = nil
		return err
	}
	if p.next == len(p.meta.Files) {
		p.pending = binary.LittleEndian.AppendUint32(nil, p.sums)
		p.ended = true
		return nil
	}
	f := p.meta.Files[p.next]
	p.next++
	file, err := p.snaps.fs.Open(p.snaps.fs.PathJoin(p.snaps.statePath(p.meta.Number), f.Name),
		vfs.SequentialReadsOption)
	if err != nil {
		return err
	}
	p.file, p.left, p.sum = file, f.Size, 0
	b := binary.LittleEndian.AppendUint16(nil, uint16(len(f.Name)))
	b = binary.LittleEndian.AppendUint64(b, uint64(f.Size))
	p.pending = appendSum(append(b, f.Name...))
	return nil
}

// Close implements io.Closer.
func (p *packer) Close() error {
	if p.closed {
		return nil
	}
	p.closed = true
	p.snaps.doneReading(p.meta.Number)
	if p.file != nil {
		return p.file.Close()
	}
	return nil
}

// unpacker writes the files of a stream into a directory, as the bytes come.
type unpacker struct {
	fs  vfs.FS
	dir string

	index, term uint64 // From the head.

	step  func(b []byte) (int, error) // What comes next: want bytes, or bytes of a file.
	want  int                         // 0 while in a file's bytes.
	head  []byte                      // Bytes of what is wanted, so far.
	files uint32                      // Still to come.
	file  vfs.File
	left  uint64
	sum   uint32
	sums  uint32
	ended bool

	scratch []byte // What is given to files, which may scribble on it.
}

const scratchBytes = 64 << 10

func newUnpacker(fs vfs.FS, dir string) *unpacker {
	u := &unpacker{fs: fs, dir: dir}
	u.expect(streamHeadBytes, u.streamHead)
	return u
}

func (u *unpacker) expect(n int, then func(b []byte) error) {
	u.want, u.head = n, u.head[:0]
	u.step = func(b []byte) (int, error) { return len(b), then(b) }
}

// Write implements io.Writer.
func (u *unpacker) Write(p []byte) (int, error) {
	done := 0
	for done < len(p) {
		n, err := u.take(p[done:])
		if err != nil {
			return done, errs.Newf("snapshot.Unpack", errs.Corrupt, "a snapshot's stream: %w", err)
		}
		done += n
	}
	return done, nil
}

func (u *unpacker) take(p []byte) (int, error) {
	if u.ended {
		return 0, errors.New("bytes after its end")
	}
	if u.want == 0 {
		return u.content(p)
	}
	n := min(len(p), u.want-len(u.head))
	u.head = append(u.head, p[:n]...)
	if len(u.head) < u.want {
		return n, nil
	}
	_, err := u.step(u.head)
	return n, err
}

// ahead returns how many bytes the stream has at least before it may end.
func (u *unpacker) ahead() int {
	if u.want == 0 {
		return int(min(u.left, scratchBytes))
	}
	return u.want - len(u.head)
}

func checkSum(b []byte) ([]byte, error) {
	body := b[:len(b)-sumBytes]
	if crc32.Checksum(body, castagnoli) != binary.LittleEndian.Uint32(b[len(body):]) {
		return nil, errBadChecksum
	}
	return body, nil
}

func (u *unpacker) streamHead(b []byte) error {
	if string(b[:len(streamMagic)]) != streamMagic {
		return errors.New("not a snapshot")
	}
	if v := b[len(streamMagic)]; v != streamVersion {
		return fmt.Errorf("version %d is not known", v)
	}
	body, err := checkSum(b)
	if err != nil {
		return err
	}
	body = body[len(streamMagic)+1:]
	u.index = binary.LittleEndian.Uint64(body)
	u.term = binary.LittleEndian.Uint64(body[8:])
	u.files = binary.LittleEndian.Uint32(body[16:])
	u.nextFile()
	return nil
}

func (u *unpacker) nextFile() {
	if u.files == 0 {
		u.expect(sumBytes, u.streamEnd)
		return
	}
	u.files--
	u.expect(fileHeadBytes, u.fileLengths)
}

// fileLengths has the lengths of a file's head and asks for all of the head.
func (u *unpacker) fileLengths(b []byte) error {
	n := int(binary.LittleEndian.Uint16(b))
	if n == 0 || n > maxFileName {
		return fmt.Errorf("a file name of %d bytes", n)
	}
	u.want = fileHeadBytes + n + sumBytes // Goes on filling the same head.
	u.step = func(b []byte) (int, error) { return len(b), u.fileHead(b) }
	return nil
}

func (u *unpacker) fileHead(b []byte) error {
	body, err := checkSum(b)
	if err != nil {
		return err
	}
	name := string(body[fileHeadBytes:])
	if !validFileName(name) {
		return fmt.Errorf("a file named %q", name)
	}
	u.file, err = u.fs.Create(u.fs.PathJoin(u.dir, name), vfs.WriteCategoryUnspecified)
	if err != nil {
		return err
	}
	u.left, u.sum = binary.LittleEndian.Uint64(body[2:]), 0
	if u.left == 0 {
		u.expect(sumBytes, u.fileEnd)
		return nil
	}
	u.want = 0
	return nil
}

func (u *unpacker) content(p []byte) (int, error) {
	if u.scratch == nil {
		u.scratch = make([]byte, scratchBytes)
	}
	p = u.scratch[:copy(u.scratch, p[:min(uint64(len(p)), u.left)])]
	u.sum = crc32.Update(u.sum, castagnoli, p)
	n, err := u.file.Write(p) // May scribble on p.
	u.left -= uint64(n)
	if err == nil && u.left == 0 {
		u.expect(sumBytes, u.fileEnd)
	}
	return n, err
}

func (u *unpacker) fileEnd(b []byte) error {
	if binary.LittleEndian.Uint32(b) != u.sum {
		return errBadChecksum
	}
	u.sums = crc32.Update(u.sums, castagnoli, b)
	f := u.file
	u.file = nil
	if err := errors.Join(f.Sync(), f.Close()); err != nil {
		return err
	}
	u.nextFile()
	return nil
}

func (u *unpacker) streamEnd(b []byte) error {
	if binary.LittleEndian.Uint32(b) != u.sums {
		return errBadChecksum
	}
	u.ended = true
	return nil
}

// finish reports whether the stream was whole.
func (u *unpacker) finish() error {
	if !u.ended {
		u.abort()
		return errs.New("snapshot.Unpack", errs.Corrupt, errors.New("a snapshot's stream ends early"))
	}
	return nil
}

func (u *unpacker) abort() {
	if u.file != nil {
		_ = u.file.Close()
		u.file = nil
	}
}
