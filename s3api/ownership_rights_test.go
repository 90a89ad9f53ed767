package s3api

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestOwnershipInConditions: whoever may only make buckets in which no ACL counts can
// neither make others nor turn one into another, whatever the request looks like.
func TestOwnershipInConditions(t *testing.T) {
	const document = `{"Version":"2012-10-17","Statement":[
		{"Effect":"Allow","Action":"s3:*","Resource":"*"},
		{"Effect":"Deny","Action":["s3:CreateBucket","s3:PutBucketOwnershipControls"],"Resource":"*",
		 "Condition":{"StringNotEquals":{"s3:x-amz-object-ownership":"BucketOwnerEnforced"}}}]}`
	w := newWorld(t)
	of := w.user(w.account("owner"), "careful", document)
	rule := func(ownership string) string {
		return "<OwnershipControls><Rule><ObjectOwnership>" + ownership + "</ObjectOwnership></Rule></OwnershipControls>"
	}
	for i, c := range []struct{ path, body, header, code string }{
		{"/new", "", "", "AccessDenied"},
		{"/new", "", "ObjectWriter", "AccessDenied"},
		{"/new", "", "BucketOwnerEnforced", ""},
		{"/new?ownershipControls", rule("ObjectWriter"), "", "AccessDenied"},
		{"/new?ownershipControls", rule("ObjectWriter"), "BucketOwnerEnforced", "AccessDenied"},
		{"/new?ownershipControls", "<OwnershipControls/>", "BucketOwnerEnforced", "AccessDenied"},
		{"/new?ownershipControls", rule("BucketOwnerEnforced"), "", ""},
	} {
		var headers []string
		if c.header != "" {
			headers = append(headers, "x-amz-object-ownership: "+c.header)
		}
		r := w.as(of, http.MethodPut, c.path, c.body, headers...)
		require.Equal(t, c.code, r.code(), fmt.Sprintf("%d: PUT %s: %s", i, c.path, r.body))
	}
}
