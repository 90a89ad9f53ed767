package object

import "github.com/cairnstore/cairn/s3api/profile"

// Knobs are what an operator may change of the object service while it runs. A
// zero field means its default.
type Knobs struct {
	MinPartBytes         int64            // Of a part that is not the last: profile.DefaultMinPart.
	CopyRangePastEnd     profile.PastEnd  // profile.PastEndClamp.
	CopyPartETag         profile.CopyETag // profile.CopyETagReference.
	AnyInitiator         bool             // Parts may come from others than the upload's initiator.
	CompleteRequiresSSEC bool             // Complete of an SSE-C upload must carry its key.
	IgnoreMD5UnderSSE    bool             // Content-MD5 of what is encrypted is not verified.
	CompleteRequiresSums bool             // Complete of composite checksums must carry those of the parts.
	DeleteWithUploads    bool             // Open uploads do not keep a bucket.
	BucketsMax           int              // Of an account of which nothing else was said: profile.DefaultBuckets.
	WrongKeyAsAWS        bool             // A wrong customer's key is told as AWS does.
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

// knobs returns the knobs as they are now. An operation that looks at one several
// times keeps the answer.
func (s *Service) knobs() Knobs {
	k := s.cfg.Knobs()
	def(&k.MinPartBytes, profile.DefaultMinPart)
	def(&k.CopyRangePastEnd, profile.PastEndClamp)
	def(&k.CopyPartETag, profile.CopyETagReference)
	def(&k.BucketsMax, profile.DefaultBuckets)
	return k
}

// wantsMD5 reports whether parts copied by reference must have an MD5.
func (s *Service) wantsMD5() bool { return s.knobs().CopyPartETag == profile.CopyETagMD5 }
