package transfer

import (
	"context"
	"crypto/md5"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/cairnstore/cairn/s3api/checksum"
)

// sums say what an object's bytes must add up to.
type sums struct {
	algorithm string  // Of an additional checksum; empty: there is none.
	value     string  // As S3 writes it.
	parts     []int64 // The sizes of the parts that it is made of, where it is not of the whole.
	md5       string  // In hex; empty: the ETag is none.
	md5Parts  int     // The ETag is an MD5 of the MD5s of so many parts; 0: of the whole.
}

// headSums is where an answer has the checksums of an object, by algorithm.
func headSums(h *s3.HeadObjectOutput) map[string]*string {
	return map[string]*string{"CRC64NVME": h.ChecksumCRC64NVME, "CRC32C": h.ChecksumCRC32C, "CRC32": h.ChecksumCRC32,
		"SHA256": h.ChecksumSHA256, "SHA1": h.ChecksumSHA1}
}

// sumsOf returns what the bytes of an object must add up to, as far as the store says.
func (s *Store) sumsOf(ctx context.Context, at Location, h *s3.HeadObjectOutput) sums {
	var want sums
	for _, name := range []string{"CRC64NVME", "CRC32C", "CRC32", "SHA256", "SHA1"} {
		if v := aws.ToString(headSums(h)[name]); v != "" {
			want.algorithm = name
			want.value, _, _ = strings.Cut(v, "-") // The number of parts follows a - in some stores.
			break
		}
	}
	// Under a customer's key or that of a key service an ETag is no MD5.
	if h.SSECustomerAlgorithm == nil && h.ServerSideEncryption != types.ServerSideEncryptionAwsKms &&
		h.ServerSideEncryption != types.ServerSideEncryptionAwsKmsDsse {
		want.md5, want.md5Parts = splitETag(unquoted(h.ETag))
	}
	whole := want.algorithm != "" && (h.ChecksumType != types.ChecksumTypeComposite) &&
		!strings.Contains(aws.ToString(headSums(h)[want.algorithm]), "-")
	if whole || want.algorithm == "" && want.md5Parts == 0 {
		return want
	}
	parts, err := s.partSizes(ctx, at, unquoted(h.ETag), aws.ToInt64(h.ContentLength))
	if err != nil || len(parts) == 0 { // A store need not tell.
		want.algorithm, want.value = "", ""
		if want.md5Parts > 0 {
			want.md5 = ""
		}
		return want
	}
	want.parts = parts
	if want.md5Parts != len(parts) {
		want.md5 = ""
	}
	return want
}

// splitETag reads an ETag that is an MD5, or one of the MD5s of several parts.
func splitETag(etag string) (sum string, parts int) {
	sum, count, several := strings.Cut(etag, "-")
	if _, err := hex.DecodeString(sum); err != nil || len(sum) != 2*md5.Size {
		return "", 0
	}
	if !several {
		return sum, 0
	}
	parts, err := strconv.Atoi(count)
	if err != nil || parts < 1 {
		return "", 0
	}
	return sum, parts
}

// partSizes asks for the sizes of an object's parts. They are none if the answer has not all of them.
func (s *Store) partSizes(ctx context.Context, at Location, etag string, size int64) ([]int64, error) {
	in := &s3.GetObjectAttributesInput{Bucket: &at.Bucket, Key: &at.Key, ObjectAttributes: []types.ObjectAttributes{
		types.ObjectAttributesObjectParts, types.ObjectAttributesEtag}}
	if at.Version != "" {
		in.VersionId = &at.Version
	}
	var sizes []int64
	var sum int64
	for {
		a, err := s.GetObjectAttributes(ctx, in)
		if err != nil {
			return nil, err
		}
		if unquoted(a.ETag) != etag || a.ObjectParts == nil {
			return nil, nil
		}
		for _, p := range a.ObjectParts.Parts {
			sizes = append(sizes, aws.ToInt64(p.Size))
			sum += aws.ToInt64(p.Size)
		}
		next := a.ObjectParts.NextPartNumberMarker
		if !aws.ToBool(a.ObjectParts.IsTruncated) || next == nil || in.PartNumberMarker != nil &&
			*next == *in.PartNumberMarker {
			break
		}
		in.PartNumberMarker = next
	}
	if sum != size {
		return nil, nil
	}
	return sizes, nil
}

// known reports whether there is something to compare with.
func (w sums) known() bool { return w.algorithm != "" || w.md5 != "" }

// summer adds up bytes in the way that sums want.
type summer struct {
	want       sums
	whole, md5 hash.Hash
	left       int64 // Of the part that is added now.
	part       int
	values     [][]byte
	md5s       []byte
	n          int64
}

func (w sums) summer() *summer {
	s := &summer{want: w, md5: md5.New()}
	if w.algorithm != "" {
		s.whole = checksum.New(w.algorithm)
	}
	if len(w.parts) > 0 {
		s.left = w.parts[0]
	}
	return s
}

// Write implements io.Writer. It does not fail.
func (s *summer) Write(p []byte) (int, error) {
	all := len(p)
	for len(p) > 0 {
		n := len(p)
		if len(s.want.parts) > 0 && s.part < len(s.want.parts) {
			n = int(min(int64(n), s.left))
			s.left -= int64(n)
		}
		if s.whole != nil {
			_, _ = s.whole.Write(p[:n])
		}
		if s.want.md5 != "" && s.whole == nil {
			_, _ = s.md5.Write(p[:n])
		}
		s.n += int64(n)
		p = p[n:]
		for len(s.want.parts) > 0 && s.left == 0 && s.part < len(s.want.parts) {
			s.endPart()
		}
	}
	return all, nil
}

// endPart ends a part whose bytes are all there.
func (s *summer) endPart() {
	if s.whole != nil {
		s.values = append(s.values, s.whole.Sum(nil))
		s.whole.Reset()
	}
	s.md5s = s.md5.Sum(s.md5s)
	s.md5.Reset()
	if s.part++; s.part < len(s.want.parts) {
		s.left = s.want.parts[s.part]
	}
}

// errMismatch is of bytes that are not those of their object.
var errMismatch = errors.New("the bytes that came are not those that were stored")

// check compares what was added up.
func (s *summer) check(size int64) error {
	if s.n != size {
		return fmt.Errorf("%w: %d of %d bytes came", errMismatch, s.n, size)
	}
	switch {
	case s.whole != nil:
		have := s.whole.Sum(nil)
		if len(s.want.parts) > 0 {
			have = checksum.Composite(s.want.algorithm, s.values)
		}
		if got := checksum.Format(have); got != s.want.value {
			return fmt.Errorf("%w: their %s is %s and not %s", errMismatch, s.want.algorithm, got, s.want.value)
		}
	case s.want.md5 != "":
		have := s.md5.Sum(nil)
		if len(s.want.parts) > 0 {
			sum := md5.Sum(s.md5s)
			have = sum[:]
		}
		if got := hex.EncodeToString(have); got != s.want.md5 {
			return fmt.Errorf("%w: their MD5 is %s and not %s", errMismatch, got, s.want.md5)
		}
	}
	return nil
}

// crcOf returns the checksum of a range that is read once.
func crcOf(r io.Reader) ([]byte, int64, error) {
	h := checksum.New(uploadSum)
	n, err := io.Copy(h, r)
	return h.Sum(nil), n, err
}

// uploadSum is the checksum that uploads are sent with.
const uploadSum = checksum.CRC64NVME
