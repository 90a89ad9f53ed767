package profile

import (
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/cairnstore/cairn/cluster/errs"
)

// Compat is whose rules hold where OBS and AWS differ.
type Compat string

// The values of compat and error-profile.
const (
	OBS Compat = "obs"
	AWS Compat = "aws"
)

// PastEnd says what becomes of a copy range that starts inside its source and ends outside.
type PastEnd string

// The values of copy-range-past-end.
const (
	PastEndClamp           PastEnd = "clamp"            // Copy up to the end, as OBS does.
	PastEndInvalidRange    PastEnd = "invalid-range"    // 416, as Ceph does.
	PastEndInvalidArgument PastEnd = "invalid-argument" // 400, as AWS does.
)

// CopyETag says which ETag a part gets that is copied by reference.
type CopyETag string

// The values of copy-part-etag.
const (
	CopyETagReference CopyETag = "reference" // An MD5 where it is known; opaque otherwise.
	CopyETagMD5       CopyETag = "md5"       // Read the range once for its MD5.
)

// PlainHTTP says when customer keys may come without TLS. A request that a trusted proxy calls https
// always counts as TLS.
type PlainHTTP string

// The values of ssec-plain-http.
const (
	PlainHTTPDeny     PlainHTTP = "deny"
	PlainHTTPLoopback PlainHTTP = "loopback" // To a listener on loopback only.
	PlainHTTPAllow    PlainHTTP = "allow"
)

// Encryption is how an object is encrypted whose request and bucket name nothing.
type Encryption string

// The values of default-sse.
const (
	EncryptNone  Encryption = "none"
	EncryptSSES3 Encryption = "sse-s3"
)

// Namespace says which namespace documents have.
type Namespace string

// The values of xml-namespace.
const (
	NamespaceAuto Namespace = "auto" // OBS's for requests signed with V2 or OBS's own signature, else AWS's.
	NamespaceAWS  Namespace = "aws"
	NamespaceOBS  Namespace = "obs"
)

// Profile is a snapshot of every knob; the table in knobs.go has their meaning.
// It is never changed after New returns it.
type Profile struct {
	Compat Compat

	CopyRangePastEnd       PastEnd
	CopyPartETag           CopyETag
	MultipartMinPart       int64 // Bytes.
	MultipartInitiatorOnly bool
	CompleteRequiresSSEC   bool
	CompleteRequiresSums   bool
	DeleteWithUploads      bool
	CopyEarly200After      time.Duration
	KeepAliveInterval      time.Duration
	ChunkedAnswers         bool

	SSECPlainHTTP    PlainHTTP
	CheckMD5UnderSSE bool
	DefaultSSE       Encryption

	BucketsMax           int    // That an account may have.
	NewBucketOwnership   string // One of wirexml's words.
	NewBucketBlockPublic bool

	XMLNamespace   Namespace
	XMLStandalone  bool
	ErrorProfile   Compat
	AnswerProfile  Compat
	ServerHeader   string
	ReservedHeader bool
}

// Default returns the profile of a cluster with no settings.
func Default() *Profile {
	p, err := New(OBS, nil)
	if err != nil {
		panic(err) // A default of the table that does not parse.
	}
	return p
}

// New returns the profile of compat (empty: OBS) with overrides by knob. An error,
// of kind errs.Invalid, names each knob that does not exist or whose value is not
// allowed, and what is.
func New(compat Compat, overrides map[string]string) (*Profile, error) {
	if compat == "" {
		compat = OBS
	}
	if err := Check(CompatKnob, string(compat)); err != nil {
		return nil, err
	}
	p := &Profile{}
	var bad []error
	for i := range table {
		k := &table[i]
		value, ok := overrides[k.Name]
		if !ok {
			value = k.Default(compat)
		}
		bad = append(bad, k.Set(p, value))
	}
	for _, name := range slices.Sorted(maps.Keys(overrides)) {
		if find(name) == nil {
			bad = append(bad, unknown(name))
		}
	}
	p.Compat = compat
	if err := errors.Join(bad...); err != nil {
		return nil, errs.New("profile.New", errs.Invalid, err)
	}
	return p, nil
}

// FromSettings returns the profile of a node's settings, overridden by those of the cluster, both by
// knob and with compat among them. It always returns a profile, because a node must go on serving when a
// newer node has set a knob that it does not know. What cannot be used is left out, and the error, of
// kind errs.Invalid, names it.
func FromSettings(node, cluster map[string]string) (*Profile, error) {
	merged := map[string]string{}
	var bad []error
	for _, settings := range []map[string]string{node, cluster} {
		for _, name := range slices.Sorted(maps.Keys(settings)) {
			if err := Check(name, settings[name]); err != nil {
				bad = append(bad, err)
				continue
			}
			merged[name] = settings[name]
		}
	}
	p, err := New(Compat(merged[CompatKnob]), merged)
	if err != nil {
		panic(err) // Check has passed every value.
	}
	if err := errors.Join(bad...); err != nil {
		return p, errs.New("profile.FromSettings", errs.Invalid, err)
	}
	return p, nil
}
