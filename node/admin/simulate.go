package admin

import (
	"context"
	"net/url"
	"slices"
	"strings"

	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/node/admin/adminpb"
	"github.com/cairnstore/cairn/node/admin/adminpb/adminpbconnect"
	"github.com/cairnstore/cairn/s3api"
	"github.com/cairnstore/cairn/s3api/iam"
	lang "github.com/cairnstore/cairn/s3api/policy"
)

// Bounds of the facts of a request that is simulated.
const (
	maxSimulatedFacts  = 64
	maxSimulatedValues = 64 // Of one fact.
)

// ofOneself reports whether a request asks what the caller itself may do, which everybody may ask:
// whoever makes the request that is simulated is told as much.
func ofOneself(id *iam.Identity, req any) bool {
	r, ok := req.(*adminpb.SimulatePolicyRequest)
	return ok && (r.As == "" || r.As == id.AccessKey || r.As == id.ARN() || (r.Account == "" ||
		r.Account == id.Account) && id.User != "" && r.As == "user:"+id.User)
}

// SimulatePolicy implements AdminService. Who does not administer the cluster may ask about the
// account's own users, roles and root, and about anonymous callers.
func (s *service) SimulatePolicy(ctx context.Context, r *adminpb.SimulatePolicyRequest) (*adminpb.Simulation, error) {
	who, err := s.simulated(ctx, r)
	if err != nil {
		return nil, err
	}
	facts, err := factsOf(r.Context)
	if err != nil {
		return nil, err
	}
	out := &adminpb.Simulation{As: iam.Anonymous, Action: r.Action, Resource: r.Resource}
	if who.Identity != nil {
		out.As = who.Identity.ARN()
	}
	if name, ok := cutFold(r.Action, iam.AdminService); ok {
		err = s.simulateAdmin(who.Identity, name, facts, out)
	} else {
		err = s.simulateS3(ctx, who.Identity, facts, out)
	}
	if err != nil {
		return nil, err
	}
	if who.Stopped != "" {
		out.Allowed, out.DecidedBy = false, nil
		out.Reason = "not allowed: " + who.Stopped + ", so none of its requests is answered"
	}
	return out, nil
}

// simulated returns whom a request asks about.
func (s *service) simulated(ctx context.Context, r *adminpb.SimulatePolicyRequest) (*iam.Somebody, error) {
	id := caller(ctx)
	if ofOneself(id, r) {
		return &iam.Somebody{Identity: id}, nil
	}
	account, err := s.account(ctx, r.Account)
	if err != nil {
		return nil, err
	}
	return s.c.Named(ctx, account, r.As, !administers(ctx))
}

// factsOf returns the condition keys of a request by their usual spelling. Errors: Invalid.
func factsOf(context []*adminpb.ConditionFact) (map[string][]string, error) {
	const op = "admin.SimulatePolicy"
	if len(context) > maxSimulatedFacts {
		return nil, errs.Newf(op, errs.Invalid, "the context has %d keys; at most %d are allowed", len(context),
			maxSimulatedFacts)
	}
	out := map[string][]string{}
	for _, f := range context {
		key, ok := lang.CanonicalKey(f.Key)
		if !ok {
			return nil, errs.Newf(op, errs.Invalid, "%q is no condition key that is known, such as %s", f.Key, lang.KeySourceIP)
		}
		if out[key] = append(out[key], f.Values...); len(out[key]) > maxSimulatedValues {
			return nil, errs.Newf(op, errs.Invalid, "the context has more than %d values of %s", maxSimulatedValues, key)
		}
	}
	return out, nil
}

// cutFold is strings.CutPrefix without regard to case.
func cutFold(s, prefix string) (string, bool) {
	if len(s) < len(prefix) || !strings.EqualFold(s[:len(prefix)], prefix) {
		return "", false
	}
	return s[len(prefix):], true
}

// simulateAdmin decides about a call of the admin API.
func (s *service) simulateAdmin(id *iam.Identity, name string, facts map[string][]string,
	out *adminpb.Simulation) error {
	procedure := "/" + adminpbconnect.AdminServiceName + "/"
	for _, m := range methods() {
		if strings.EqualFold(m, name) {
			name, procedure = m, procedure+m
		}
	}
	to := rightTo(procedure)
	if to == 0 {
		return errs.Newf("admin.SimulatePolicy", errs.Invalid,
			"%q is no action of the admin API, such as admin:ListBuckets", out.Action)
	}
	if out.Resource == "" {
		out.Resource = anything
	}
	out.Action = iam.AdminService + name
	why := &iam.Why{}
	if id == nil {
		out.Reason = "not allowed: the admin API answers no anonymous caller"
		return nil
	}
	asked := func(key string) ([]string, bool) {
		v, ok := facts[key]
		if !ok && !slices.Contains(out.MissingContext, key) {
			out.MissingContext = append(out.MissingContext, key)
		}
		return v, ok
	}
	if err := s.c.may(id, name, to, out.Resource, asked, why); err != nil && !why.Spoke() {
		out.Reason = "not allowed: " + errs.Sentence(err)
		return nil
	}
	say(out, why)
	return nil
}

// methods returns the names of the methods of the admin API.
func methods() []string {
	all := adminpb.File_admin_proto.Services().Get(0).Methods()
	out := make([]string, all.Len())
	for i := range out {
		out[i] = string(all.Get(i).Name())
	}
	return out
}

// simulateS3 decides about a request to the S3 API.
func (s *service) simulateS3(ctx context.Context, id *iam.Identity, facts map[string][]string,
	out *adminpb.Simulation) error {
	action, ok := lang.S3Action(out.Action)
	if !ok {
		return errs.Newf("admin.SimulatePolicy", errs.Invalid, "%q is no action that can be simulated: "+
			"use one of S3, such as s3:GetObject, or of the admin API, such as admin:ListBuckets", out.Action)
	}
	in := &s3api.Supposed{Identity: id, Action: action, Facts: facts}
	var err error
	if in.Bucket, in.Key, in.VersionID, err = parseResource(out.Resource); err != nil {
		return err
	}
	out.Action, out.Resource = action, arnOf(in)
	got, err := s.c.Simulator.Simulate(ctx, in)
	if err != nil {
		return err
	}
	ours := got.Owner != "" && owns(ctx, got.Owner)
	if !ours {
		got.Why.Conceal(iam.BucketPolicy)
	}
	say(out, got.Why)
	out.MissingContext = got.Asked
	if got.Absent && (ours || got.MayList) {
		out.Note = absentNote(got.MayList)
	}
	return nil
}

// absentNote says what else happens to a request for an object that is not there.
func absentNote(mayList bool) string {
	note := "there is no such object: this is about one of the bucket's owner, without tags and ACL; "
	if mayList {
		return note + "the caller, who may list the bucket, is told that there is none (404)"
	}
	return note + "the caller, who may not list the bucket, is refused (403) either way"
}

// versionParameter separates a key from the id of a version. The key is percent-encoded then.
const versionParameter = "?versionId="

// parseResource reads s3://BUCKET/KEY, arn:aws:s3:::BUCKET/KEY or BUCKET/KEY. Errors: Invalid.
func parseResource(text string) (bucket, key, version string, err error) {
	rest := text
	for _, prefix := range []string{"s3://", lang.BucketARN("")} {
		if cut, ok := strings.CutPrefix(text, prefix); ok {
			rest = cut
		}
	}
	if rest == "" || rest == anything {
		return "", "", "", nil
	}
	if i := strings.LastIndex(rest, versionParameter); i >= 0 {
		version = rest[i+len(versionParameter):]
		if rest, err = url.PathUnescape(rest[:i]); err != nil {
			return "", "", "", errs.Newf("admin.parseResource", errs.Invalid,
				"%q is no resource: with a version the key is percent-encoded, and this one is not", text)
		}
	}
	bucket, key, _ = strings.Cut(rest, "/")
	if bucket == "" || strings.Contains(bucket, ":") {
		return "", "", "", errs.Newf("admin.parseResource", errs.Invalid,
			"%q is no resource of S3: use s3://BUCKET/KEY, s3://BUCKET or arn:aws:s3:::BUCKET/KEY", text)
	}
	return bucket, key, version, nil
}

// arnOf returns the resource of a request, as policies name it.
func arnOf(in *s3api.Supposed) string {
	switch {
	case in.Bucket == "":
		return lang.AllBuckets
	case in.Key == "":
		return lang.BucketARN(in.Bucket)
	}
	return lang.ObjectARN(in.Bucket, in.Key)
}

// say fills in the decision.
func say(out *adminpb.Simulation, why *iam.Why) {
	source := func(v iam.Source) *adminpb.DecisionSource {
		return &adminpb.DecisionSource{Kind: string(v.Kind), Policy: v.Policy, Holder: v.Holder, Statement: uint32(v.Number),
			Sid: v.Sid, Effect: v.Effect.String(), Overruled: v.Overruled, Note: v.Note}
	}
	out.Allowed, out.Reason = why.Allowed(), why.String()
	out.DecidedBy, out.Considered = each(why.Deciding(), source), each(why.Said, source)
}
