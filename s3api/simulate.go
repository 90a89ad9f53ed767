package s3api

import (
	"context"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/meta"
	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/s3api/iam"
	"github.com/cairnstore/cairn/s3api/policy"
)

// Simulator says what the S3 API would decide about requests that nobody makes. It asks the same
// code as the handlers do.
type Simulator struct {
	Access
	Meta meta.Client
}

// Supposed is a request that nobody makes.
type Supposed struct {
	Identity *iam.Identity // Nil: anonymous.
	Action   string        // As policy.S3Action returns it.
	// Bucket and the next two say what it is on; all empty: the service.
	Bucket, Key, VersionID string
	// Facts are the condition keys that the request has, as policy.CanonicalKey returns them.
	Facts map[string][]string
}

// Simulated is the decision about a request that nobody makes.
type Simulated struct {
	Why *iam.Why
	// Owner is the id of the account that has the bucket; empty: it is on no bucket that exists.
	Owner string
	// Absent says that there is no such object, or that its latest version is a delete marker. The
	// decision is about an object of the bucket's owner without tags and ACL. The S3 API tells
	// whoever may list the bucket (MayList) that there is no such object, and refuses others.
	Absent, MayList bool
	// Asked are condition keys that a policy asked for and the request does not have.
	Asked []string
}

// onService are the actions that are not on a bucket that exists.
var onService = newSet("s3:ListAllMyBuckets", "s3:CreateBucket")

// onVersion are the actions on an object that exists: its owner, its ACL and its tags count.
var onVersion = newSet(
	"s3:GetObject", "s3:GetObjectVersion", "s3:GetObjectAttributes", "s3:GetObjectVersionAttributes",
	"s3:GetObjectAcl", "s3:GetObjectVersionAcl", "s3:PutObjectAcl", "s3:PutObjectVersionAcl",
	"s3:GetObjectTagging", "s3:GetObjectVersionTagging", "s3:PutObjectTagging", "s3:PutObjectVersionTagging",
	"s3:DeleteObjectTagging", "s3:DeleteObjectVersionTagging",
	"s3:GetObjectRetention", "s3:PutObjectRetention", "s3:GetObjectLegalHold", "s3:PutObjectLegalHold", "s3:RestoreObject")

// Simulate decides about a request. Errors: NotFound if there is no such bucket, Invalid if the
// action needs a bucket or a key and the request names none, Unavailable.
func (m *Simulator) Simulate(ctx context.Context, in *Supposed) (*Simulated, error) {
	const op = "s3api.Simulate"
	out := &Simulated{Why: &iam.Why{}}
	access := iam.Access{Identity: in.Identity, Action: in.Action, Conditions: in.facts(out, time.Now()), Why: out.Why}
	if onService[in.Action] {
		access.Name = in.Bucket
		m.Authorizer.Allows(&access)
		return out, nil
	}
	switch {
	case in.Bucket == "":
		return nil, errs.Newf(op, errs.Invalid, "%s is an action on a bucket or an object: name one, as in s3://BUCKET/KEY",
			in.Action)
	case in.Key == "" && onVersion[in.Action]:
		return nil, errs.Newf(op, errs.Invalid, "%s is an action on an object: name one, as in s3://%s/KEY", in.Action,
			in.Bucket)
	}
	b, err := m.Buckets.Fresh(ctx, in.Bucket)
	if err != nil {
		return nil, err
	}
	access.Bucket, out.Owner = b, b.Owner
	payer := &request{r: &http.Request{Header: http.Header{"X-Amz-Request-Payer": {"requester"}}}, identity: in.Identity}
	if payer.pays(b) != nil {
		out.Why.Refuse(iam.RequesterPays, "requesters pay in this bucket, and a caller whom nobody knows cannot")
		return out, nil
	}
	if !onVersion[in.Action] {
		access.Key = in.Key
		m.Authorizer.Allows(&access)
		return out, nil
	}
	v, err := m.version(ctx, in)
	if err != nil {
		return nil, err
	}
	o := &objectAccess{m.Authorizer, access}
	if v == nil {
		quiet := *o
		quiet.access.Why, quiet.access.Conditions = nil, in.facts(&Simulated{}, time.Now())
		out.Absent, out.MayList = true, quiet.Missing()
		v = &metapb.Version{Owner: b.Owner}
	}
	o.Object(in.Key, v)
	return out, nil
}

// version looks up the version that a request is on; nil if there is none that can be read.
func (m *Simulator) version(ctx context.Context, in *Supposed) (*metapb.Version, error) {
	a, err := m.Meta.Read(ctx, &metapb.Query{Op: &metapb.Query_Object{Object: &metapb.GetObject{
		Bucket: in.Bucket, Key: in.Key, VersionId: in.VersionID, Range: metapb.RangeKind_RANGE_NONE}}})
	if err != nil {
		return nil, err
	}
	v := a.GetObject().GetVersion()
	if a.Refusal != metapb.Refusal_REFUSAL_NONE || v.GetDeleteMarker() {
		return nil, nil
	}
	return v, nil
}

// facts returns the facts of the request: those that are given, and those that follow from the
// clock, the version and the caller. What is asked for and not there is noted in out.
func (in *Supposed) facts(out *Simulated, now time.Time) func(key string) ([]string, bool) {
	return func(key string) ([]string, bool) {
		if values, ok := in.Facts[key]; ok {
			return values, true
		}
		switch {
		case key == policy.KeyCurrentTime:
			return fact(now.UTC().Format(time.RFC3339))
		case key == policy.KeyEpochTime:
			return fact(strconv.FormatInt(now.Unix(), 10))
		case key == policy.KeyVersionID && in.VersionID != "":
			return fact(in.VersionID)
		case key == policy.KeyTokenIssueTime && in.Identity != nil && in.Identity.Temporary:
			return fact(in.Identity.Issued.UTC().Format(time.RFC3339))
		case !slices.Contains(out.Asked, key):
			out.Asked = append(out.Asked, key)
		}
		return nil, false
	}
}
