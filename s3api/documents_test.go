package s3api

import (
	"crypto/md5"
	"encoding/base64"
	"encoding/hex"
	"strings"
)

func versioningDocument(status string) string {
	return "<VersioningConfiguration><Status>" + status + "</Status></VersioningConfiguration>"
}

func encryptionDocument(mode, keyID string) string {
	if keyID != "" {
		keyID = "<KMSMasterKeyID>" + keyID + "</KMSMasterKeyID>"
	}
	return "<ServerSideEncryptionConfiguration><Rule><ApplyServerSideEncryptionByDefault><SSEAlgorithm>" + mode + "</SSEAlgorithm>" + keyID +
		"</ApplyServerSideEncryptionByDefault></Rule></ServerSideEncryptionConfiguration>"
}

// aclText is the document of an ACL of grants "GRANTEE PERMISSION", where a grantee
// is an account's id or a group's URI.
func aclText(owner string, grants ...string) string {
	var b strings.Builder
	b.WriteString("<AccessControlPolicy><Owner><ID>" + owner + "</ID></Owner><AccessControlList>")
	for _, g := range grants {
		who, permission, _ := strings.Cut(g, " ")
		element := "ID"
		if strings.HasPrefix(who, "http") {
			element = "URI"
		}
		b.WriteString("<Grant><Grantee><" + element + ">" + who + "</" + element + "></Grantee><Permission>" + permission + "</Permission></Grant>")
	}
	return b.String() + "</AccessControlList></AccessControlPolicy>"
}

// blockText is the document of a public access block with some switches on.
func blockText(on ...string) string {
	var b strings.Builder
	for _, name := range on {
		b.WriteString("<" + name + ">true</" + name + ">")
	}
	return "<PublicAccessBlockConfiguration>" + b.String() + "</PublicAccessBlockConfiguration>"
}

func ownershipText(ownership string) string {
	return "<OwnershipControls><Rule><ObjectOwnership>" + ownership + "</ObjectOwnership></Rule></OwnershipControls>"
}

// websiteText is the document of a website with an index, an error document and rules.
func websiteText(rules string) string {
	if rules != "" {
		rules = "<RoutingRules>" + rules + "</RoutingRules>"
	}
	return "<WebsiteConfiguration><IndexDocument><Suffix>index.html</Suffix></IndexDocument><ErrorDocument><Key>error.html</Key></ErrorDocument>" +
		rules + "</WebsiteConfiguration>"
}

// md5Of is the Content-MD5 of a body.
func md5Of(body string) string {
	sum := md5.Sum([]byte(body))
	return base64.StdEncoding.EncodeToString(sum[:])
}

// hexName makes a name of any text.
func hexName(text string) string { return hex.EncodeToString([]byte(text)) }

// cut splits "METHOD PATH".
func cut(line string) (method, path string) {
	method, path, _ = strings.Cut(line, " ")
	return method, path
}
