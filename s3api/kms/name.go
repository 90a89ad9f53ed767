package kms

import (
	"regexp"
	"strings"

	"github.com/cairnstore/cairn/cluster/errs"
)

// keyNameMaxBytes bounds the names of keys that are parsed.
const keyNameMaxBytes = 2048

// defaultAlias is the alias of every account's default key.
const defaultAlias = "aws/s3"

var (
	keyIDPattern = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9_.-]{0,126}[A-Za-z0-9])?$`)
	aliasPattern = regexp.MustCompile(`^[A-Za-z0-9/_-]{1,250}$`)
)

// KeyName is the name that a client gives for a key. Either ID or Alias is set.
type KeyName struct {
	Region  string // Empty: not given.
	Account string // Empty: not given.
	ID      string
	Alias   string // Without "alias/".
}

// ParseKeyID reads the name of a key in one of these forms:
//
//	arn:aws:kms:REGION:ACCOUNT:key/ID    or :alias/NAME; AWS, OBS
//	REGION:ACCOUNT:key/ID                or :alias/NAME; OBS
//	ID                                   AWS, OBS
//	alias/NAME                           AWS
//
// Errors: Invalid.
func ParseKeyID(text string) (KeyName, error) {
	const op = "kms.ParseKeyID"
	var n KeyName
	if len(text) > keyNameMaxBytes {
		return n, errs.Newf(op, errs.Invalid, "the KMS key id is longer than %d characters", keyNameMaxBytes)
	}
	resource, hasPrefix, isKey := text, false, false
	if rest, ok := strings.CutPrefix(text, "arn:"); ok {
		partition, more, _ := strings.Cut(rest, ":")
		rest, ok = strings.CutPrefix(more, "kms:")
		if !ok || partition != "aws" && !strings.HasPrefix(partition, "aws-") {
			return n, invalidName(op, text)
		}
		resource, hasPrefix = rest, true
	} else if strings.Count(text, ":") == 2 {
		hasPrefix = true
	}
	if hasPrefix {
		f := strings.Split(resource, ":")
		if len(f) != 3 || f[0] == "" || f[1] == "" {
			return n, invalidName(op, text)
		}
		n.Region, n.Account, resource = f[0], f[1], f[2]
		resource, isKey = strings.CutPrefix(resource, "key/")
	}
	alias, isAlias := strings.CutPrefix(resource, "alias/")
	switch {
	case !isKey && isAlias && aliasPattern.MatchString(alias):
		n.Alias = alias
	case !isAlias && isKey == hasPrefix && keyIDPattern.MatchString(resource):
		n.ID = resource
	default:
		return KeyName{}, invalidName(op, text)
	}
	return n, nil
}

func invalidName(op, text string) error {
	return errs.Newf(op, errs.Invalid, "%q is no name of a KMS key; it has the form arn:aws:kms:REGION:ACCOUNT:key/ID, "+
		"REGION:ACCOUNT:key/ID, ID or alias/NAME", text)
}

// String returns the name in a form that ParseKeyID reads: an ARN if region and account are given.
func (n KeyName) String() string {
	var resource string
	switch {
	case n.Alias != "":
		resource = "alias/" + n.Alias
	case n.Region == "" && n.Account == "":
		return n.ID
	default:
		resource = "key/" + n.ID
	}
	if n.Region == "" && n.Account == "" {
		return resource
	}
	return "arn:aws:kms:" + n.Region + ":" + n.Account + ":" + resource
}

// AnswerID returns the name by which answers call a key: its ARN.
func AnswerID(region, account, id string) string {
	return KeyName{Region: region, Account: account, ID: id}.String()
}
