package iam

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/s3api/bucket"
	"github.com/cairnstore/cairn/s3api/policy"
)

var (
	drawnAccounts   = []string{"a", "b", "c"}
	drawnPrincipals = []string{"*", "a", "b", "a:user/u", "b:user/u", "b:user/v", "a:role/r", "c:role/r"}
	bucketDeeds     = []string{"s3:ListBucket", "s3:GetBucketAcl", "s3:PutBucketAcl", "s3:DeleteBucket", "s3:PutBucketPolicy", "s3:DeleteBucketPolicy"}
	keyDeeds        = []string{"s3:PutObject", "s3:DeleteObject", "s3:DeleteObjectVersion"}
	versionDeeds    = []string{"s3:GetObject", "s3:GetObjectVersion", "s3:GetObjectAcl", "s3:PutObjectAcl", "s3:RestoreObject"}
	drawnActions    = append(append(append([]string{"s3:*", "s3:*"}, bucketDeeds...), keyDeeds...), versionDeeds...)
	drawnKeys       = []string{"", "*", "*", "x/*", "y/*"}
)

func some(t *rapid.T, from []string, least, most int, label string) []string {
	return rapid.SliceOfN(rapid.SampledFrom(from), least, most).Draw(t, label)
}

func drawRules(t *rapid.T, principals bool, label string) []rule {
	return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) rule {
		r := rule{Deny: rapid.IntRange(0, 3).Draw(t, "deny") == 0, Actions: some(t, drawnActions, 1, 4, "actions"), Keys: some(t, drawnKeys, 1, 2, "keys")}
		if principals {
			r.Principals = some(t, drawnPrincipals, 1, 2, "principals")
		}
		switch rapid.IntRange(0, 5).Draw(t, "condition") {
		case 0:
			r.Tag = "v"
		case 1:
			r.NotTag = "v"
		}
		return r
	}), 1, 3).Draw(t, label)
}

func drawThing(t *rapid.T, label string) thing {
	grants := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) given {
		return given{rapid.SampledFrom([]string{"a", "b", "c", "gone", "all", "known", "logs"}).Draw(t, "to"),
			rapid.SampledFrom([]string{"READ", "WRITE", "READ_ACP", "WRITE_ACP", "FULL_CONTROL"}).Draw(t, "permission")}
	}), 0, 2).Draw(t, label+" grants")
	return thing{rapid.SampledFrom(drawnAccounts).Draw(t, label+" owner"), grants, rapid.SampledFrom([]string{"", "v", "w"}).Draw(t, "tag")}
}

// documentOf returns a policy document with these rules.
func documentOf(rules []rule) string {
	type object = map[string]any
	var list []object
	for _, r := range rules {
		s := object{"Effect": "Allow", "Action": r.Actions}
		if r.Deny {
			s["Effect"] = "Deny"
		}
		var resources []string
		for _, k := range r.Keys {
			if k != "" {
				k = "/" + k
			}
			resources = append(resources, "arn:aws:s3:::b"+k)
		}
		s["Resource"] = resources
		var named []string
		for _, p := range r.Principals {
			if account, rest, ok := strings.Cut(p, ":"); ok {
				p = "arn:aws:iam::" + account + ":" + rest
			}
			named = append(named, p)
		}
		if named != nil {
			s["Principal"] = object{"AWS": named}
		}
		switch {
		case r.Tag != "":
			s["Condition"] = object{"StringEquals": object{"s3:ExistingObjectTag/t": r.Tag}}
		case r.NotTag != "":
			s["Condition"] = object{"StringNotEquals": object{"s3:ExistingObjectTag/t": r.NotTag}}
		}
		list = append(list, s)
	}
	b, err := json.Marshal(object{"Version": "2012-10-17", "Statement": list})
	if err != nil {
		panic(err)
	}
	return string(b)
}

// drawn is a world that was drawn: its directory, and everybody in it.
type drawn struct {
	entries []*metapb.Entry
	who     map[*actor]*Identity
}

func (d *drawn) add(kind metapb.EntryKind, name string, record proto.Message) {
	value, err := proto.Marshal(record)
	if err != nil {
		panic(err)
	}
	d.entries = append(d.entries, &metapb.Entry{Kind: kind, Name: name, Value: value})
}

// policies draws policies for an account and returns their names.
func (d *drawn) policies(t *rapid.T, account, holder string) (names []string, all [][]rule) {
	for i := range rapid.IntRange(0, 2).Draw(t, holder+" policies") {
		rules := drawRules(t, false, holder)
		name := fmt.Sprintf("%s-%d", holder, i)
		d.add(metapb.EntryKind_ENTRY_POLICY, path(account, name), &metapb.Policy{Account: account, Name: name, Document: documentOf(rules)})
		names, all = append(names, name), append(all, rules)
	}
	return names, all
}

// drawWorld draws three accounts. Each has its root, two users, one of whom may be in a group, and
// a role with a session that may be scoped down.
func drawWorld(t *rapid.T) *drawn {
	d := &drawn{who: map[*actor]*Identity{{}: nil}}
	for _, account := range drawnAccounts {
		admin := rapid.IntRange(0, 9).Draw(t, "admin") == 0
		d.who[&actor{Account: account, Admin: admin}] = &Identity{Account: account, Root: true, Admin: admin}
		groupNames, groupRules := d.policies(t, account, "group")
		d.add(metapb.EntryKind_ENTRY_GROUP, path(account, "g"), &metapb.UserGroup{Account: account, Name: "g", Policies: groupNames})
		for _, user := range []string{"u", "v"} {
			names, rules := d.policies(t, account, user)
			u := &metapb.User{Account: account, Name: user, Id: account + user, Policies: names}
			if rapid.Bool().Draw(t, "in the group") {
				u.Groups, rules = []string{"g"}, append(rules, groupRules...)
			}
			d.add(metapb.EntryKind_ENTRY_USER, path(account, user), u)
			d.who[&actor{Account: account, User: user, Own: rules}] = &Identity{Account: account, User: user, UserID: u.Id}
		}
		names, rules := d.policies(t, account, "role")
		d.add(metapb.EntryKind_ENTRY_ROLE, path(account, "r"), &metapb.Role{Account: account, Name: "r", Policies: names})
		role, id := &actor{Account: account, Role: "r", Own: rules}, &Identity{Account: account, Role: "r", SessionName: "s", Temporary: true}
		if rapid.Bool().Draw(t, "scoped") {
			scope := drawRules(t, false, "scope")
			role.Scope = &scope
			compiled, err := policy.Parse([]byte(documentOf(scope)), policy.Identity)
			require.NoError(t, err)
			id.SessionPolicy = compiled
		}
		d.who[role] = id
	}
	return d
}

// TestDecisionsOfRandomWorlds compares the decisions for everybody in a small world, about a bucket
// and a version in it, with those of the oracle.
func TestDecisionsOfRandomWorlds(t *testing.T) {
	var yes, no int
	rapid.Check(t, func(t *rapid.T) {
		d := drawWorld(t)
		directory := NewDirectory(nil)
		directory.current.Store(newSnapshot(1, d.entries))
		z := NewAuthorizer(directory)

		o := oracle{bucket: drawThing(t, "bucket")}
		config := new(metapb.BucketConfig)
		if rapid.IntRange(0, 4).Draw(t, "has a policy") > 0 {
			o.policy = drawRules(t, true, "bucket policy")
			config.Parts = append(config.Parts, &metapb.ConfigPart{Name: bucket.PartPolicy, Value: []byte(documentOf(o.policy))})
		}
		raw, err := proto.Marshal(acl(o.bucket.Grants))
		require.NoError(t, err)
		config.Parts = append(config.Parts, &metapb.ConfigPart{Name: bucket.PartACL, Value: raw})
		b := bucket.New(&metapb.Bucket{Name: "b", Owner: o.bucket.Owner}, config)
		require.False(t, b.Broken())

		version := drawThing(t, "version")
		record := &metapb.Version{Owner: version.Owner, Acl: acl(version.Grants)}
		if version.Tag != "" {
			record.Tags = []*metapb.Pair{{Name: "t", Value: version.Tag}}
		}
		check := func(what deed, may func(*Access) bool) {
			for who, id := range d.who {
				o.who, o.deed = who, what
				want := o.may()
				if want != may(&Access{Identity: id, Action: what.Action, Bucket: b, Key: what.Key}) {
					t.Fatalf("%+v of %+v (the policy: %+v)\nby %+v\nmust be allowed: %v", what, o.bucket, o.policy, who, want)
				}
				if want {
					yes++
				} else {
					no++
				}
			}
		}
		for _, action := range bucketDeeds {
			check(deed{Action: action}, z.Allows)
		}
		for _, key := range []string{"x/1", "z"} {
			for _, action := range keyDeeds {
				check(deed{Action: action, Key: key}, z.Allows)
			}
			for _, action := range versionDeeds {
				check(deed{action, key, &version}, func(a *Access) bool { return z.AllowsObject(a, record) })
			}
		}
	})
	require.Greater(t, yes, no/10, "the worlds are too strict to tell anything")
	require.Greater(t, no, yes/10, "the worlds are too open to tell anything")
}
