package admin

import (
	"cmp"
	"context"
	"slices"

	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/node/admin/adminpb"
	"github.com/cairnstore/cairn/s3api/iam"
	"github.com/cairnstore/cairn/s3api/limit"
)

// Limits changes what callers may take. iam.Admin implements it.
type Limits interface {
	SetLimit(ctx context.Context, of limit.Subject, values map[limit.Measure]uint64) (iam.Limit, error)
	ClearLimit(ctx context.Context, of limit.Subject) error
	Limits(ctx context.Context) ([]iam.Limit, error)
}

var _ Limits = (*iam.Admin)(nil)

// takenDefault and takenMax bound how many rows ListTaken answers.
const takenDefault, takenMax = 20, 2000

// SetLimit implements AdminService.
func (s *service) SetLimit(ctx context.Context, r *adminpb.SetLimitRequest) (*adminpb.Limit, error) {
	const op = "admin.SetLimit"
	of, err := s.subjectOf(ctx, r.Of)
	if err != nil {
		return nil, err
	}
	if len(r.Values) == 0 {
		return nil, errs.Newf(op, errs.Invalid, "the request names nothing to limit")
	}
	values := make(map[limit.Measure]uint64, len(r.Values))
	for _, v := range r.Values {
		m, ok := limit.ParseMeasure(v.Measure)
		if !ok {
			return nil, errs.Newf(op, errs.Invalid, "%q cannot be limited", v.Measure)
		}
		values[m] = v.Value
	}
	l, err := s.c.Limits.SetLimit(ctx, of, values)
	if err != nil {
		return nil, err
	}
	return limitOf(&l), nil
}

// ClearLimit implements AdminService.
func (s *service) ClearLimit(ctx context.Context, r *adminpb.LimitRef) (*adminpb.Removed, error) {
	of, err := s.subjectOf(ctx, r)
	if errs.Is(err, errs.NotFound) { // The bucket is gone: its limit may still be there.
		of, err = s.limitOfLostBucket(ctx, r.Bucket, err)
	}
	if err != nil {
		return nil, err
	}
	return removed(s.c.Limits.ClearLimit(ctx, of))
}

func (s *service) limitOfLostBucket(ctx context.Context, bucket string, notFound error) (limit.Subject, error) {
	all, err := s.c.Limits.Limits(ctx)
	if err != nil {
		return limit.Subject{}, err
	}
	for _, l := range all {
		if bucket != "" && l.Of.Bucket == bucket {
			return l.Of, nil
		}
	}
	return limit.Subject{}, notFound
}

// subjectOf returns whom a reference names. Errors: Invalid; NotFound, for a bucket.
func (s *service) subjectOf(ctx context.Context, r *adminpb.LimitRef) (limit.Subject, error) {
	const op = "admin.subjectOf"
	of := limit.Subject{Account: r.GetAccount(), User: r.GetUser(), AccessKey: r.GetAccessKey(), Bucket: r.GetBucket()}
	named := 0
	for _, name := range []string{of.User, of.AccessKey, of.Bucket} {
		if name != "" {
			named++
		}
	}
	switch {
	case named > 1:
		return of, errs.Newf(op, errs.Invalid,
			"a limit is for one thing: an account, a user, an access key or a bucket")
	case named == 0 && of.Account == "":
		return of, errs.Newf(op, errs.Invalid, "the request does not name whom the limit is for")
	case of.User != "" && of.Account == "":
		of.Account = caller(ctx).Account
	case of.Bucket != "":
		q := &metapb.Query{Op: &metapb.Query_Bucket{Bucket: &metapb.GetBucket{Name: of.Bucket}}}
		a, err := s.c.Metadata.Read(ctx, q)
		if err != nil {
			return of, err
		}
		if a.Refusal != metapb.Refusal_REFUSAL_NONE {
			return of, noBucket(of.Bucket)
		}
		of.Account = a.GetBucket().GetOwner()
	}
	return of, nil
}

// limitOf returns a limit as the API tells it.
func limitOf(l *iam.Limit) *adminpb.Limit {
	out := &adminpb.Limit{Of: l.Of.Kind(), Account: l.Of.Account, AccountName: l.AccountName, Name: l.Of.Part()}
	for m, v := range l.Values {
		if v > 0 {
			out.Values = append(out.Values, &adminpb.LimitValue{Measure: limit.Measure(m).String(), Value: v})
		}
	}
	return out
}

// ListLimits implements AdminService.
func (s *service) ListLimits(ctx context.Context, r *adminpb.ListLimitsRequest) (*adminpb.Limits, error) {
	all, err := s.c.Limits.Limits(ctx)
	if err != nil {
		return nil, err
	}
	wanted := func(l *iam.Limit) bool {
		of := r.GetOf()
		return (of.GetAccount() == "" || of.Account == l.Of.Account || of.Account == l.AccountName) &&
			(of.GetUser() == "" || of.User == l.Of.User) &&
			(of.GetAccessKey() == "" || of.AccessKey == l.Of.AccessKey) &&
			(of.GetBucket() == "" || of.Bucket == l.Of.Bucket)
	}
	reports, failed, err := s.limitReports(ctx, &adminpb.LimitReportRequest{All: true})
	if err != nil {
		return nil, err
	}
	type sum struct{ taken, refused float64 }
	sums := map[limit.LoadOf]sum{}
	for _, report := range reports {
		for _, l := range report.Loads {
			of := limit.LoadOf{Name: l.Name, Measure: limit.Measure(l.Measure)}
			sums[of] = sum{sums[of].taken + l.Rate, sums[of].refused + l.Refused}
		}
	}
	out := &adminpb.Limits{Errors: failed}
	for i := range all {
		if !wanted(&all[i]) {
			continue
		}
		l := limitOf(&all[i])
		for _, v := range l.Values {
			m, _ := limit.ParseMeasure(v.Measure)
			now := sums[limit.LoadOf{Name: all[i].Of.Name(), Measure: m}]
			v.Taken, v.Refused = now.taken, now.refused
		}
		out.Limits = append(out.Limits, l)
	}
	return out, nil
}

// ListTaken implements AdminService.
func (s *service) ListTaken(ctx context.Context, r *adminpb.ListTakenRequest) (*adminpb.TakenList, error) {
	reports, failed, err := s.limitReports(ctx, &adminpb.LimitReportRequest{Taken: true})
	if err != nil {
		return nil, err
	}
	sums := map[string]*adminpb.Taken{}
	for _, report := range reports {
		for _, t := range report.Taken {
			of, err := limit.ParseName(t.Name)
			if err != nil {
				continue
			}
			sum := sums[t.Name]
			if sum == nil {
				sum = &adminpb.Taken{Of: of.Kind(), Account: of.Account, Name: of.Part()}
				sum.AccountName = s.c.AccountName(of.Account)
				sums[t.Name] = sum
			}
			sum.Requests += t.Requests
			sum.Refused += t.Refused
			sum.BytesIn += t.BytesIn
			sum.BytesOut += t.BytesOut
		}
	}
	out := &adminpb.TakenList{Errors: failed}
	for _, t := range sums {
		out.Taken = append(out.Taken, t)
	}
	slices.SortFunc(out.Taken, func(a, b *adminpb.Taken) int {
		return cmp.Or(cmp.Compare(b.Requests, a.Requests), cmp.Compare(b.BytesIn+b.BytesOut, a.BytesIn+a.BytesOut),
			cmp.Compare(a.Of, b.Of), cmp.Compare(a.Account, b.Account), cmp.Compare(a.Name, b.Name))
	})
	most := min(takenMax, int(cmp.Or(r.Max, takenDefault)))
	out.Taken = out.Taken[:min(len(out.Taken), most)]
	return out, nil
}

// limitReports asks all nodes, and returns what they answer and a sentence for each that does not.
func (s *service) limitReports(ctx context.Context, r *adminpb.LimitReportRequest) (
	reports []*adminpb.LimitReport, failed []string, _ error) {
	nodes, err := s.nodesNamed(ctx, "")
	if err != nil {
		return nil, nil, err
	}
	of := func(ctx context.Context, p Peer) (*adminpb.LimitReport, error) { return p.Limits(ctx, r) }
	for _, a := range ask(ctx, s, nodes, of) {
		if a.err != nil {
			failed = append(failed, "node "+a.node.ID.String()+": "+a.why())
			continue
		}
		reports = append(reports, a.got)
	}
	return reports, failed, nil
}
