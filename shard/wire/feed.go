package wire

import (
	"errors"
	"io"
	"sync"
)

// feed hands slices from a writer to the transport, which reads them as the body of a request.
// Nothing is copied in between: the writer lends a slice and waits until it has been read. A slice
// that was taken back is not touched any more.
type feed struct {
	mu    sync.Mutex
	lent  []byte
	read  int   // How much of lent was read.
	gone  int64 // How much was read of slices that were taken back.
	eof   bool  // Nothing follows lent.
	err   error
	round int // How many bodies were made. Only the latest may read.

	more  chan struct{} // Wakes the body; capacity 1.
	taken chan struct{} // Wakes the writer when lent was read; capacity 1.
	begun chan struct{} // Closed when a body is first read: then there is a connection.
	once  sync.Once
}

var (
	errFeedMoved  = errors.New("bytes of the body have been let go")
	errFeedClosed = errors.New("the body was closed")
)

func newFeed() *feed {
	return &feed{more: make(chan struct{}, 1), taken: make(chan struct{}, 1), begun: make(chan struct{})}
}

func wake(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// lend offers p; last says that nothing follows. taken wakes the caller when all of it was read.
// Then, or when it gives up, the caller calls takeBack.
func (f *feed) lend(p []byte, last bool) {
	f.mu.Lock()
	f.lent, f.read, f.eof = p, 0, last
	f.mu.Unlock()
	wake(f.more)
}

// takeBack ends a loan and reports whether all of it had been read.
func (f *feed) takeBack() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	done := f.read == len(f.lent)
	if done {
		f.gone += int64(f.read)
		f.lent, f.read = nil, 0
	}
	return done
}

// finished reports whether the body has been read to its end.
func (f *feed) finished() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.eof && f.read == len(f.lent)
}

// fail ends the body with an error. What is lent is not touched after that.
func (f *feed) fail(err error) {
	f.mu.Lock()
	f.lent, f.read = nil, 0
	if f.err == nil {
		f.err = err
	}
	f.mu.Unlock()
	wake(f.more)
}

// body returns a reader that begins at the first byte and takes the place of the one before. It
// returns an error if bytes were read that are not lent any more.
func (f *feed) body() (io.ReadCloser, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.gone > 0 {
		return nil, errFeedMoved
	}
	f.read = 0
	f.round++
	return &feedBody{f: f, round: f.round, closed: make(chan struct{})}, nil
}

// feedBody is a request's body.
type feedBody struct {
	f      *feed
	round  int
	closed chan struct{}
	once   sync.Once
}

// Read implements io.Reader.
func (b *feedBody) Read(p []byte) (int, error) {
	b.f.once.Do(func() { close(b.f.begun) })
	for {
		n, err := b.f.take(b.round, p)
		if n > 0 || err != nil {
			return n, err
		}
		select {
		case <-b.f.more:
		case <-b.closed:
			wake(b.f.more) // The wake may have been meant for the next body.
			return 0, errFeedClosed
		}
	}
}

// take copies what is there to p. If that is nothing, the caller waits.
func (f *feed) take(round int, p []byte) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.round != round {
		wake(f.more)
		return 0, errFeedClosed
	}
	if f.err != nil {
		return 0, f.err
	}
	n := copy(p, f.lent[f.read:])
	f.read += n
	if n > 0 && f.read == len(f.lent) {
		wake(f.taken)
	}
	if n == 0 && f.eof {
		return 0, io.EOF
	}
	return n, nil
}

// Close implements io.Closer.
func (b *feedBody) Close() error {
	b.once.Do(func() { close(b.closed) })
	return nil
}
