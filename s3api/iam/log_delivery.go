package iam

import (
	"time"

	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/s3api/bucket"
	"github.com/cairnstore/cairn/s3api/policy"
)

// LogDelivery is the principal of the service that delivers access logs, as policies name it.
const LogDelivery = "logging.s3.amazonaws.com"

// logSession is the name of the session in which an agency delivers logs.
const logSession = "log-delivery"

// Logs is one object of access logs, of one bucket, that is to be written into another bucket.
type Logs struct {
	Source string         // The bucket whose requests are logged.
	Owner  string         // Account of the source bucket, which is that of the target too.
	Target *bucket.Bucket // Where the logs go.
	Key    string
	Agency string // Role of the account that delivers the logs; empty: no role does.
	// ReadACP says that WRITE in the target's ACL counts only together with READ_ACP, as at OBS.
	ReadACP bool
}

// DeliversLogs decides whether logs may be delivered. One of these is enough: the target's ACL
// gives WRITE to the group of log delivery; the target's policy allows the service of log delivery
// to put the object; or the agency is a role that trusts this service and may put the object. If
// the target's policy denies it, nothing else counts.
func (z *Authorizer) DeliversLogs(l *Logs) bool {
	r := &policy.Request{Action: "s3:PutObject", Resource: policy.ObjectARN(l.Target.Name, l.Key),
		Principal: policy.Principal{Service: LogDelivery}, Conditions: l.facts}
	effect := policy.None
	switch {
	case l.Target.Broken():
		return false
	case l.Target.Policy != nil:
		effect = policy.Evaluate(l.Target.Policy, r)
	}
	switch {
	case effect == policy.Deny:
		return false
	case effect == policy.Allow, l.granted():
		return true
	}
	return l.Agency != "" && z.agencyDelivers(l)
}

// granted reports whether the target's ACL lets the group of log delivery write.
func (l *Logs) granted() bool {
	acl := l.Target.EffectiveACL(l.Target.ACL)
	return groupHas(acl, metapb.Permission_PERMISSION_WRITE) && (!l.ReadACP || groupHas(acl, metapb.Permission_PERMISSION_READ_ACP))
}

// agencyDelivers reports whether the agency is a role that trusts the service of log delivery and
// may put the object.
func (z *Authorizer) agencyDelivers(l *Logs) bool {
	role := z.directory.current.Load().roles.get(path(l.Owner, l.Agency))
	if role == nil || role.trust == nil {
		return false
	}
	trust := policy.Evaluate(role.trust, &policy.Request{Action: "sts:AssumeRole", Resource: roleARN(l.Owner, l.Agency),
		Principal: policy.Principal{Service: LogDelivery}, Conditions: l.facts})
	return trust == policy.Allow && z.Allows(&Access{Identity: &Identity{Account: l.Owner, Role: l.Agency, SessionName: logSession},
		Action: "s3:PutObject", Bucket: l.Target, Key: l.Key, Conditions: l.facts})
}

// facts returns what conditions of policies can ask of a delivery.
func (l *Logs) facts(key string) ([]string, bool) {
	now := time.Now().UTC()
	switch key {
	case policy.KeySourceARN:
		return []string{policy.BucketARN(l.Source)}, true
	case policy.KeySourceAccount:
		return []string{l.Owner}, true
	case policy.KeyResourceAccount:
		return []string{l.Target.Owner}, true
	case policy.KeySecureTransport:
		return []string{"true"}, true // It travels only between nodes, which is encrypted.
	case policy.KeyCurrentTime:
		return []string{now.Format(time.RFC3339)}, true
	}
	return nil, false
}

// groupHas reports whether an ACL gives the group of log delivery a permission.
func groupHas(acl *metapb.Acl, want metapb.Permission) bool {
	for _, g := range acl.GetGrants() {
		if g.Group == metapb.GranteeGroup_GRANTEE_LOG_DELIVERY && (g.Permission == want || g.Permission == metapb.Permission_PERMISSION_FULL_CONTROL) {
			return true
		}
	}
	return false
}
