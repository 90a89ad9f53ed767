package admin

import (
	"bytes"
	"context"
	"encoding/hex"

	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/node/admin/adminpb"
	"github.com/cairnstore/cairn/s3api/object"
)

// How much one query asks of the metadata, and how much one answer has.
const (
	pageMax           = 1000
	defaultUploads    = 1000
	maxUploads        = 10000
	partsOfUploadsMax = 10000 // S3 allows no more parts.
)

// ListUploads implements AdminService.
func (s *service) ListUploads(ctx context.Context, r *adminpb.ListUploadsRequest) (*adminpb.Uploads, error) {
	buckets, err := s.uploadBuckets(ctx, r)
	if err != nil {
		return nil, err
	}
	most := int(min(r.Max, maxUploads))
	if most == 0 {
		most = defaultUploads
	}
	out := &adminpb.Uploads{}
	for _, b := range buckets {
		if err := s.bucketUploads(ctx, b, r.Prefix, most, out); err != nil {
			return nil, err
		}
		if out.Truncated {
			break
		}
	}
	return out, nil
}

// uploadBuckets returns the names of the buckets whose uploads are listed.
func (s *service) uploadBuckets(ctx context.Context, r *adminpb.ListUploadsRequest) ([]string, error) {
	if r.Bucket != "" {
		b, err := s.bucket(ctx, r.Bucket)
		return []string{b.GetName()}, err
	}
	owner, err := s.ownerOfBuckets(ctx, r.Account)
	if err != nil {
		return nil, err
	}
	a, err := s.c.Metadata.Read(ctx, &metapb.Query{Op: &metapb.Query_ListBuckets{ListBuckets: &metapb.ListBuckets{Owner: owner}}})
	if err != nil {
		return nil, err
	}
	return each(a.Buckets, (*metapb.Bucket).GetName), nil
}

// bucket returns a bucket that the caller may manage. A bucket of another account is answered like one
// that is not there. Errors: NotFound.
func (s *service) bucket(ctx context.Context, name string) (*metapb.Bucket, error) {
	a, err := s.c.Metadata.Read(ctx, &metapb.Query{Op: &metapb.Query_Bucket{Bucket: &metapb.GetBucket{Name: name}}})
	if err != nil {
		return nil, err
	}
	if a.Refusal != metapb.Refusal_REFUSAL_NONE || !owns(ctx, a.GetBucket().GetOwner()) {
		return nil, noBucket(name)
	}
	return a.Bucket, nil
}

// bucketUploads adds uploads of a bucket to out, until out has most of them or there are no more.
func (s *service) bucketUploads(ctx context.Context, bucket, prefix string, most int, out *adminpb.Uploads) error {
	q := &metapb.ListUploads{Bucket: bucket, Prefix: prefix, MaxUploads: pageMax}
	for {
		a, err := s.c.Metadata.Read(ctx, &metapb.Query{Op: &metapb.Query_ListUploads{ListUploads: q}})
		if err != nil {
			return err
		}
		page := a.GetUploads().GetEntries()
		for _, e := range page {
			if len(out.Uploads) == most {
				out.Truncated = true
				return nil
			}
			out.Uploads = append(out.Uploads, upload(e.Upload))
		}
		if !a.GetUploads().GetTruncated() || len(page) == 0 {
			return nil
		}
		last := page[len(page)-1].Upload
		q.KeyMarker, q.UploadIdMarker = last.Key, last.Id
	}
}

// ShowUpload implements AdminService.
func (s *service) ShowUpload(ctx context.Context, r *adminpb.UploadRef) (*adminpb.Upload, error) {
	u, err := s.upload(ctx, r.Id)
	if err != nil {
		return nil, err
	}
	out := upload(u)
	q := &metapb.ListParts{Bucket: u.Bucket, Key: u.Key, UploadId: u.Id, MaxParts: pageMax}
	for len(out.Part) < partsOfUploadsMax {
		a, err := s.c.Metadata.Read(ctx, &metapb.Query{Op: &metapb.Query_ListParts{ListParts: q}})
		if err != nil {
			return nil, err
		}
		if a.Refusal != metapb.Refusal_REFUSAL_NONE {
			return nil, noUpload(r.Id)
		}
		for _, p := range a.GetParts().GetParts() {
			out.Part = append(out.Part, &adminpb.UploadPart{Number: p.Number, Size: p.Size, Etag: p.Etag, Modified: stamp(p.ModifiedMs)})
			out.Bytes += p.Size
			q.After = p.Number
		}
		if !a.GetParts().GetTruncated() || len(a.GetParts().GetParts()) == 0 {
			break
		}
	}
	out.Parts = uint32(len(out.Part))
	return out, nil
}

// AbortUpload implements AdminService.
func (s *service) AbortUpload(ctx context.Context, r *adminpb.UploadRef) (*adminpb.Removed, error) {
	u, err := s.upload(ctx, r.Id)
	if err != nil {
		return nil, err
	}
	result, err := s.c.Metadata.Propose(ctx, &metapb.Command{Op: &metapb.Command_AbortUpload{
		AbortUpload: &metapb.AbortUpload{UploadId: u.Id, Bucket: u.Bucket, Key: u.Key}}})
	switch {
	case err != nil:
		return nil, err
	case result.Refusal != metapb.Refusal_REFUSAL_NONE: // It was completed or aborted meanwhile.
		return nil, noUpload(r.Id)
	}
	return &adminpb.Removed{}, nil
}

// upload returns an open upload that the caller may manage, by its id. An upload of another account is
// answered like one that is not there. Errors: NotFound, and Invalid for what is no id.
func (s *service) upload(ctx context.Context, text string) (*metapb.Upload, error) {
	id, err := object.ParseUploadID(text)
	if err != nil {
		return nil, errs.Newf("admin.upload", errs.Invalid, "%q is no upload id: 32 hex digits, as `cairn upload list` shows them", text)
	}
	q := &metapb.ListWork{Kind: metapb.WorkKind_WORK_UPLOADS, AfterId: before(id), Max: 1}
	a, err := s.c.Metadata.Read(ctx, &metapb.Query{Op: &metapb.Query_ListWork{ListWork: q}})
	if err != nil {
		return nil, err
	}
	items := a.GetWork().GetItems()
	if len(items) == 0 || !bytes.Equal(items[0].GetUpload().GetId(), id) {
		return nil, noUpload(text)
	}
	u := items[0].Upload
	if _, err := s.bucket(ctx, u.Bucket); errs.Is(err, errs.NotFound) {
		return nil, noUpload(text)
	} else if err != nil {
		return nil, err
	}
	return u, nil
}

// before returns the id that comes right before another one of the same length; nil if there is
// none.
func before(id []byte) []byte {
	out := bytes.Clone(id)
	for i := len(out) - 1; i >= 0; i-- {
		out[i]--
		if out[i] != 0xff {
			return out
		}
	}
	return nil
}

func noUpload(id string) error {
	return errs.Newf("admin.upload", errs.NotFound, "there is no open upload %s: it was completed, aborted, or never there", id)
}

func upload(u *metapb.Upload) *adminpb.Upload {
	return &adminpb.Upload{Bucket: u.Bucket, Key: u.Key, Id: hex.EncodeToString(u.Id), Initiated: stamp(u.InitiatedMs),
		Initiator: u.Initiator, Owner: u.Owner, StorageClass: storageClass(u.GetAttributes()),
		Encryption: encryption(u.Encryption), KmsKeyId: u.GetEncryption().GetKmsKeyId(), ChecksumAlgorithm: u.ChecksumAlgorithm}
}
