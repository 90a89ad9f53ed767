package iam

import "github.com/cairnstore/cairn/s3api/policy"

// builtinDocuments are policies that every account has, by name. If an account has stored a policy
// of the same name, that one counts instead.
var builtinDocuments = map[string]string{
	"readonly": `{"Version":"2012-10-17","Statement":[{"Sid":"Read","Effect":"Allow",` +
		`"Action":["s3:Get*","s3:List*"],"Resource":"*"}]}`,
	"writeonly": `{"Version":"2012-10-17","Statement":[{"Sid":"Write","Effect":"Allow",` +
		`"Action":["s3:PutObject","s3:AbortMultipartUpload"],"Resource":"*"}]}`,
	"readwrite": `{"Version":"2012-10-17","Statement":[{"Sid":"ReadWrite","Effect":"Allow",` +
		`"Action":"s3:*","Resource":"*"}]}`,
	"admin": `{"Version":"2012-10-17","Statement":[{"Sid":"All","Effect":"Allow",` +
		`"Action":"*","Resource":"*"}]}`,
}

var builtinPolicies = compileBuiltins()

func compileBuiltins() map[string]*policy.Policy {
	out := make(map[string]*policy.Policy, len(builtinDocuments))
	for name, doc := range builtinDocuments {
		p, err := policy.Parse([]byte(doc), policy.Identity)
		if err != nil {
			panic(err) // They are constants.
		}
		out[name] = p
	}
	return out
}
