package object

import "github.com/cairnstore/cairn/s3api/profile"

// Knobs is what an operator may change of the object service while it runs. A zero field means its
// default, which the comment names.
type Knobs struct {
	MinPartBytes         int64            // The least of a part that is not the last: profile.DefaultMinPart.
	CopyRangePastEnd     profile.PastEnd  // profile.PastEndClamp.
	CopyPartETag         profile.CopyETag // profile.CopyETagReference.
	AnyInitiator         bool             // Parts may come from others than the upload's initiator.
	CompleteRequiresSSEC bool             // Complete of an SSE-C upload must carry its key.
	IgnoreMD5UnderSSE    bool             // Content-MD5 of what is encrypted is not verified.
	CompleteRequiresSums bool             // Complete must carry the parts' checksums if the whole's is composite.
	DeleteWithUploads    bool             // A bucket with open uploads may be deleted.
	BucketsMax           int              // How many buckets an account may have by default: profile.DefaultBuckets.
	WrongKeyAsAWS        bool             // A wrong customer's key has the error that AWS gives it.
}

// KnobsOf returns what a profile says of the object service.
func KnobsOf(p *profile.Profile) Knobs {
	return Knobs{
		MinPartBytes:         p.MultipartMinPart,
		CopyRangePastEnd:     p.CopyRangePastEnd,
		CopyPartETag:         p.CopyPartETag,
		AnyInitiator:         !p.MultipartInitiatorOnly,
		CompleteRequiresSSEC: p.CompleteRequiresSSEC,
		IgnoreMD5UnderSSE:    !p.CheckMD5UnderSSE,
		CompleteRequiresSums: p.CompleteRequiresSums,
		DeleteWithUploads:    p.DeleteWithUploads,
		BucketsMax:           p.BucketsMax,
		WrongKeyAsAWS:        p.ErrorProfile == profile.AWS,
	}
}

// knobs returns the knobs of now. An operation that looks at one several times keeps the answer,
// for it may change in between.
func (s *Service) knobs() Knobs {
	k := s.cfg.Knobs()
	def(&k.MinPartBytes, profile.DefaultMinPart)
	def(&k.CopyRangePastEnd, profile.PastEndClamp)
	def(&k.CopyPartETag, profile.CopyETagReference)
	def(&k.BucketsMax, profile.DefaultBuckets)
	return k
}

// wantsMD5 reports whether a copied part must have an MD5 for its ETag.
func (s *Service) wantsMD5() bool { return s.knobs().CopyPartETag == profile.CopyETagMD5 }
