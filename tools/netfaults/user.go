package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"

	"github.com/cairnstore/cairn/node/linear"
	"github.com/cairnstore/cairn/tools/load"
)

const (
	registers = 3
	// Porcupine's work grows quickly with the number of overlapping operations on one register. So
	// users pause, and begin new registers now and then.
	eraOps     = 200 // After so many operations of all users together they begin new registers.
	meanPause  = 150 * time.Millisecond
	opTimeout  = 15 * time.Second
	largeValue = 100 << 10 // Bytes of a value that lies in extents.
)

// user does one operation after another on the registers, each at a random node.
type user struct {
	t   *trial
	id  int
	rng *rand.Rand
	seq int
}

func newUser(t *trial, id int) *user {
	return &user{t: t, id: id, rng: rand.New(rand.NewPCG(t.seed, uint64(1+id)))}
}

func (u *user) run(ctx context.Context) {
	for ctx.Err() == nil {
		u.step()
		u.t.steps.Add(1)
		_ = pause(ctx, time.Duration(u.rng.Int64N(2*int64(meanPause))))
	}
}

func (u *user) key() string {
	return fmt.Sprintf("era%03d/r%d", u.t.steps.Load()/eraOps, u.rng.IntN(registers))
}

// value returns a value that nobody else writes. It is small, or so large that it lies in extents.
func (u *user) value() string {
	u.seq++
	tag := strconv.Itoa(u.id) + "." + strconv.Itoa(u.seq)
	if u.rng.IntN(2) == 0 {
		return tag
	}
	return tag + strings.Repeat("~", largeValue)
}

// short returns a value without its padding.
func short(v []byte) string { return string(bytes.TrimRight(v, "~")) }

// step does one operation. The end of the run does not cut it off, because its outcome counts.
func (u *user) step() {
	ctx, cancel := context.WithTimeout(context.Background(), opTimeout)
	defer cancel()
	nodes := u.t.bed.Nodes()
	c, key := sdk(nodes[u.rng.IntN(len(nodes))]), u.key()
	switch u.rng.IntN(8) {
	case 0, 1, 2:
		u.read(ctx, c, key)
	case 3:
		u.put(ctx, c, key, nil)
	case 4:
		u.put(ctx, c, key, aws.String("*"))
	case 5:
		u.delete(ctx, c, key)
	default:
		u.assemble(ctx, c, key)
	}
}

// add notes an operation in the history, and how it ended.
func (u *user) add(o linear.Operation, call int64, err error) {
	u.t.history.Add(u.id, o, call, err == nil)
	u.ended(err)
}

func (u *user) ended(err error) {
	kind := ""
	if err != nil {
		kind = load.ErrorKind(err)
	}
	u.t.ledger.ended(kind)
}

// read returns the value of a key, or of a version of it if one is named. It is empty if the key has
// none.
func read(ctx context.Context, c *s3.Client, key, version string) (string, error) {
	in := &s3.GetObjectInput{Bucket: aws.String(bucket), Key: &key}
	if version != "" {
		in.VersionId = &version
	}
	out, err := c.GetObject(ctx, in)
	var none *types.NoSuchKey
	if errors.As(err, &none) && version == "" {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	defer out.Body.Close()
	body, err := io.ReadAll(out.Body)
	return short(body), err
}

func (u *user) read(ctx context.Context, c *s3.Client, key string) {
	call := u.t.history.Now()
	v, err := read(ctx, c, key, "")
	if err != nil {
		u.ended(err) // A read that failed says nothing of the register.
		return
	}
	u.add(linear.Operation{Key: key, Kind: linear.Read, Value: v}, call, nil)
}

func (u *user) put(ctx context.Context, c *s3.Client, key string, ifNoneMatch *string) {
	v := u.value()
	tag := short([]byte(v))
	u.t.ledger.tries(tag)
	op, call := linear.Operation{Key: key, Kind: linear.Write, Value: tag}, u.t.history.Now()
	if ifNoneMatch != nil {
		op.Kind = linear.Fill
	}
	out, err := c.PutObject(ctx, &s3.PutObjectInput{Bucket: aws.String(bucket), Key: &key, Body: strings.NewReader(v), IfNoneMatch: ifNoneMatch})
	var api smithy.APIError
	switch {
	case errors.As(err, &api) && api.ErrorCode() == "PreconditionFailed":
		op.Kind, err = linear.Declined, nil
	case err == nil:
		u.t.ledger.made(out.VersionId, tag)
	case ifNoneMatch != nil:
		op.Kind = linear.MayFill
	}
	u.add(op, call, err)
}

func (u *user) delete(ctx context.Context, c *s3.Client, key string) {
	call := u.t.history.Now()
	out, err := c.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: aws.String(bucket), Key: &key})
	if err == nil && out.VersionId != nil {
		u.t.ledger.made(out.VersionId, "")
	}
	u.add(linear.Operation{Key: key, Kind: linear.Write}, call, err)
}

// assemble writes a value by an upload of one part. It repeats Complete, at one node after the other,
// until it is answered: the repeats must have no second effect.
func (u *user) assemble(ctx context.Context, c *s3.Client, key string) {
	v := u.value()
	tag := short([]byte(v))
	id, part, err := u.upload(ctx, c, key, v)
	if err != nil {
		u.ended(err) // Nothing was done to the register.
		return
	}
	u.t.ledger.tries(tag)
	call := u.t.history.Now()
	nodes := u.t.bed.Nodes()
	for {
		var out *s3.CompleteMultipartUploadOutput
		out, err = c.CompleteMultipartUpload(ctx, &s3.CompleteMultipartUploadInput{Bucket: aws.String(bucket), Key: &key, UploadId: &id,
			MultipartUpload: &types.CompletedMultipartUpload{Parts: []types.CompletedPart{part}}})
		if err == nil {
			u.t.ledger.made(out.VersionId, tag)
			break
		}
		if pause(ctx, meanPause) != nil {
			break
		}
		c = sdk(nodes[u.rng.IntN(len(nodes))])
	}
	u.add(linear.Operation{Key: key, Kind: linear.Write, Value: tag}, call, err)
}

// upload begins an upload and sends its only part.
func (u *user) upload(ctx context.Context, c *s3.Client, key, v string) (id string, part types.CompletedPart, err error) {
	made, err := c.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{Bucket: aws.String(bucket), Key: &key})
	if err != nil {
		return "", part, err
	}
	out, err := c.UploadPart(ctx, &s3.UploadPartInput{Bucket: aws.String(bucket), Key: &key, UploadId: made.UploadId, PartNumber: aws.Int32(1), Body: strings.NewReader(v)})
	if err != nil {
		return "", part, err
	}
	return *made.UploadId, types.CompletedPart{PartNumber: aws.Int32(1), ETag: out.ETag}, nil
}
