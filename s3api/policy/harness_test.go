package policy_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cairnstore/cairn/s3api/policy"
)

// facts are the values of condition keys.
type facts map[string][]string

func (f facts) conditions(key string) ([]string, bool) {
	values, ok := f[key]
	return values, ok
}

// The callers of the tests.
var (
	root      = policy.Principal{Account: "1111"}
	alice     = policy.Principal{Account: "1111", User: "alice", UserID: "AIDALICE"}
	bob       = policy.Principal{Account: "1111", User: "bob", UserID: "AIDBOB"}
	session   = policy.Principal{Account: "1111", Role: "reader", SessionName: "s1", UserID: "AROREADER:s1"}
	carol     = policy.Principal{Account: "2222", User: "carol", UserID: "AIDCAROL"}
	anonymous = policy.Principal{Anonymous: true}
)

func parse(t testing.TB, document string, kind policy.Kind) *policy.Policy {
	t.Helper()
	p, err := policy.Parse([]byte(document), kind)
	require.NoError(t, err, document)
	return p
}

// get returns alice's GetObject of b/k with these facts.
func get(f facts) *policy.Request {
	return &policy.Request{Action: "s3:GetObject", Resource: policy.ObjectARN("b", "k"), Principal: alice, Conditions: f.conditions}
}

// under returns an identity policy that allows everything under a condition.
func under(condition string) string {
	return `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"s3:*","Resource":"*","Condition":` + condition + `}}`
}
