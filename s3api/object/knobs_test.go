package object

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cairnstore/cairn/s3api/profile"
	"github.com/cairnstore/cairn/s3api/s3err"
	"github.com/cairnstore/cairn/s3api/sse"
)

// TestKnobsOf: a zero Knobs is what the default profile says, once defaults are in.
func TestKnobsOf(t *testing.T) {
	s := &Service{cfg: Config{}.withDefaults()}
	require.Equal(t, KnobsOf(profile.Default()), s.knobs())
	p, err := profile.New(profile.OBS, map[string]string{"min-part": "100KiB", "copy-range-past-end": "invalid-range", "copy-part-etag": "md5",
		"multipart-initiator-only": "off", "complete-requires-ssec": "on", "check-md5-under-sse": "off",
		"complete-requires-checksums": "on", "delete-bucket-with-uploads": "on", "error-profile": "aws"})
	require.NoError(t, err)
	require.Equal(t, Knobs{MinPartBytes: 100 << 10, CopyRangePastEnd: profile.PastEndInvalidRange, CopyPartETag: profile.CopyETagMD5,
		AnyInitiator: true, CompleteRequiresSSEC: true, IgnoreMD5UnderSSE: true,
		CompleteRequiresSums: true, DeleteWithUploads: true, BucketsMax: 1000, WrongKeyAsAWS: true}, KnobsOf(p))
}

// TestKnobsAreReadEachTime: what is set while the service runs holds for the next
// request.
func TestKnobsAreReadEachTime(t *testing.T) {
	now := Knobs{MinPartBytes: 1}
	w := newWorld(t, setup{config: Config{Knobs: func() Knobs { return now }}})
	w.put("src", contentOf(1000, 1), nil)
	src := CopySource{Bucket: testBucket, Key: "src"}
	_, err := w.copyPart(src, fromTo(500, 1000), nil, "")
	require.NoError(t, err, "OBS clamps")
	now.CopyRangePastEnd = profile.PastEndInvalidArgument
	_, err = w.copyPart(src, fromTo(500, 1000), nil, "")
	wantCode(t, err, s3err.InvalidArgument)

	bob := Caller{Account: "acct", User: "bob"}
	id := w.upload("k", nil, "", false)
	part := func() error {
		_, err := w.PutPart(t.Context(), &PartInput{Caller: bob, Bucket: testBucket, Key: "k", UploadID: id, PartNumber: 1,
			Body: Body{Reader: bytes.NewReader([]byte("x")), Size: 1}})
		return err
	}
	wantCode(t, part(), s3err.AccessDenied)
	now.AnyInitiator = true
	require.NoError(t, part())
}

func TestMD5UnderSSE(t *testing.T) {
	for _, ignore := range []bool{false, true} {
		w := newWorld(t, setup{knobs: Knobs{IgnoreMD5UnderSSE: ignore}})
		put := func(k *sse.CustomerKey) error {
			_, err := w.Put(t.Context(), &PutInput{Description: Description{CustomerKey: k}, Caller: alice, Bucket: testBucket, Key: "k",
				Body: Body{Reader: bytes.NewReader([]byte("x")), Size: 1, ContentMD5: make([]byte, 16)}})
			return err
		}
		wantCode(t, put(nil), s3err.BadDigest)
		if ignore {
			require.NoError(t, put(testKey('1')))
		} else {
			wantCode(t, put(testKey('1')), s3err.BadDigest)
		}
	}
}
