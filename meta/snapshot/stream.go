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

// streamBytes returns the length of a stream that carries the files.
func streamBytes(files []File) int64 {
	n := int64(streamHeadBytes + sumBytes)
	for _, f := range files {
		n += int64(fileHeadBytes+len(f.Name)) + sumBytes + f.Size + sumBytes
	}
	return n
}

// validFileName reports whether a name is one that a database gives its files. A name from a
// stream must not lead out of the directory, so a slash or a lone dot makes it invalid.
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

// appendSum returns b with its checksum behind it.
func appendSum(b []byte) []byte {
	return binary.LittleEndian.AppendUint32(b, crc32.Checksum(b, castagnoli))
}

// packer reads a snapshot as a stream. It opens each file when the stream gets there. One
// goroutine uses it.
type packer struct {
	snaps   *Store
	meta    *Meta
	pending []byte   // The rest of a head or checksum that comes before anything else.
	next    int      // The index in meta.Files of the file that comes next.
	file    vfs.File // The open file; nil between files.
	left    int64    // How many bytes of the open file are still to be read.
	sum     uint32   // The checksum of what was read of it.
	sums    uint32   // The checksum of the files' checksums so far.
	ended   bool     // Only pending is left.
	closed  bool
}

func newPacker(s *Store, m *Meta) *packer {
	b := append([]byte(streamMagic), streamVersion)
	b = binary.LittleEndian.AppendUint64(b, m.StateIndex)
	b = binary.LittleEndian.AppendUint64(b, m.StateTerm)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(m.Files)))
	return &packer{snaps: s, meta: m, pending: appendSum(b)}
}

// Read implements io.Reader. Errors: Corrupt where a file has not the checksum that the meta
// file has; io.ErrUnexpectedEOF where it is shorter.
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
		err = io.ErrUnexpectedEOF // The file is shorter than the meta file says.
	}
	return n, err
}

// advance ends the open file. Where none is open, it begins the next file or, after the last,
// ends the stream.
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

// Close implements io.Closer. The snapshot may be removed from then on. It may be called
// twice.
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

// unpacker writes the files of a stream into a directory as the bytes come, in pieces of any
// size. It trusts nothing of the stream before its checksum matched, but the bytes of a
// file, which lie in the directory by then. One goroutine uses it.
type unpacker struct {
	fs  vfs.FS
	dir string

	index, term uint64 // Of the last entry that the state has applied; from the head.

	// The stream is a sequence of pieces. While want is above 0, head gathers that many bytes
	// and step decodes them. While it is 0, a file's bytes are read, of which left are missing.
	step  func(b []byte) (int, error)
	want  int
	head  []byte
	files uint32   // How many files are still to come.
	file  vfs.File // The open file; nil between files.
	left  uint64
	sum   uint32 // The checksum of the open file so far.
	sums  uint32 // The checksum of the files' checksums so far.
	ended bool   // The stream is whole.

	scratch []byte // A file may scribble on what it is given, so it gets a copy.
}

const scratchBytes = 64 << 10

func newUnpacker(fs vfs.FS, dir string) *unpacker {
	u := &unpacker{fs: fs, dir: dir}
	u.expect(streamHeadBytes, u.streamHead)
	return u
}

// expect makes the next n bytes a piece that then decodes.
func (u *unpacker) expect(n int, then func(b []byte) error) {
	u.want, u.head = n, u.head[:0]
	u.step = func(b []byte) (int, error) { return len(b), then(b) }
}

// Write implements io.Writer. Errors: Corrupt; the caller aborts then.
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

// take consumes some of p: bytes of one piece, or of one file.
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

// ahead returns a number of bytes that the stream has at least before it can end.
func (u *unpacker) ahead() int {
	if u.want == 0 {
		return int(min(u.left, scratchBytes))
	}
	return u.want - len(u.head)
}

// checkSum returns b without the checksum at its end, if that matches.
func checkSum(b []byte) ([]byte, error) {
	body := b[:len(b)-sumBytes]
	if crc32.Checksum(body, castagnoli) != binary.LittleEndian.Uint32(b[len(body):]) {
		return nil, errBadChecksum
	}
	return body, nil
}

// streamHead decodes the head of the stream.
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

// nextFile expects the head of the next file or, after the last, the end of the stream.
func (u *unpacker) nextFile() {
	if u.files == 0 {
		u.expect(sumBytes, u.streamEnd)
		return
	}
	u.files--
	u.expect(fileHeadBytes, u.fileLengths)
}

// fileLengths decodes the fixed part of a file's head and expects the whole of it: the name's
// length tells how long it is.
func (u *unpacker) fileLengths(b []byte) error {
	n := int(binary.LittleEndian.Uint16(b))
	if n == 0 || n > maxFileName {
		return fmt.Errorf("a file name of %d bytes", n)
	}
	u.want = fileHeadBytes + n + sumBytes // The bytes in head are its beginning and stay.
	u.step = func(b []byte) (int, error) { return len(b), u.fileHead(b) }
	return nil
}

// fileHead decodes the head of a file and creates the file.
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

// content writes bytes of the open file.
func (u *unpacker) content(p []byte) (int, error) {
	if u.scratch == nil {
		u.scratch = make([]byte, scratchBytes)
	}
	p = u.scratch[:copy(u.scratch, p[:min(uint64(len(p)), u.left)])]
	u.sum = crc32.Update(u.sum, castagnoli, p)
	n, err := u.file.Write(p)
	u.left -= uint64(n)
	if err == nil && u.left == 0 {
		u.expect(sumBytes, u.fileEnd)
	}
	return n, err
}

// fileEnd checks the open file and makes it durable.
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

// streamEnd checks that all files are those that the sender had.
func (u *unpacker) streamEnd(b []byte) error {
	if binary.LittleEndian.Uint32(b) != u.sums {
		return errBadChecksum
	}
	u.ended = true
	return nil
}

// finish returns an error of kind Corrupt unless the stream was whole.
func (u *unpacker) finish() error {
	if !u.ended {
		u.abort()
		return errs.New("snapshot.Unpack", errs.Corrupt, errors.New("a snapshot's stream ends early"))
	}
	return nil
}

// abort closes the open file, if there is one. What lies in the directory is the caller's.
func (u *unpacker) abort() {
	if u.file != nil {
		_ = u.file.Close()
		u.file = nil
	}
}
