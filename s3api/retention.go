package s3api

import (
	"context"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/s3api/object"
	"github.com/cairnstore/cairn/s3api/policy"
	"github.com/cairnstore/cairn/s3api/s3err"
	"github.com/cairnstore/cairn/s3api/wirexml"
)

const (
	headerLockMode         = "X-Amz-Object-Lock-Mode"
	headerLockUntil        = "X-Amz-Object-Lock-Retain-Until-Date"
	headerLegalHold        = "X-Amz-Object-Lock-Legal-Hold"
	headerBypassGovernance = "X-Amz-Bypass-Governance-Retention"

	msgNoObjectLock = "Bucket is missing Object Lock Configuration"
)

// lockRequest is what a request says of the lock of a version.
type lockRequest struct {
	retention *metapb.Retention // Nil: the request says nothing of it.
	hold      metapb.LegalHold
}

// parseLock reads the x-amz-object-lock- headers of something new.
func parseLock(h http.Header, now time.Time) (l lockRequest, err error) {
	mode, until := h.Get(headerLockMode), h.Get(headerLockUntil)
	if (mode == "") != (until == "") {
		return l, s3err.BadArgument("x-amz-object-lock-mode", "",
			"x-amz-object-lock-retain-until-date and x-amz-object-lock-mode must both be supplied")
	}
	if mode != "" {
		m, ok := wirexml.RetentionMode(mode)
		if !ok {
			return l, s3err.BadArgument("x-amz-object-lock-mode", printable(mode), "Unknown wormMode directive.")
		}
		t, ok := wirexml.ParseTime(until)
		if !ok {
			return l, s3err.BadArgument("x-amz-object-lock-retain-until-date", printable(until),
				"The retain until date must be provided in ISO 8601 format")
		}
		l.retention = &metapb.Retention{Mode: m, UntilMs: t.UnixMilli()}
		if err := checkRetainUntil(l.retention, now); err != nil {
			return l, err
		}
	}
	switch hold := h.Get(headerLegalHold); hold {
	case "":
	case "ON":
		l.hold = metapb.LegalHold_LEGAL_HOLD_ON
	case "OFF":
		l.hold = metapb.LegalHold_LEGAL_HOLD_OFF
	default:
		return l, s3err.BadArgument("x-amz-object-lock-legal-hold", printable(hold),
			"Legal Hold must be either of 'ON' or 'OFF'")
	}
	return l, nil
}

func checkRetainUntil(r *metapb.Retention, now time.Time) error {
	if r.GetMode() != metapb.RetentionMode_RETENTION_NONE && r.GetUntilMs() <= now.UnixMilli() {
		return s3err.BadArgument("x-amz-object-lock-retain-until-date", "",
			"The retain until date must be in the future!")
	}
	return nil
}

// lockFacts are the facts of the lock that a request asks for.
func (rq *request) lockFacts(key string, now time.Time) ([]string, bool) {
	r := rq.lock.retention
	if r != nil && r.Mode != metapb.RetentionMode_RETENTION_NONE {
		switch key {
		case policy.KeyLockMode:
			return fact(wirexml.RetentionModeName(r.Mode))
		case policy.KeyLockUntil:
			return fact(time.UnixMilli(r.UntilMs).UTC().Format(time.RFC3339))
		case policy.KeyLockDays:
			const day = 24 * time.Hour
			return fact(strconv.FormatInt(int64((time.UnixMilli(r.UntilMs).Sub(now)+day-1)/day), 10))
		}
	}
	if key == policy.KeyLockLegalHold {
		switch rq.lock.hold {
		case metapb.LegalHold_LEGAL_HOLD_ON:
			return fact("ON")
		case metapb.LegalHold_LEGAL_HOLD_OFF:
			return fact("OFF")
		}
	}
	return nil, false
}

// lockNew fills in the lock of something new. Retention and legal hold need a right each, and the
// bucket must have object lock.
func (s *server) lockNew(ctx context.Context, rq *request, in *object.Description) error {
	l := rq.lock
	if l.retention == nil && l.hold == metapb.LegalHold_LEGAL_HOLD_AS_IT_IS {
		return nil
	}
	on := subject{bucket: rq.bucket, key: rq.key}
	if l.retention != nil {
		if err := s.allow(ctx, rq, "s3:PutObjectRetention", on); err != nil {
			return err
		}
	}
	if l.hold != metapb.LegalHold_LEGAL_HOLD_AS_IT_IS {
		if err := s.allow(ctx, rq, "s3:PutObjectLegalHold", on); err != nil {
			return err
		}
	}
	b, err := s.bucket(ctx, rq)
	if err == nil && !b.GetObjectLock() {
		err = s3err.InvalidRequest.Say(msgNoObjectLock)
	}
	in.Retention, in.LegalHold = l.retention, l.hold == metapb.LegalHold_LEGAL_HOLD_ON
	return err
}

// bypasses reports whether a request wants to get past a governance retention, and may.
func (s *server) bypasses(ctx context.Context, rq *request, on subject) bool {
	return strings.EqualFold(rq.r.Header.Get(headerBypassGovernance), "true") &&
		s.allow(ctx, rq, "s3:BypassGovernanceRetention", on) == nil
}

func (s *server) putObjectRetention(ctx context.Context, rq *request) (*response, error) {
	body, err := rq.readDocument(wirexml.MaxConfigurationBytes)
	if err != nil {
		return nil, err
	}
	if rq.lock.retention, err = wirexml.ParseRetention(body); err != nil {
		return nil, err
	}
	if err := checkRetainUntil(rq.lock.retention, time.Now()); err != nil {
		return nil, err
	}
	bypass := s.bypasses(ctx, rq, subject{rq.bucket, rq.key, rq.query.get("versionId")})
	return s.relock(ctx, rq, "s3:PutObjectRetention", &metapb.VersionLock{Retention: rq.lock.retention, BypassGovernance: bypass})
}

func (s *server) putObjectLegalHold(ctx context.Context, rq *request) (*response, error) {
	body, err := rq.readDocument(wirexml.MaxConfigurationBytes)
	if err != nil {
		return nil, err
	}
	if rq.lock.hold, err = wirexml.ParseLegalHold(body); err != nil {
		return nil, err
	}
	return s.relock(ctx, rq, "s3:PutObjectLegalHold", &metapb.VersionLock{LegalHold: rq.lock.hold})
}

// relock changes the lock of a version.
func (s *server) relock(ctx context.Context, rq *request, action string, l *metapb.VersionLock) (*response, error) {
	got, err := s.describe(ctx, rq, action)
	if err != nil {
		return tellMarker(got, err), err
	}
	if !got.Bucket.GetObjectLock() {
		return nil, s3err.InvalidRequest.Say(msgNoObjectLock)
	}
	// As at AWS, making a governance retention stricter is a change too.
	old := got.Version.GetRetention()
	changes := l.Retention != nil && l.Retention.Mode != old.GetMode()
	if old.GetMode() == metapb.RetentionMode_RETENTION_GOVERNANCE && old.GetUntilMs() > time.Now().UnixMilli() && changes && !l.BypassGovernance {
		return nil, s3err.AccessDenied.Say("The version is under a governance retention: to change its mode takes " +
			"x-amz-bypass-governance-retention: true, and s3:BypassGovernanceRetention.")
	}
	resp := &response{}
	resp.setVersion("x-amz-version-id", object.ShownVersionID(got.Bucket, got.Version))
	return resp, s.cfg.Objects.Update(ctx, rq.asks(), &metapb.UpdateVersion{Bucket: rq.bucket, Key: rq.key,
		VersionId: rq.query.get("versionId"), ContentId: got.Version.GetContentId(), Lock: l})
}

func (s *server) getObjectRetention(ctx context.Context, rq *request) (*response, error) {
	got, err := s.describeLocked(ctx, rq, "s3:GetObjectRetention")
	if err != nil {
		return tellMarker(got, err), err
	}
	r := got.Version.GetRetention()
	if r == nil {
		return nil, s3err.NoSuchObjectLockConfiguration.Err()
	}
	return &response{document: &wirexml.Retention{Mode: r.GetMode(), UntilMS: r.GetUntilMs()}}, nil
}

func (s *server) getObjectLegalHold(ctx context.Context, rq *request) (*response, error) {
	got, err := s.describeLocked(ctx, rq, "s3:GetObjectLegalHold")
	if err != nil {
		return tellMarker(got, err), err
	}
	return &response{document: &wirexml.LegalHold{On: got.Version.GetLegalHold()}}, nil
}

// describeLocked is describe for a lock, which only versions in buckets with object lock have.
func (s *server) describeLocked(ctx context.Context, rq *request, action string) (*object.Got, error) {
	got, err := s.describe(ctx, rq, action)
	if err == nil && !got.Bucket.GetObjectLock() {
		return nil, s3err.InvalidRequest.Say(msgNoObjectLock)
	}
	return got, err
}

// tellExtras tells what the reader of a version may know besides: its lock, and how many tags it
// has.
func (s *server) tellExtras(ctx context.Context, rq *request, resp *response, v *metapb.Version) {
	may := func(action string) bool {
		access, err := s.objectAccess(ctx, rq, action, rq.bucket, rq.query.get("versionId"))
		return err == nil && access.Object(rq.key, v)
	}
	if r := v.GetRetention(); r != nil && may("s3:GetObjectRetention") {
		resp.set("x-amz-object-lock-mode", wirexml.RetentionModeName(r.GetMode()))
		resp.set("x-amz-object-lock-retain-until-date", string(wirexml.AppendTime(nil, r.GetUntilMs())))
	}
	if v.GetLegalHold() && may("s3:GetObjectLegalHold") {
		resp.set("x-amz-object-lock-legal-hold", "ON")
	}
	if n := len(v.GetTags()); n > 0 && may(versioned("s3:GetObjectTagging", rq.query.has("versionId"))) {
		resp.set("x-amz-tagging-count", itoa(n))
	}
}
