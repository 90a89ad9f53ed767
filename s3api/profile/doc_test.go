package profile

import (
	"bytes"
	"flag"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cairnstore/cairn/s3api/s3err"
	"github.com/cairnstore/cairn/s3api/wirexml"
)

var update = flag.Bool("update", false, "rewrite docs/compatibility.md")

const docPath = "../../docs/compatibility.md"

const docIntro = "# Compatibility\n\n" +
	"Where OBS and AWS S3 differ, `compat` says whose rules hold: `obs` (the default) or `aws`. " +
	"It sets the defaults of the settings below, each of which can be overridden:\n\n" +
	"- for one node, by flag, environment variable or settings file;\n" +
	"- for the whole cluster while it runs, by `cairn config set`. That counts before what is set for a node.\n\n" +
	"Generated from the tables in s3api/profile by `make docs`; do not edit.\n\n"

const docNamespace = "\nThe namespace depends on the request, since clients expect different ones. Those that sign with V2 or with OBS's own signature get " +
	"the namespace of OBS's books: the answers that those books show are to such requests. " +
	"Clients that sign with V4 get AWS's. Of these the aws CLI, boto3, aws-sdk-go-v2 and minio-go read documents in either. " +
	"Others look elements up by the full name in AWS's namespace and find nothing in another. Apache Libcloud does so, " +
	"and programs with XPath, JAXB or encoding/xml names that hold it.\n\n" +
	"Set `xml-namespace = obs` to give all of them OBS's, and `aws` for a client of that kind that still signs with V2. " +
	"With the namespace goes the form of a bucket's location: OBS's S3 API has CreateBucketConfiguration around it, its " +
	"native API Location.\n"

const docErrors = "\n## Errors told differently\n\n" +
	"All other errors are told as s3-errors.md has them. The message is that of the code on the left, so it names the cause whatever code is told. " +
	"Which column holds is up to `error-profile`; OBS's native API is what requests speak that carry OBS's own signature or x-obs- headers.\n\n" +
	"| error | obs | obs, native API | aws |\n| --- | --- | --- | --- |\n"

// docCases are the differences that are no matter of a code's name.
const docCases = "\nWhat is told by another code altogether:\n\n" +
	"| what is asked | obs | aws |\n| --- | --- | --- |\n" +
	"| GET, HEAD or a copy of what is encrypted under another customer's key | 400 InvalidArgument | 403 AccessDenied |\n" +
	"| a part under another customer's key than its upload's | 400 InvalidArgument | 400 InvalidRequest |\n" +
	"| DELETE with If-Match of a key that is not there, also among several | 412 PreconditionFailed | 404 NoSuchKey |\n" +
	"| a version id that no version can have | 404 NoSuchVersion; DELETE: 204 | 400 InvalidArgument |\n"

const docAnswers = "\n## Successes told differently\n\n" +
	"Which column holds is up to `answer-profile`.\n\n" +
	"| what is asked | obs | aws |\n| --- | --- | --- |\n" +
	"| PutBucketPolicy | 200 | 204 |\n" +
	"| CreateBucket of a bucket that the caller has, in us-east-1 | 409 BucketAlreadyOwnedByYou | 200 |\n" +
	"| x-amz-version-id of a write to a bucket whose versioning is suspended | null | none |\n" +
	"| x-amz-meta- values beyond ASCII | UTF-8 | RFC 2047 |\n"

const docMinio = "\n## minio-go's functional tests\n\n" +
	"The functional tests of minio-go (its repository, functional_tests.go, e9f656c) pass against both profiles, but for these:\n\n" +
	"- testMakeBucketRegions, testMakeBucketError and their V2 forms make a bucket in eu-central-1 or eu-west-1: a cluster has one region.\n" +
	"- testListMultipartUpload wants uploads listed without owner, initiator and class, as MinIO does; S3 tells all three.\n" +
	"- testListObjects asks for metadata in lists, which is MinIO's own, and is answered 501.\n" +
	"- testGetObjectACLContext wants the ACL that was put as AWS tells it from AWS alone, and `private` from all others.\n" +
	"- testPresignedPostPolicyWrongFile compares the text of a message beside its code, AccessDenied.\n" +
	"- testCors, testFunctional, testFunctionalV2 and testGetObjectACLContext (aws) put a public policy or ACL: new buckets block those under `compat = aws`, as AWS's do. " +
	"Set `new-bucket-block-public = off` and `new-bucket-ownership = ObjectWriter`.\n" +
	"- testGetObjectAttributesErrorCases (aws) asks for a version by a UUID and wants 404: no version of Cairn can have that id, and what is malformed is 400.\n"

const docSame = "\n## The same in both\n\n" +
	"- Points of time in documents are UTC with milliseconds: `2015-07-01T05:16:32.344Z`. OBS's sample of Upload Part - Copy leaves out zone and fraction; its native one does not.\n" +
	"- LastModified of a copied part is when the part was made.\n" +
	"- Storage classes are understood in the words of the S3 API (STANDARD, STANDARD_IA, GLACIER) and of OBS's native one (STANDARD, WARM, COLD). AWS's others are taken " +
	"for one of these three and told back as they were named: REDUCED_REDUNDANCY is STANDARD; ONEZONE_IA, INTELLIGENT_TIERING and GLACIER_IR are STANDARD_IA; DEEP_ARCHIVE is GLACIER. " +
	"After a lifecycle rule has changed its class an object is told by one of the three.\n" +
	"- Cairn does not have replication, acceleration, analytics, inventory, metrics and intelligent tiering. " +
	"Where such a configuration is read it is answered as one that is not there. Where it is put the answer is 501.\n" +
	"- An answer to a copy that has begun is 200; whether it succeeded is in the body: an ETag, or `<Error>`.\n"

// TestCompatibilityDoc keeps docs/compatibility.md in step with the tables.
func TestCompatibilityDoc(t *testing.T) {
	var b bytes.Buffer
	b.WriteString(docIntro + "## Settings\n\n| setting | values | obs | aws | meaning |\n| --- | --- | --- | --- | --- |\n")
	for _, k := range Knobs() {
		values := strings.Join(k.Values, ", ")
		if values == "" {
			values = k.Type
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s |\n", k.Name, values, k.OBS, k.AWS, k.Help)
	}
	b.WriteString(docNamespace + docErrors)
	all := map[s3err.Code]bool{}
	columns := []map[s3err.Code]s3err.Telling{obsCodes, nativeCodes, awsCodes}
	for _, codes := range columns {
		for code := range codes {
			all[code] = true
		}
	}
	for _, code := range slices.Sorted(maps.Keys(all)) {
		fmt.Fprintf(&b, "| %s |", code)
		for _, codes := range columns {
			told := wirexml.Style{Codes: codes}.Tell(code.Err())
			fmt.Fprintf(&b, " %d %s |", told.Status, told.Code)
		}
		b.WriteByte('\n')
	}
	b.WriteString(docCases + docAnswers + docMinio + docSame)
	if *update {
		require.NoError(t, os.WriteFile(docPath, b.Bytes(), 0o644))
	}
	want, err := os.ReadFile(docPath)
	require.NoError(t, err)
	require.True(t, string(want) == b.String(),
		"docs/compatibility.md is stale: run make docs and look at the difference")
}
