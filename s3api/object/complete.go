package object

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"slices"
	"strconv"
	"strings"

	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/s3api/checksum"
	"github.com/cairnstore/cairn/s3api/etag"
	"github.com/cairnstore/cairn/s3api/s3err"
)

// completeTries bounds how often Complete starts over because a part of the upload was committed
// meanwhile.
const completeTries = 16

// Complete makes an object of an upload's parts and returns its version. If the upload was
// completed before with the same list, it returns the version that was made then.
func (s *Service) Complete(ctx context.Context, in *CompleteInput) (*metapb.Version, error) {
	if err := checkList(in.Parts); err != nil {
		return nil, err
	}
	digest := listDigest(in.Parts)
	var err error
	for range completeTries {
		var v *metapb.Version
		if v, err = s.complete(ctx, in, digest); err == nil {
			return v, nil
		}
		// Another part was committed, or another Complete was. The next try finds out which.
		if !isRefusal(err, metapb.Refusal_REFUSAL_UPLOAD_CHANGED) {
			return nil, err
		}
	}
	return nil, err
}

// checkList checks what can be checked of a list without looking the upload up.
func checkList(parts []CompletePart) error {
	if len(parts) == 0 {
		return s3err.MalformedXML.Err()
	}
	for i, p := range parts {
		if err := checkPartNumber(p.Number); err != nil {
			return err
		}
		if i > 0 && p.Number <= parts[i-1].Number {
			return s3err.InvalidPartOrder.Err()
		}
	}
	return nil
}

// listDigest returns what tells one list from another. A repeated Complete sends the same list.
func listDigest(parts []CompletePart) []byte {
	h := sha256.New()
	var n [8]byte
	for _, p := range parts {
		binary.BigEndian.PutUint32(n[:4], uint32(p.Number))
		binary.BigEndian.PutUint32(n[4:], uint32(len(p.ETag)))
		h.Write(n[:])
		h.Write([]byte(p.ETag))
	}
	return h.Sum(nil)
}

func (s *Service) complete(ctx context.Context, in *CompleteInput, digest []byte) (*metapb.Version, error) {
	a, err := s.openUpload(ctx, in.Caller, in.Bucket, in.Key, in.UploadID, true)
	if err != nil {
		return nil, err
	}
	u := a.Upload
	if u.Completed != nil {
		if !bytes.Equal(u.Completed.ListDigest, digest) {
			return nil, s3err.NoSuchUpload.Err()
		}
		return u.Completed.Version, nil
	}
	cmd, err := s.completion(in, a)
	if err != nil {
		return nil, err
	}
	cmd.ListDigest = digest
	r, err := s.commit(ctx, in.Caller.Request, &metapb.Command{Op: &metapb.Command_CompleteUpload{CompleteUpload: cmd}})
	if err != nil {
		return nil, err
	}
	return r.Version, nil
}

// completion checks the client's list against the upload's parts, in S3's order, and returns the
// command that completes the upload.
func (s *Service) completion(in *CompleteInput, a *metapb.UploadAnswer) (*metapb.CompleteUpload, error) {
	u := a.Upload
	if err := s.checkListedSums(u, in.Parts); err != nil {
		return nil, err
	}
	parts, err := listed(in, a.Parts)
	if err != nil {
		return nil, err
	}
	size, err := s.checkSizes(in, parts)
	if err != nil {
		return nil, err
	}
	sums, err := uploadChecksums(u, parts)
	if err != nil {
		return nil, err
	}
	if err := checkClaims(in, u, size, sums); err != nil {
		return nil, err
	}
	if err := s.checkCompleteKey(u, in); err != nil {
		return nil, err
	}
	layout := &metapb.Layout{Numbers: make([]uint32, len(parts)), Sizes: make([]uint64, len(parts))}
	for i, p := range parts {
		layout.Numbers[i], layout.Sizes[i] = p.Number, p.Size
	}
	v := &metapb.Version{ContentId: u.Id, Size: size, Etag: etag.OfParts(parts), ModifiedMs: nowMS(),
		Attributes: u.Attributes, Parts: uint32(len(parts)), Encryption: u.Encryption, Checksums: sums, Owner: u.Owner,
		Acl: u.Acl, Tags: u.Tags, VersionId: newVersionID()}
	return &metapb.CompleteUpload{UploadId: u.Id, Bucket: in.Bucket, Key: in.Key, Initiator: s.initiator(in.Caller),
		Revision: a.State.GetRevision(), Version: v, Layout: layout, Conditions: in.Conditions}, nil
}

// checkListedSums refuses a list that lacks checksums of its parts if the upload's own is made of
// these and they are wanted.
func (s *Service) checkListedSums(u *metapb.Upload, parts []CompletePart) error {
	if u.ChecksumAlgorithm == "" || u.ChecksumFullObject || !s.knobs().CompleteRequiresSums {
		return nil
	}
	for _, p := range parts {
		if valueOf(p.Checksums, u.ChecksumAlgorithm) == nil {
			return s3err.InvalidRequest.Say("The upload was created using a " + strings.ToLower(u.ChecksumAlgorithm) + " checksum. The complete request must include the " +
				"checksum for each part. It was missing for part " + strconv.Itoa(p.Number) + " in the request.")
		}
	}
	return nil
}

// listed returns the parts that the client lists, in its order, which is ascending. It returns
// InvalidPart for one that the upload does not have as the client says.
func listed(in *CompleteInput, have []*metapb.Part) ([]*metapb.Part, error) {
	out := make([]*metapb.Part, len(in.Parts))
	for i, p := range in.Parts {
		j, ok := slices.BinarySearchFunc(have, uint32(p.Number), func(h *metapb.Part, n uint32) int {
			return int(h.Number) - int(n)
		})
		if !ok || have[j].Etag != p.ETag || !sameChecksums(p.Checksums, have[j].Checksums) {
			return nil, s3err.InvalidPart.Say("", s3err.Field{Name: "UploadId", Value: in.UploadID},
				s3err.Field{Name: "PartNumber", Value: strconv.Itoa(p.Number)}, s3err.Field{Name: "ETag", Value: p.ETag})
		}
		out[i] = have[j]
	}
	return out, nil
}

// checkSizes returns the size of the whole object, if that and the sizes of the parts are within
// bounds.
func (s *Service) checkSizes(in *CompleteInput, parts []*metapb.Part) (uint64, error) {
	var size uint64
	least := s.knobs().MinPartBytes
	for i, p := range parts {
		if i < len(parts)-1 && p.Size < uint64(least) {
			return 0, s3err.EntityTooSmall.Say("",
				s3err.Field{Name: "ProposedSize", Value: strconv.FormatUint(p.Size, 10)},
				s3err.Field{Name: "MinSizeAllowed", Value: strconv.FormatInt(least, 10)},
				s3err.Field{Name: "PartNumber", Value: strconv.Itoa(in.Parts[i].Number)},
				s3err.Field{Name: "ETag", Value: in.Parts[i].ETag})
		}
		size += p.Size
	}
	if size > MaxPartNumber*uint64(s.cfg.MaxPartBytes) {
		return 0, s3err.EntityTooLarge.Err()
	}
	return size, nil
}

// checkCompleteKey checks the customer's key, if the request carries one or must.
func (s *Service) checkCompleteKey(u *metapb.Upload, in *CompleteInput) error {
	if in.CustomerKey == nil && !(s.knobs().CompleteRequiresSSEC && isSSEC(u.Encryption)) {
		return nil
	}
	_, err := s.uploadKey(u, in.CustomerKey)
	return err
}

// uploadChecksums returns the checksum of the whole object, of the upload's algorithm and type. If
// the upload names no algorithm, it is CRC64NVME, or none if a part has none.
func uploadChecksums(u *metapb.Upload, parts []*metapb.Part) ([]*metapb.Checksum, error) {
	algorithm, full := u.ChecksumAlgorithm, u.ChecksumFullObject
	if algorithm == "" {
		algorithm, full = checksum.CRC64NVME, true
	}
	values := make([][]byte, len(parts))
	for i, p := range parts {
		if values[i] = valueOf(p.Checksums, algorithm); values[i] != nil {
			continue
		}
		if u.ChecksumAlgorithm == "" {
			return nil, nil
		}
		return nil, s3err.InvalidPart.Say("The upload was created using a "+algorithm+" checksum, which a part does not have.",
			s3err.Field{Name: "PartNumber", Value: strconv.Itoa(int(p.Number))})
	}
	if !full {
		return []*metapb.Checksum{{Algorithm: algorithm, Composite: true, Value: checksum.Composite(algorithm, values)}}, nil
	}
	whole := values[0]
	for i, v := range values[1:] {
		whole = checksum.Combine(algorithm, whole, v, parts[i+1].Size)
	}
	return []*metapb.Checksum{{Algorithm: algorithm, Value: whole}}, nil
}
