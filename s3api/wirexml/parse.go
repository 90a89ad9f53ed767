package wirexml

import (
	"io"
	"strconv"
	"strings"

	"google.golang.org/protobuf/proto"

	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/s3api/checksum"
	"github.com/cairnstore/cairn/s3api/s3err"
)

// Limits of documents.
const (
	// MaxBodyBytes bounds every XML body. There is ample room for 10,000 parts with every checksum,
	// and for 1,000 keys of 1,024 bytes that are all escaped.
	MaxBodyBytes = 8 << 20
	// MaxConfigurationBytes bounds small configuration documents.
	MaxConfigurationBytes = 64 << 10
	MaxParts              = 10_000
	MaxDeleteKeys         = 1_000
)

// Read returns a whole body of at most limit bytes. It reads to the end, so that whatever verifies
// the body has done so before anything of it is parsed. size is the announced length; -1 if none
// was announced. The buffer grows with what has come and not with what was announced, so that an
// announcement alone costs no memory. If grow is not nil, Read asks it before each growth whether
// the buffer may have this capacity. Errors of r are returned as s3err.FromError turns them.
func Read(r io.Reader, size, limit int64, grow func(capacity int64) error) ([]byte, error) {
	if size > limit {
		return nil, s3err.MaxMessageLengthExceeded.Err()
	}
	const first = 4 << 10
	var body []byte
	r = io.LimitReader(r, limit+1)
	for {
		if len(body) == cap(body) {
			capacity := min(max(2*int64(cap(body)), min(max(size, 0), first)+1), limit+1)
			if size >= int64(len(body)) {
				capacity = min(capacity, size+1) // One byte more shows the end.
			}
			capacity = max(capacity, int64(len(body))+1)
			if grow != nil {
				if err := grow(capacity); err != nil {
					return nil, err
				}
			}
			body = append(make([]byte, 0, capacity), body...)
		}
		n, err := r.Read(body[len(body):cap(body)])
		body = body[:len(body)+n]
		if int64(len(body)) > limit {
			return nil, s3err.MaxMessageLengthExceeded.Err()
		}
		if err == io.EOF {
			return body, nil
		}
		if err != nil {
			return nil, s3err.FromError(err)
		}
	}
}

// CompletedPart is a part in the list by which a client completes an upload.
type CompletedPart struct {
	Number    int
	ETag      string // Without quotes.
	Checksums []*metapb.Checksum
}

// ParseCompleteUpload parses a CompleteMultipartUpload. It must have 1 to MaxParts parts, each with
// a number of 1 to MaxParts and an ETag. The object service checks whether the numbers ascend.
func ParseCompleteUpload(body []byte) ([]CompletedPart, error) {
	s := newScanner(body)
	var parts []CompletedPart
	err := s.document("CompleteMultipartUpload", func(name string) error {
		if name != "Part" {
			return s.unknown(name)
		}
		if len(parts) == MaxParts {
			return s3err.MalformedXML.Say("A list has at most 10000 parts.")
		}
		p, err := parsePart(s)
		parts = append(parts, p)
		return err
	})
	if err == nil && len(parts) == 0 {
		err = s3err.MalformedXML.Say("You must specify at least one part.")
	}
	if err != nil {
		return nil, err
	}
	return parts, nil
}

func parsePart(s *scanner) (p CompletedPart, err error) {
	var tagged bool
	err = s.children(func(name string) error {
		text, err := s.text()
		if err != nil {
			return err
		}
		switch {
		case name == "PartNumber" && p.Number == 0:
			p.Number, err = partNumber(text)
			return err
		case name == "ETag" && !tagged:
			p.ETag, tagged = unquote(text), true
			return nil
		case strings.HasPrefix(name, "Checksum"):
			return p.addChecksum(name[len("Checksum"):], text)
		}
		return s.unknown(name)
	})
	if err == nil && (p.Number == 0 || !tagged) {
		err = s3err.MalformedXML.Say("A Part needs a PartNumber and an ETag.")
	}
	return p, err
}

func (p *CompletedPart) addChecksum(algorithm, text string) error {
	if checksum.Size(algorithm) == 0 {
		return s3err.NotImplemented.Say("A checksum algorithm that you listed is not supported. Supported are " +
			strings.Join(checksum.Algorithms(), ", ") + ".")
	}
	value, err := checksum.Parse(algorithm, strings.TrimSpace(text))
	if err != nil {
		return s3err.InvalidRequest.Say("Value for Checksum" + algorithm + " of a part is invalid.")
	}
	for _, c := range p.Checksums {
		if c.GetAlgorithm() == algorithm {
			return s3err.MalformedXML.Say("A Part has two values for Checksum" + algorithm + ".")
		}
	}
	p.Checksums = append(p.Checksums, &metapb.Checksum{Algorithm: algorithm, Value: value})
	return nil
}

func partNumber(text string) (int, error) {
	n, err := strconv.Atoi(strings.TrimSpace(text))
	if err != nil {
		return 0, s3err.MalformedXML.Say("A PartNumber is not an integer.")
	}
	if n < 1 || n > MaxParts {
		return 0, s3err.BadArgument("partNumber", strconv.Itoa(n),
			"Part number must be an integer between 1 and 10000, inclusive")
	}
	return n, nil
}

// unquote removes the quotes around an ETag.
func unquote(etag string) string {
	etag = strings.TrimSpace(etag)
	if len(etag) >= 2 && etag[0] == '"' && etag[len(etag)-1] == '"' {
		return etag[1 : len(etag)-1]
	}
	return etag
}

// Delete is the document that says which objects DeleteObjects is to delete.
type Delete struct {
	Quiet   bool
	Objects []*metapb.ObjectName
}

// ParseDelete parses a Delete of 1 to MaxDeleteKeys objects, each with a key. An object may have
// conditions: ETag, LastModifiedTime and Size.
func ParseDelete(body []byte) (*Delete, error) {
	s := newScanner(body)
	d := &Delete{}
	err := s.document("Delete", func(name string) error {
		switch {
		case name == "Quiet":
			text, err := s.text()
			d.Quiet = strings.EqualFold(strings.TrimSpace(text), "true")
			return err
		case name != "Object":
			return s.unknown(name)
		case len(d.Objects) == MaxDeleteKeys:
			return s3err.MalformedXML.Say("A request deletes at most 1000 objects.")
		}
		o, err := parseObjectName(s)
		d.Objects = append(d.Objects, o)
		return err
	})
	if err == nil && len(d.Objects) == 0 {
		err = s3err.MalformedXML.Say("You must specify at least one object.")
	}
	if err != nil {
		return nil, err
	}
	return d, nil
}

func parseObjectName(s *scanner) (*metapb.ObjectName, error) {
	o := &metapb.ObjectName{}
	err := s.children(func(name string) error {
		text, err := s.text()
		if err != nil {
			return err
		}
		switch {
		case name == "Key" && o.Key == "":
			o.Key = text
			return nil
		case name == "VersionId" && o.VersionId == "":
			o.VersionId = strings.TrimSpace(text)
			return nil
		case name == "ETag" && o.IfMatch == "":
			o.IfMatch = unquote(text)
			return nil
		case name == "LastModifiedTime" && o.IfModifiedS == nil:
			t, ok := ParseTime(strings.TrimSpace(text))
			if !ok {
				return s3err.MalformedXML.Say("The LastModifiedTime of an Object is not a date.")
			}
			o.IfModifiedS = proto.Int64(t.Unix())
			return nil
		case name == "Size" && o.IfSize == nil:
			size, err := strconv.ParseUint(strings.TrimSpace(text), 10, 64)
			if err != nil {
				return s3err.MalformedXML.Say("The Size of an Object is not a number of bytes.")
			}
			o.IfSize = proto.Uint64(size)
			return nil
		}
		return s.unknown(name)
	})
	if err == nil && o.Key == "" {
		err = s3err.MalformedXML.Say("An Object needs a Key.")
	}
	return o, err
}

// NewBucket is what a CreateBucketConfiguration says of a bucket.
type NewBucket struct {
	Location string // Empty: none is named.
	Tags     []*metapb.Pair
}

// ParseCreateBucket parses a CreateBucketConfiguration. The body may be empty, and then says
// nothing.
func ParseCreateBucket(body []byte) (*NewBucket, error) {
	b := &NewBucket{}
	if len(body) == 0 {
		return b, nil
	}
	s := newScanner(body)
	err := s.document("CreateBucketConfiguration", func(name string) error {
		switch {
		case name == "LocationConstraint", name == "Location" && !s.begins(): // OBS's native API has the second form.
			text, err := s.text()
			b.Location = strings.TrimSpace(text)
			return err
		case name == "Tags":
			return s.children(func(name string) error {
				if name != "Tag" {
					return s.unknown(name)
				}
				t, err := parseTag(s)
				b.Tags = append(b.Tags, t)
				return err
			})
		case name == "Location", name == "Bucket":
			return s3err.NotImplemented.Say("CreateBucketConfiguration with " + name + " is not supported.")
		}
		return s.unknown(name)
	})
	if err == nil {
		err = CheckTags(b.Tags, MaxBucketTags)
	}
	if err != nil {
		return nil, err
	}
	return b, nil
}
