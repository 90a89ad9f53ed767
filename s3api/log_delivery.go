package s3api

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"strings"
	"time"

	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/s3api/accesslog"
	"github.com/cairnstore/cairn/s3api/bucket"
	"github.com/cairnstore/cairn/s3api/iam"
	"github.com/cairnstore/cairn/s3api/object"
	"github.com/cairnstore/cairn/s3api/wirexml"
)

// LogWriter returns the function that delivers access logs. It writes lines as objects of the
// bucket's owner, with the encryption and the class that the target is set to. It makes no request,
// so what it writes is in no log. c is the Config of the handler.
func LogWriter(c Config) accesslog.Write {
	c = c.withDefaults()
	return c.writeLog
}

// writeLog implements accesslog.Write. It decides anew whether the lines may go there, because the
// target may be another bucket by now.
func (c *Config) writeLog(ctx context.Context, s accesslog.Stream, lines []byte) error {
	doc, err := wirexml.ParseLogging([]byte(s.Document), bucket.AnyGrantees{})
	if err != nil {
		return err
	}
	target, err := c.Access.Buckets.Get(ctx, doc.TargetBucket)
	if err != nil {
		return err
	}
	now := time.Now()
	key := s.Key(doc, c.Region, now, uniqueLog())
	if err := c.checkDelivery(&iam.Logs{Source: s.Bucket, Owner: s.Owner, Target: target, Agency: doc.Agency, Key: key}, doc); err != nil {
		return err
	}
	who := object.Caller{Account: s.Owner, User: s.Owner}
	who.Request.Decided = []*metapb.Decided{{Bucket: target.Name, Owner: target.Owner}}
	in := &object.PutInput{Caller: who, Bucket: target.Name, Key: key,
		Body: object.Body{Reader: bytes.NewReader(lines), Size: int64(len(lines))}}
	in.Attributes = &metapb.Attributes{ContentType: "text/plain"}
	if err := setClass(in.Attributes, target.StorageClass()); err != nil {
		return err
	}
	if len(doc.Grants) > 0 {
		in.ACL = &metapb.Acl{Grants: doc.Grants}
	}
	mode, keyID := target.DefaultEncryption(c.Profile())
	if in.ServiceKey, err = c.keyOf(ctx, s.Owner, mode, keyID, nil); err != nil {
		return err
	}
	_, err = c.Objects.Put(ctx, in)
	return err
}

// uniqueLog returns what tells logs apart that are delivered in the same second.
func uniqueLog() string {
	var raw [8]byte
	_, _ = rand.Read(raw[:]) // Never fails.
	return strings.ToUpper(hex.EncodeToString(raw[:]))
}
