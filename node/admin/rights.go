package admin

import (
	"context"
	"errors"
	"strings"
	"time"

	"connectrpc.com/connect"

	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/node/admin/adminpb/adminpbconnect"
	"github.com/cairnstore/cairn/s3api/iam"
)

// right says who may call a method. Users and roles of those accounts also need a policy that allows it.
// Nobody may call a method with the zero right, so one that is forgotten here is closed and not open.
type right int

const (
	// ofCluster is for whoever administers the cluster.
	ofCluster right = iota + 1
	// ofAccount is also for the root of an account, for what is in its account. The method must check
	// that: account and owns do.
	ofAccount
)

// rightTo returns who may call a method.
func rightTo(procedure string) right {
	switch procedure {
	case adminpbconnect.AdminServiceStatusProcedure,
		adminpbconnect.AdminServiceListSettingsProcedure,
		adminpbconnect.AdminServiceShowSettingProcedure, adminpbconnect.AdminServiceSetSettingProcedure,
		adminpbconnect.AdminServiceResetSettingProcedure,
		adminpbconnect.AdminServiceListEventTargetsProcedure, adminpbconnect.AdminServiceSetEventTargetProcedure,
		adminpbconnect.AdminServiceRemoveEventTargetProcedure, adminpbconnect.AdminServiceTestEventTargetProcedure,
		adminpbconnect.AdminServiceAddOIDCProviderProcedure, adminpbconnect.AdminServiceListIdentityProvidersProcedure,
		adminpbconnect.AdminServiceShowIdentityProviderProcedure,
		adminpbconnect.AdminServiceRemoveIdentityProviderProcedure,
		adminpbconnect.AdminServiceSetLimitProcedure, adminpbconnect.AdminServiceClearLimitProcedure,
		adminpbconnect.AdminServiceListLimitsProcedure, adminpbconnect.AdminServiceListTakenProcedure,
		adminpbconnect.AdminServiceAddAccountProcedure, adminpbconnect.AdminServiceListAccountsProcedure,
		adminpbconnect.AdminServiceSetAccountDisabledProcedure, adminpbconnect.AdminServiceSetAccountBucketsProcedure,
		adminpbconnect.AdminServiceRemoveAccountProcedure,
		adminpbconnect.AdminServiceStatObjectProcedure,
		adminpbconnect.AdminServiceShowHealthProcedure,
		adminpbconnect.AdminServiceListNodesProcedure, adminpbconnect.AdminServiceShowNodeProcedure,
		adminpbconnect.AdminServiceListDrivesProcedure, adminpbconnect.AdminServiceShowDriveProcedure,
		adminpbconnect.AdminServiceListVolumesProcedure, adminpbconnect.AdminServiceShowVolumeProcedure,
		adminpbconnect.AdminServiceShowPlanProcedure,
		adminpbconnect.AdminServiceDrainNodeProcedure, adminpbconnect.AdminServiceUndrainNodeProcedure, adminpbconnect.AdminServiceRemoveNodeProcedure, adminpbconnect.AdminServiceUnseatNodeProcedure,
		adminpbconnect.AdminServiceDrainDriveProcedure, adminpbconnect.AdminServiceUndrainDriveProcedure, adminpbconnect.AdminServiceRemoveDriveProcedure,
		adminpbconnect.AdminServiceListJobsProcedure, adminpbconnect.AdminServicePauseJobProcedure, adminpbconnect.AdminServiceResumeJobProcedure,
		adminpbconnect.AdminServiceRunJobProcedure,
		adminpbconnect.AdminServiceBackupMetadataProcedure, adminpbconnect.AdminServiceReleaseOrphansProcedure, adminpbconnect.AdminServiceRepairClockProcedure,
		adminpbconnect.AdminServiceTraceProcedure, adminpbconnect.AdminServiceListLoadProcedure,
		adminpbconnect.AdminServiceShowHistoryProcedure,
		adminpbconnect.AdminServiceListLogLevelsProcedure, adminpbconnect.AdminServiceSetLogLevelProcedure,
		adminpbconnect.AdminServiceListLogsProcedure, adminpbconnect.AdminServiceCollectSupportProcedure:
		return ofCluster
	case adminpbconnect.AdminServiceShowAccountProcedure,
		adminpbconnect.AdminServiceAddUserProcedure, adminpbconnect.AdminServiceListUsersProcedure,
		adminpbconnect.AdminServiceShowUserProcedure, adminpbconnect.AdminServiceSetUserDisabledProcedure,
		adminpbconnect.AdminServiceRemoveUserProcedure,
		adminpbconnect.AdminServiceAddGroupProcedure, adminpbconnect.AdminServiceListGroupsProcedure,
		adminpbconnect.AdminServiceShowGroupProcedure, adminpbconnect.AdminServiceSetGroupMemberProcedure,
		adminpbconnect.AdminServiceRemoveGroupProcedure,
		adminpbconnect.AdminServiceAddRoleProcedure, adminpbconnect.AdminServiceListRolesProcedure,
		adminpbconnect.AdminServiceShowRoleProcedure, adminpbconnect.AdminServiceRemoveRoleProcedure,
		adminpbconnect.AdminServiceAddPolicyProcedure, adminpbconnect.AdminServiceListPoliciesProcedure,
		adminpbconnect.AdminServiceShowPolicyProcedure, adminpbconnect.AdminServiceSetPolicyAttachedProcedure,
		adminpbconnect.AdminServiceRemovePolicyProcedure, adminpbconnect.AdminServiceSimulatePolicyProcedure,
		adminpbconnect.AdminServiceAddAccessKeyProcedure, adminpbconnect.AdminServiceListAccessKeysProcedure,
		adminpbconnect.AdminServiceShowAccessKeyProcedure, adminpbconnect.AdminServiceSetAccessKeyDisabledProcedure,
		adminpbconnect.AdminServiceRemoveAccessKeyProcedure,
		adminpbconnect.AdminServiceCreateMasterKeyProcedure, adminpbconnect.AdminServiceListMasterKeysProcedure,
		adminpbconnect.AdminServiceShowMasterKeyProcedure, adminpbconnect.AdminServiceChangeMasterKeyProcedure,
		adminpbconnect.AdminServiceSetKeyAliasProcedure, adminpbconnect.AdminServiceRemoveKeyAliasProcedure,
		adminpbconnect.AdminServiceListBucketsProcedure, adminpbconnect.AdminServiceShowBucketProcedure,
		adminpbconnect.AdminServiceSimulateLifecycleProcedure,
		adminpbconnect.AdminServiceListUploadsProcedure, adminpbconnect.AdminServiceShowUploadProcedure,
		adminpbconnect.AdminServiceAbortUploadProcedure:
		return ofAccount
	}
	return 0
}

// changes reports whether a method changes something, or lets somebody watch; such calls are logged. A
// method counts as one of these unless its name begins like that of a method that only reads.
func changes(procedure string) bool {
	name := method(procedure)
	for _, prefix := range []string{"List", "Show", "Simulate", "Stat"} { // "Stat" stands for Status as well.
		if strings.HasPrefix(name, prefix) {
			return false
		}
	}
	return true
}

// knownMethod returns the method of a path that nobody has checked; empty if there is no such method. So
// a client without a valid signature cannot choose the text that Config.Done is told.
func knownMethod(procedure string) string {
	if rightTo(procedure) == 0 {
		return ""
	}
	return method(procedure)
}

func method(procedure string) string { return procedure[strings.LastIndexByte(procedure, '/')+1:] }

// guard refuses calls that the caller may not make, and tells Config.Done of every call.
type guard struct{ c Config }

var _ connect.Interceptor = (*guard)(nil)

// WrapUnary implements connect.Interceptor.
func (g *guard) WrapUnary(next connect.UnaryFunc) connect.UnaryFunc {
	return func(ctx context.Context, req connect.AnyRequest) (connect.AnyResponse, error) {
		start, procedure := time.Now(), req.Spec().Procedure
		asked := questionOf(ctx)
		var resp connect.AnyResponse
		err := g.mayCall(ctx, asked, procedure, req.Any())
		if err == nil {
			resp, err = next(ctx, req)
			err = plain(err)
		}
		call := &Call{Method: method(procedure), Changes: changes(procedure), Subject: subject(req.Any()), Duration: time.Since(start)}
		g.c.done(asked, call, err)
		return resp, err
	}
}

// plain returns an error of the same kind whose text is the innermost sentence, without the operations
// on the way to it. The person who typed the command reads it.
func plain(err error) error {
	var e *errs.Error
	if !errors.As(err, &e) {
		return err
	}
	kind := e.Kind
	for {
		inner, ok := e.Cause.(*errs.Error)
		if !ok {
			return errs.New(e.Op, kind, e.Cause)
		}
		e = inner
	}
}

// WrapStreamingClient implements connect.Interceptor.
func (*guard) WrapStreamingClient(next connect.StreamingClientFunc) connect.StreamingClientFunc {
	return next
}

// WrapStreamingHandler implements connect.Interceptor. It tells of a stream once its request is read and
// not when the stream ends, because a stream may go on for days.
func (g *guard) WrapStreamingHandler(next connect.StreamingHandlerFunc) connect.StreamingHandlerFunc {
	return func(ctx context.Context, conn connect.StreamingHandlerConn) error {
		asked, procedure := questionOf(ctx), conn.Spec().Procedure
		call := &Call{Method: method(procedure), Changes: changes(procedure)}
		if err := g.mayCall(ctx, asked, procedure, nil); err != nil {
			g.c.done(asked, call, err)
			return err
		}
		return plain(next(ctx, &toldConn{conn, func(req any) {
			call.Subject = subject(req)
			g.c.done(asked, call, nil)
		}}))
	}
}

// toldConn is a stream that calls began when its request is read.
type toldConn struct {
	connect.StreamingHandlerConn
	began func(req any)
}

// Receive implements connect.StreamingHandlerConn.
func (c *toldConn) Receive(m any) error {
	err := c.StreamingHandlerConn.Receive(m)
	if err == nil {
		c.began(m)
	}
	return err
}

// mayCall returns nil if the caller may call a method. Otherwise it returns an error of kind Denied that
// says why not, or an error of the metadata. The resources of the request matter only for users and
// roles; policies must allow every one of them.
func (g *guard) mayCall(ctx context.Context, asked *question, procedure string, req any) error {
	const op = "admin.mayCall"
	id, to := asked.caller, rightTo(procedure)
	switch {
	case to == 0:
		return errs.Newf(op, errs.Denied, "%s is nobody's to call", method(procedure))
	case id == nil:
		return errs.Newf(op, errs.Denied, "the access key belongs to no account")
	case id.SessionPolicy != nil:
		return errs.Newf(op, errs.Denied, "a session that was scoped down by a policy cannot administer anything")
	case ofOneself(id, req):
		return nil
	case id.Admin || id.Root:
		return g.c.may(id, method(procedure), to, "", nil, nil)
	}
	resources, err := (&service{c: g.c}).resources(ctx, method(procedure), req)
	if err != nil {
		return err
	}
	for _, resource := range resources {
		if err := g.c.may(id, method(procedure), to, resource, asked.facts, nil); err != nil {
			return err
		}
	}
	asked.ofCluster = to == ofCluster
	return nil
}

// may decides whether an identity may call a method that is about a resource. It returns nil, or an
// error of kind Denied that says why not. why is told how that comes about; nil: nobody asks.
func (c *Config) may(id *iam.Identity, method string, to right, resource string, facts func(string) ([]string, bool),
	why *iam.Why) error {
	const op = "admin.may"
	switch {
	case id.Admin || id.Root && to == ofAccount:
		why.Root(id)
		return nil
	case id.Root:
		return errs.Newf(op, errs.Denied, "account %s does not administer the cluster", id.AccountName)
	case !c.Rights.AllowsAdmin(id, method, to == ofCluster, resource, facts, why):
		return errs.Newf(op, errs.Denied, "no policy allows %s the action admin:%s on %s%s", id.ARN(), method, resource,
			whose(to))
	}
	return nil
}

// whose completes a refusal: it says in words if users of other accounts can never have the right.
func whose(to right) string {
	if to == ofCluster {
		return ", which only users of an account that administers the cluster can have"
	}
	return ""
}

// question says who makes a request, and what is known of the request.
type question struct {
	id     string
	caller *iam.Identity // Nil for a credential that belongs to no account.
	facts  func(key string) ([]string, bool)
	// ofCluster says that a policy lets the caller do this to the whole cluster.
	ofCluster bool
}

type questionKey struct{}

func (q *question) context(ctx context.Context) context.Context {
	return context.WithValue(ctx, questionKey{}, q)
}

func questionOf(ctx context.Context) *question {
	if q, ok := ctx.Value(questionKey{}).(*question); ok {
		return q
	}
	return &question{}
}

// directory returns the directory as the caller may change it.
func (s *service) directory(ctx context.Context) Directory { return s.c.Directory(caller(ctx)) }

// caller returns who makes the request. It is nil for a credential that belongs to no account, but
// mayCall refuses that, so methods never see nil.
func caller(ctx context.Context) *iam.Identity { return questionOf(ctx).caller }

// administers reports whether the caller may do to any account what it asks for.
func administers(ctx context.Context) bool {
	q := questionOf(ctx)
	return q.caller.Admin || q.ofCluster
}

// account returns the id of the account that a request names, or that of the caller if it names none.
// Errors: Denied if the caller may not manage it, NotFound. Denied comes before the account is looked up,
// so that nobody learns which accounts there are.
func (s *service) account(ctx context.Context, named string) (string, error) {
	id := caller(ctx)
	switch {
	case named == "" || named == id.Account || named == id.AccountName:
		return id.Account, nil
	case !administers(ctx):
		return "", errs.Newf("admin.account", errs.Denied, "account %s can manage itself alone, not %s", id.AccountName, named)
	}
	a, err := s.directory(ctx).Account(ctx, named)
	return a.GetId(), err
}

// owns reports whether the caller may manage what belongs to an account.
func owns(ctx context.Context, account string) bool {
	return administers(ctx) || caller(ctx).Account == account
}
