package admin

import (
	"cmp"
	"context"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/s3api/kms"
	lang "github.com/cairnstore/cairn/s3api/policy"
)

// anything is the resource of a call that is about the whole cluster.
const anything = "*"

// resources returns the resources that a call is about, as policies name them. A caller needs a policy
// for each. Something that is not there gets a name as if it were, so that only a caller who may see it
// learns that it is not there. A method without a case here is about the whole cluster, for which only
// a policy for every resource will do. Errors: Denied if the account that is named is not the caller's
// to manage, and those of the metadata.
func (s *service) resources(ctx context.Context, method string, req any) ([]string, error) {
	m, _ := req.(proto.Message)
	ask := asking{ctx, s, m}
	switch method {
	case "SetAccountDisabled", "SetAccountBuckets", "RemoveAccount":
		return ask.anyAccount()
	case "ShowAccount":
		return ask.entries("root", "")
	case "AddUser", "ShowUser", "SetUserDisabled", "RemoveUser":
		return ask.entries("user/", "name")
	case "AddGroup", "ShowGroup", "RemoveGroup":
		return ask.entries("group/", "name")
	case "SetGroupMember":
		return ask.entries("group/", "name", "user/", "user")
	case "AddRole", "ShowRole", "RemoveRole":
		return ask.entries("role/", "name")
	case "AddPolicy", "ShowPolicy", "RemovePolicy":
		return ask.entries("policy/", "name")
	case "SetPolicyAttached":
		return ask.entries("policy/", "name", "user/", "user", "group/", "group", "role/", "role")
	case "ListUsers":
		return ask.entries("user/*", "")
	case "ListGroups":
		return ask.entries("group/*", "")
	case "ListRoles":
		return ask.entries("role/*", "")
	case "ListPolicies":
		return ask.entries("policy/*", "")
	case "AddAccessKey":
		if ask.text("user") == "" {
			return ask.entries("root", "")
		}
		return ask.entries("user/", "user")
	case "SimulatePolicy":
		return ask.entries("user/*", "")
	case "ListAccessKeys":
		if ask.text("user") == "" {
			return ask.entries("user/*", "")
		}
		return ask.entries("user/", "user")
	case "ShowAccessKey", "SetAccessKeyDisabled", "RemoveAccessKey":
		return ask.accessKey()
	case "CreateMasterKey", "ListMasterKeys", "ShowMasterKey", "ChangeMasterKey", "SetKeyAlias", "RemoveKeyAlias":
		return ask.masterKey(method)
	case "ListBuckets", "ListUploads", "ShowBucket", "SimulateLifecycle", "ShowUpload", "AbortUpload":
		return ask.bucket()
	}
	return []string{anything}, nil
}

// absent reports whether an error says that what was named is not there, or that nothing can have such
// a name.
func absent(err error) bool { return errs.Is(err, errs.NotFound) || errs.Is(err, errs.Invalid) }

// asking is a call whose resources are looked up.
type asking struct {
	ctx context.Context
	s   *service
	m   proto.Message // Nil for a stream whose request is not there yet.
}

// text returns a field of the request; empty where the request has no such field.
func (a asking) text(name protoreflect.Name) string {
	if a.m == nil {
		return ""
	}
	r := a.m.ProtoReflect()
	f := r.Descriptor().Fields().ByName(name)
	if f == nil || f.Kind() != protoreflect.StringKind || f.IsList() {
		return ""
	}
	return r.Get(f).String()
}

func iamARN(account, name string) string { return "arn:aws:iam::" + account + ":" + name }

// entries returns the names of entries of the account that the request names. A pair of arguments gives
// one entry: the beginning of its name, and the field of the request with the rest of it. A pair whose
// field is empty adds nothing, unless it is the first.
func (a asking) entries(pairs ...string) ([]string, error) {
	account, err := a.s.account(a.ctx, a.text("account"))
	if err != nil {
		return nil, err
	}
	var out []string
	for i := 0; i < len(pairs); i += 2 {
		if name := a.text(protoreflect.Name(pairs[i+1])); i == 0 || name != "" {
			out = append(out, iamARN(account, pairs[i]+name))
		}
	}
	return out, nil
}

// anyAccount returns the root of the account that the request names. Whether the caller may manage that
// account is not checked: only whoever administers the cluster may call the methods that come here.
func (a asking) anyAccount() ([]string, error) {
	name := a.text("account")
	found, err := a.s.directory(a.ctx).Account(a.ctx, name)
	if err != nil && !absent(err) {
		return nil, err
	}
	if err == nil {
		name = found.Id
	}
	return []string{iamARN(name, "root")}, nil
}

// accessKey returns the user or account that has an access key. A key of another account and one that
// is not there are both answered by all users of the caller's account.
func (a asking) accessKey() ([]string, error) {
	account := caller(a.ctx).Account
	k, err := a.s.accessKey(a.ctx, a.text("id"))
	switch {
	case absent(err):
		return []string{iamARN(account, "user/*")}, nil
	case err != nil:
		return nil, err
	case k.User == "":
		return []string{iamARN(k.Account, "root")}, nil
	}
	return []string{iamARN(k.Account, "user/"+k.User)}, nil
}

// masterKey returns the key of the key service that the call is about, and the alias that it gives or
// takes away. A key that is not there is named by the id in the request.
func (a asking) masterKey(method string) ([]string, error) {
	account, err := a.s.account(a.ctx, a.text("account"))
	if err != nil {
		return nil, err
	}
	key := kms.AnswerID(a.s.c.Region, account, cmp.Or(a.text("id"), "*"))
	if method == "ShowMasterKey" || method == "ChangeMasterKey" || method == "SetKeyAlias" {
		k, err := a.s.masterKey(a.ctx, a.text("id"))
		if err != nil && !absent(err) {
			return nil, err
		}
		if err == nil {
			key = k.ARN
		}
	}
	alias := a.text("alias")
	if alias == "" {
		return []string{key}, nil
	}
	named := kms.KeyName{Region: a.s.c.Region, Account: account, Alias: alias}.String()
	if method == "RemoveKeyAlias" {
		return []string{named}, nil
	}
	return []string{key, named}, nil
}

// bucket returns the bucket that the call is about, or the object whose upload it is about. It returns
// all buckets if the request names nothing, or an upload that is not there.
func (a asking) bucket() ([]string, error) {
	switch name := a.text("name") + a.text("bucket"); {
	case name != "":
		return []string{lang.BucketARN(name)}, nil
	case a.text("id") == "":
		return []string{lang.AllBuckets}, nil
	}
	u, err := a.s.upload(a.ctx, a.text("id"))
	if absent(err) {
		return []string{lang.AllBuckets}, nil
	}
	if err != nil {
		return nil, err
	}
	return []string{lang.ObjectARN(u.Bucket, u.Key)}, nil
}
