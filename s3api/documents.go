package s3api

import (
	"context"
	"time"

	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/s3api/object"
	"github.com/cairnstore/cairn/s3api/s3err"
	"github.com/cairnstore/cairn/s3api/wirexml"
	"github.com/cairnstore/cairn/shard/buf"
)

const (
	// documentCost is how many bytes of the budget one byte of a document's buffer takes: that
	// byte, one of the smaller buffer that was copied into it, and one for the text and records
	// that are made of the document.
	documentCost = 3
	// formBytes is how much of the budget the fields of a form take before it is known who sent it.
	formBytes = 64 << 10
	// documentsDivisor: all documents together may take a quarter of the buffers.
	documentsDivisor = 4
	// defaultDocumentsBytes is the budget of documents where the node gives none.
	defaultDocumentsBytes = 64 << 20
)

// Budget is the memory of requests; *buf.Budget. Acquire fails with Overloaded after a bounded
// wait, and with Canceled if ctx ends first.
type Budget interface {
	Acquire(ctx context.Context, n int64) error
	Release(n int64)
	Total() int64
}

var _ Budget = (*buf.Budget)(nil)

// documents is the share of a node's budget that documents of requests may take. However many come,
// they leave room for objects.
type documents struct {
	node  Budget
	share *buf.Budget
}

func newDocuments(node Budget, wait time.Duration) *documents {
	if node == nil {
		node = buf.NewBudget(defaultDocumentsBytes, wait)
	}
	return &documents{node, buf.NewBudget(max(1, node.Total()/documentsDivisor), wait)}
}

func (d *documents) acquire(ctx context.Context, n int64) error {
	err := d.share.Acquire(ctx, n)
	if err == nil {
		if err = d.node.Acquire(ctx, n); err != nil {
			d.share.Release(n)
		}
	}
	switch {
	case err == nil:
		return nil
	case errs.Is(err, errs.Overloaded), errs.Is(err, errs.Invalid): // Invalid: it wants more than the whole share.
		return s3err.SlowDown.Because(err)
	}
	return err
}

func (d *documents) release(n int64) {
	d.node.Release(n)
	d.share.Release(n)
}

// hold takes bytes of the budget for a request, until it is answered.
func (ex *exchange) hold(ctx context.Context, n int64) error {
	err := ex.s.documents.acquire(ctx, n)
	if err == nil {
		ex.held += n
	}
	return err
}

// letGo gives back what hold took.
func (ex *exchange) letGo() {
	if ex.held > 0 {
		ex.s.documents.release(ex.held)
		ex.held = 0
	}
}

// readMatching reads a document and compares it with the checksums that the client claims of it. It
// takes room for the document from the budget as it grows. All of the document has to come within
// Limits.DocumentTimeout. A caller whom nobody knows is refused unless the bucket may be open to it
// (admitDocument).
func (rq *request) readMatching(limit int64, sum []byte, digest object.Digest) ([]byte, error) {
	ex, ctx := rq.ex, rq.r.Context()
	if err := ex.s.admitDocument(ctx, rq); err != nil {
		return nil, err
	}
	ex.body.until = time.Now().Add(ex.s.cfg.Limits.DocumentTimeout)
	room := int64(0)
	body, err := wirexml.Read(rq.auth.Body, rq.auth.Size, limit, func(capacity int64) error {
		more := documentCost * (capacity - room)
		room = capacity
		return ex.hold(ctx, more)
	})
	if err != nil {
		return nil, err
	}
	return body, verifyDocument(body, sum, digest)
}

// admitDocument refuses the document of an unknown caller, before it is read, if the bucket cannot
// be open to strangers. The ACL of an object is read in any case: an object may be open in a bucket
// that is not, and the document is small.
func (s *server) admitDocument(ctx context.Context, rq *request) error {
	if !rq.auth.Anonymous || rq.op.name == "PutObjectAcl" {
		return nil
	}
	if rq.bucket == "" || rq.op.name == "CreateBucket" {
		return s3err.AccessDenied.Err()
	}
	b, err := s.bucket(ctx, rq)
	if err != nil {
		return err
	}
	if !b.MayAdmitStrangers() {
		return s3err.AccessDenied.Err()
	}
	return nil
}
