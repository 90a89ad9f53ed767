package profile

import (
	"time"

	"github.com/cairnstore/cairn/s3api/wirexml"
)

// Bounds of knobs.
const (
	maxMinPart  = 5 << 30          // The largest part.
	maxEarly200 = 10 * time.Minute // Clients and proxies give up earlier than this.

	MaxBuckets = 1_000_000 // Of one account, whatever is said of it.
)

// Defaults of knobs that OBS and AWS agree on.
const (
	DefaultMinPart           = 5 << 20
	DefaultBuckets           = 1000 // AWS: 10,000 (100 until 2024); OBS: 100.
	DefaultEarly200After     = 2 * time.Second
	DefaultKeepAliveInterval = 5 * time.Second
)

// table is every knob. docs/compatibility.md is generated from it.
var table = []Knob{
	choice(CompatKnob, OBS, AWS, []Compat{OBS, AWS}, func(p *Profile) *Compat { return &p.Compat },
		"whose rules hold where OBS and AWS differ; the defaults of all other knobs follow it"),

	choice("copy-range-past-end", PastEndClamp, PastEndInvalidArgument, []PastEnd{PastEndClamp, PastEndInvalidRange, PastEndInvalidArgument},
		func(p *Profile) *PastEnd { return &p.CopyRangePastEnd },
		"a copy range that starts inside its source and ends past it: copy up to the end, 416 InvalidRange, or 400 InvalidArgument"),
	choice("copy-part-etag", CopyETagReference, CopyETagReference, []CopyETag{CopyETagReference, CopyETagMD5},
		func(p *Profile) *CopyETag { return &p.CopyPartETag },
		"ETag of a part copied by reference: an MD5 where it is known without reading (reference), or always, which reads the range once (md5)"),
	size("min-part", DefaultMinPart, maxMinPart, func(p *Profile) *int64 { return &p.MultipartMinPart },
		"smallest part of a multipart upload, except the last (OBS's own API allows 100KiB)"),
	toggle("multipart-initiator-only", true, false, func(p *Profile) *bool { return &p.MultipartInitiatorOnly },
		"only the user who initiated a multipart upload may upload, copy or complete its parts"),
	toggle("complete-requires-ssec", false, false, func(p *Profile) *bool { return &p.CompleteRequiresSSEC },
		"completing an SSE-C upload needs its key; where it does not, a key that is sent is checked all the same"),
	toggle("complete-requires-checksums", false, true, func(p *Profile) *bool { return &p.CompleteRequiresSums },
		"completing an upload of composite checksums needs the checksum of each part in its list"),
	toggle("delete-bucket-with-uploads", false, true, func(p *Profile) *bool { return &p.DeleteWithUploads },
		"a bucket without objects can be deleted though multipart uploads are open in it: they are aborted"),
	duration("copy-early-200-after", DefaultEarly200After, maxEarly200, func(p *Profile) *time.Duration { return &p.CopyEarly200After },
		"a copy or completion that takes longer is answered 200 at once, its verdict in the body"),
	duration("keepalive-interval", DefaultKeepAliveInterval, maxEarly200, func(p *Profile) *time.Duration { return &p.KeepAliveInterval },
		"white space is sent this often while such a request runs"),
	toggle("chunked-answers", true, false, func(p *Profile) *bool { return &p.ChunkedAnswers },
		"answers of copies and completions have Transfer-Encoding: chunked even where they are done at once"),

	choice("ssec-plain-http", PlainHTTPLoopback, PlainHTTPLoopback, []PlainHTTP{PlainHTTPDeny, PlainHTTPLoopback, PlainHTTPAllow},
		func(p *Profile) *PlainHTTP { return &p.SSECPlainHTTP },
		"SSE-C without TLS: never, to a listener on loopback only, or always; a trusted proxy that says https counts as TLS"),
	toggle("check-md5-under-sse", true, true, func(p *Profile) *bool { return &p.CheckMD5UnderSSE },
		"verify Content-MD5 of encrypted objects too (OBS itself does not)"),
	choice("default-sse", EncryptNone, EncryptNone, []Encryption{EncryptNone, EncryptSSES3}, func(p *Profile) *Encryption { return &p.DefaultSSE },
		"encryption of objects whose request and bucket name none (AWS itself encrypts all with SSE-S3)"),

	count("max-buckets", DefaultBuckets, MaxBuckets, func(p *Profile) *int { return &p.BucketsMax },
		"buckets that an account may have, where nothing else was said of it (cairn account buckets): one more is refused with TooManyBuckets"),
	choice("new-bucket-ownership", wirexml.OwnershipWriter, wirexml.OwnershipEnforced,
		[]string{wirexml.OwnershipWriter, wirexml.OwnershipPreferred, wirexml.OwnershipEnforced}, func(p *Profile) *string { return &p.NewBucketOwnership },
		"object ownership of buckets that are made without x-amz-object-ownership: who owns what other accounts write, and whether ACLs count; "+
			"buckets that are there already keep theirs"),
	toggle("new-bucket-block-public", false, true, func(p *Profile) *bool { return &p.NewBucketBlockPublic },
		"buckets are made with a public access block, all four switches on; buckets that are there already keep theirs"),

	choice("xml-namespace", NamespaceAuto, NamespaceAWS, []Namespace{NamespaceAuto, NamespaceAWS, NamespaceOBS},
		func(p *Profile) *Namespace { return &p.XMLNamespace },
		"namespace of documents: http://s3.amazonaws.com/doc/2006-03-01/ (aws), http://ENDPOINT/doc/2015-06-30/ (obs), or OBS's for requests "+
			"signed with V2 or OBS's own signature and AWS's for V4 and anonymous ones, whose clients may insist on it (auto)"),
	toggle("xml-standalone", true, false, func(p *Profile) *bool { return &p.XMLStandalone },
		`the XML declaration says standalone="yes"`),
	choice("error-profile", OBS, AWS, []Compat{OBS, AWS}, func(p *Profile) *Compat { return &p.ErrorProfile },
		"how errors are told that OBS and AWS tell differently: docs/compatibility.md lists them"),
	choice("answer-profile", OBS, AWS, []Compat{OBS, AWS}, func(p *Profile) *Compat { return &p.AnswerProfile },
		"how successes are told that OBS and AWS tell differently: docs/compatibility.md lists them"),
	text("server-header", "OBS", "Cairn", func(p *Profile) *string { return &p.ServerHeader },
		"the Server header of every answer"),
	toggle("reserved-header", true, false, func(p *Profile) *bool { return &p.ReservedHeader },
		"every answer has OBS's x-reserved header, a line about trademarks"),
}
