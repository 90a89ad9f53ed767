package object

import (
	"context"

	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/s3api/checksum"
	"github.com/cairnstore/cairn/s3api/s3err"
)

// CreateUpload begins a multipart upload and returns its id.
func (s *Service) CreateUpload(ctx context.Context, in *UploadInput) (string, error) {
	if err := s.checkNew(in.Key, 0); err != nil {
		return "", err
	}
	if err := checkUploadChecksum(in.ChecksumAlgorithm, in.ChecksumFullObject); err != nil {
		return "", err
	}
	if in.Caller.Anonymous {
		return "", s3err.AccessDenied.Say("Anonymous users cannot initiate multipart uploads: sign the request.")
	}
	id := newID()
	u := &metapb.Upload{Id: id, Bucket: in.Bucket, Key: in.Key, InitiatedMs: nowMS(), Attributes: in.Attributes,
		Encryption: in.Encryption(), Initiator: in.Caller.User, Owner: in.Caller.Account, Acl: in.ACL, Tags: in.Tags,
		Retention: in.Retention, LegalHold: in.LegalHold,
		OwnerName: in.Caller.DisplayName, InitiatorName: in.Caller.DisplayName,
		ChecksumAlgorithm: in.ChecksumAlgorithm, ChecksumFullObject: in.ChecksumFullObject}
	if _, err := s.commit(ctx, in.Caller.Request, &metapb.Command{Op: &metapb.Command_CreateUpload{
		CreateUpload: &metapb.CreateUpload{Upload: u}}}); err != nil {
		return "", err
	}
	return FormatUploadID(id), nil
}

// checkUploadChecksum refuses an algorithm that S3 does not know, and a type that its checksums
// cannot have.
func checkUploadChecksum(algorithm string, fullObject bool) error {
	kind := "COMPOSITE"
	if fullObject {
		kind = "FULL_OBJECT"
	}
	switch {
	case algorithm == "":
		return nil
	case checksum.Size(algorithm) == 0:
		return errUnknownAlgorithm()
	case fullObject && !checksum.Combines(algorithm), !fullObject && !checksum.Composes(algorithm):
		return s3err.InvalidRequest.Say("The " + kind + " checksum type cannot be used with the " + algorithm + " checksum algorithm.")
	}
	return nil
}

// openUpload returns an upload, which may be completed. It makes the checks that every request for
// an upload makes: there is such an upload, and the caller is its initiator.
func (s *Service) openUpload(ctx context.Context, who Caller, bucket, key, uploadID string, withParts bool) (*metapb.UploadAnswer, error) {
	id, err := ParseUploadID(uploadID)
	if err != nil {
		return nil, s.unknownUpload(ctx, who, bucket, err)
	}
	a, err := s.query(ctx, who.Request, &metapb.Query{Op: &metapb.Query_Upload{Upload: &metapb.GetUpload{
		Bucket: bucket, Key: key, UploadId: id, WithParts: withParts}}})
	if err != nil {
		return nil, err
	}
	if !s.knobs().AnyInitiator && a.Upload.Upload.Initiator != who.User {
		return nil, s3err.AccessDenied.Err()
	}
	return a.Upload, nil
}

// unknownUpload returns the error of an upload id that names nothing: err, or NoSuchBucket if the
// bucket is missing too, which S3 tells first.
func (s *Service) unknownUpload(ctx context.Context, who Caller, bucket string, err error) error {
	if who.Request.knows(bucket) {
		return err
	}
	if _, e := s.HeadBucket(ctx, who, bucket); e != nil {
		return e
	}
	return err
}

// initiator returns whom Apply must find to be the upload's initiator; empty: it does not matter.
func (s *Service) initiator(who Caller) string {
	if s.knobs().AnyInitiator {
		return ""
	}
	return who.User
}

// PutPart stores a part. If there is one of the same number, it is replaced.
func (s *Service) PutPart(ctx context.Context, in *PartInput) (*metapb.Part, error) {
	if err := checkPartNumber(in.PartNumber); err != nil {
		return nil, err
	}
	if err := s.checkNew(in.Key, in.Body.Size); err != nil {
		return nil, err
	}
	up, err := s.openPart(ctx, in.Caller, in.Bucket, in.Key, in.UploadID)
	if err != nil {
		return nil, err
	}
	wrap, err := s.uploadKey(up, in.CustomerKey)
	if err != nil {
		return nil, err
	}
	if err := checkRepeated(up, in.Repeated); err != nil {
		return nil, err
	}
	body := in.Body
	if err := checkPartDigest(up, &body.Digest); err != nil {
		return nil, err
	}
	st, etag, sums, err := s.storeBody(ctx, &body, wrap, placementOf(up.Attributes))
	if err != nil {
		return nil, err
	}
	p := st.part
	p.Number, p.Etag, p.ModifiedMs = uint32(in.PartNumber), etag, nowMS()
	p.Checksums = partChecksums(up, sums, st)
	if err := s.commitPart(ctx, in.Caller, up, st, nil); err != nil {
		return nil, err
	}
	s.events.Stored(in.Body.Size)
	return p, nil
}

// partChecksums returns the checksums to record of a part. If the upload names no algorithm,
// CRC64NVME is among them, whatever the client sent: it costs nothing, and the whole object's
// follows from it.
func partChecksums(u *metapb.Upload, sums []*metapb.Checksum, st *stored) []*metapb.Checksum {
	if u.ChecksumAlgorithm == "" && valueOf(sums, checksum.CRC64NVME) == nil {
		sums = append(sums, st.crc(checksum.CRC64NVME))
	}
	return sums
}

// openPart returns an upload that parts may be put into: one that was not completed.
func (s *Service) openPart(ctx context.Context, who Caller, bucket, key, uploadID string) (*metapb.Upload, error) {
	a, err := s.openUpload(ctx, who, bucket, key, uploadID, false)
	if err != nil {
		return nil, err
	}
	if a.Upload.Completed != nil {
		return nil, s3err.NoSuchUpload.Err()
	}
	return a.Upload, nil
}

func checkPartNumber(n int) error {
	if n < 1 || n > MaxPartNumber {
		return s3err.BadArgument("partNumber", "", "Part number must be an integer between 1 and 10000, inclusive")
	}
	return nil
}

// checkPartDigest has d compute the checksum that the upload asks for. The client may leave it to
// the server, but it may not send one of another algorithm.
func checkPartDigest(u *metapb.Upload, d *Digest) error {
	switch {
	case u.ChecksumAlgorithm == "" || d.Algorithm == u.ChecksumAlgorithm:
		return nil
	case d.Algorithm == "":
		d.Algorithm = u.ChecksumAlgorithm
		return nil
	}
	return s3err.InvalidRequest.Say("Checksum Type mismatch occurred, expected checksum Type: " +
		u.ChecksumAlgorithm + ", actual checksum Type: " + d.Algorithm)
}

// commitPart commits st as a part of an upload. The same command drops the pin of the copy that
// made it; pin is nil if there is none.
func (s *Service) commitPart(ctx context.Context, who Caller, u *metapb.Upload, st *stored, pin []byte) error {
	_, err := s.commitStored(ctx, who.Request, st, &metapb.Command{Op: &metapb.Command_PutPart{PutPart: &metapb.PutPart{
		UploadId: u.Id, Bucket: u.Bucket, Key: u.Key, Initiator: s.initiator(who), Part: st.part,
		Extents: st.extents, Pin: pin}}})
	return err
}

// ListParts lists the parts of an upload from the number after on.
func (s *Service) ListParts(ctx context.Context, who Caller, bucket, key, uploadID string, after, maxParts int) (*metapb.PartsAnswer, error) {
	id, err := ParseUploadID(uploadID)
	if err != nil {
		return nil, s.unknownUpload(ctx, who, bucket, err)
	}
	a, err := s.query(ctx, who.Request, &metapb.Query{Op: &metapb.Query_ListParts{ListParts: &metapb.ListParts{
		Bucket: bucket, Key: key, UploadId: id, After: uint32(after), MaxParts: uint32(maxParts)}}})
	if err != nil {
		return nil, err
	}
	if a.Parts.GetUpload().GetCompleted() != nil {
		return nil, s3err.NoSuchUpload.Err()
	}
	return a.Parts, nil
}

// ListUploads lists a bucket's open uploads.
func (s *Service) ListUploads(ctx context.Context, who Caller, q *metapb.ListUploads) (*metapb.UploadsAnswer, error) {
	a, err := s.query(ctx, who.Request, &metapb.Query{Op: &metapb.Query_ListUploads{ListUploads: q}})
	if err != nil {
		return nil, err
	}
	return a.Uploads, nil
}

// Abort ends an upload and frees its parts. A part that is being written meanwhile will be refused,
// and what it stored deleted. The initiator of the upload and the owner of the bucket may abort it.
func (s *Service) Abort(ctx context.Context, who Caller, bucket, key, uploadID string) error {
	id, err := ParseUploadID(uploadID)
	if err != nil {
		return s.unknownUpload(ctx, who, bucket, err)
	}
	a, err := s.query(ctx, who.Request, &metapb.Query{Op: &metapb.Query_Upload{Upload: &metapb.GetUpload{
		Bucket: bucket, Key: key, UploadId: id}}})
	if err != nil {
		return err
	}
	u := a.Upload
	if !s.knobs().AnyInitiator && u.Upload.Initiator != who.User && (who.Anonymous || u.Bucket.GetOwner() != who.Account) {
		return s3err.AccessDenied.Err()
	}
	_, err = s.commit(ctx, who.Request, &metapb.Command{Op: &metapb.Command_AbortUpload{AbortUpload: &metapb.AbortUpload{
		UploadId: id, Bucket: bucket, Key: key}}})
	return err
}
