package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"github.com/cairnstore/cairn/tools/transfer"
)

func newStat() *cobra.Command {
	return storeCommand{
		use: "stat s3://BUCKET/KEY", short: "Show what a store says of an object", least: 1, most: 1, json: true,
		long: `Show what a store says of an object: size, time, ETag, checksum, class, encryption, metadata,
lock and restore. How an object lies on the drives of a cluster is told by cairn object stat.`,
		example: "  cairn stat s3://photos/2026/beach.jpg\n  cairn stat -o json 's3://photos/2026/beach.jpg?versionId=3'",
		run: func(ctx context.Context, c *call, args []string) error {
			list, err := inStore(args, true)
			if err != nil {
				return err
			}
			l := list[0]
			in := &s3.HeadObjectInput{Bucket: &l.Bucket, Key: &l.Key, ChecksumMode: types.ChecksumModeEnabled}
			if l.Version != "" {
				in.VersionId = &l.Version
			}
			h, err := c.store.HeadObject(ctx, in)
			if err != nil {
				return at(l, err)
			}
			o := statOf(l, h)
			if c.json() {
				return printWhole(c.out, o)
			}
			return printTable(c.out, o.table)
		},
	}.command()
}

// statObject is an object as the store tells it.
type statObject struct {
	listedObject
	Bucket   string            `json:"bucket"`
	Type     string            `json:"content_type"`
	Headers  map[string]string `json:"headers,omitempty"`
	Checksum map[string]string `json:"checksum,omitempty"`
	Kind     string            `json:"checksum_type,omitempty"`
	Crypt    string            `json:"encryption,omitempty"`
	KMSKey   string            `json:"kms_key_id,omitempty"`
	Lock     string            `json:"lock,omitempty"`
	Hold     bool              `json:"legal_hold,omitempty"`
	Restore  string            `json:"restore,omitempty"`
	Expires  string            `json:"expiration,omitempty"`
	Tags     int32             `json:"tags"`
	Parts    int32             `json:"parts,omitempty"`
	Metadata map[string]string `json:"metadata"`
}

func statOf(l transfer.Location, h *s3.HeadObjectOutput) statObject {
	o := statObject{listedObject: listedObject{Key: l.Key, Size: aws.ToInt64(h.ContentLength),
		Modified: aws.ToTime(h.LastModified), ETag: strings.Trim(aws.ToString(h.ETag), `"`), Class: string(h.StorageClass),
		Version: aws.ToString(h.VersionId)},
		Bucket: l.Bucket, Type: aws.ToString(h.ContentType), Kind: string(h.ChecksumType),
		Crypt: string(h.ServerSideEncryption), KMSKey: aws.ToString(h.SSEKMSKeyId), Restore: aws.ToString(h.Restore),
		Expires: aws.ToString(h.Expiration), Hold: h.ObjectLockLegalHoldStatus == types.ObjectLockLegalHoldStatusOn,
		Tags: aws.ToInt32(h.TagCount), Parts: aws.ToInt32(h.PartsCount), Metadata: h.Metadata,
		Headers: told(map[string]*string{"Cache-Control": h.CacheControl, "Content-Disposition": h.ContentDisposition,
			"Content-Encoding": h.ContentEncoding, "Content-Language": h.ContentLanguage}),
		Checksum: told(map[string]*string{"CRC64NVME": h.ChecksumCRC64NVME, "CRC32C": h.ChecksumCRC32C,
			"CRC32": h.ChecksumCRC32, "SHA256": h.ChecksumSHA256, "SHA1": h.ChecksumSHA1})}
	if o.Class == "" {
		o.Class = string(types.StorageClassStandard)
	}
	if o.Metadata == nil {
		o.Metadata = map[string]string{}
	}
	if h.ObjectLockMode != "" {
		o.Lock = fmt.Sprintf("%s until %s", strings.ToLower(string(h.ObjectLockMode)),
			moment(aws.ToTime(h.ObjectLockRetainUntilDate)))
	}
	return o
}

// told returns what is told.
func told(all map[string]*string) map[string]string {
	out := map[string]string{}
	for name, v := range all {
		if aws.ToString(v) != "" {
			out[name] = *v
		}
	}
	return out
}

func (o statObject) table(w io.Writer) {
	row(w, "object", transfer.Location{Kind: transfer.Object, Bucket: o.Bucket, Key: o.Key}.String())
	row(w, "size", fmt.Sprintf("%s (%d bytes)", humanize.IBytes(uint64(o.Size)), o.Size))
	row(w, "modified", moment(o.Modified))
	row(w, "type", o.Type)
	row(w, "etag", o.ETag)
	for _, name := range slices.Sorted(maps.Keys(o.Checksum)) {
		row(w, strings.ToLower(name), o.Checksum[name])
	}
	row(w, "class", o.Class)
	crypt := strings.TrimSpace(o.Crypt + " " + o.KMSKey)
	for _, f := range []struct{ name, value string }{{"version", o.Version}, {"encryption", crypt}, {"lock", o.Lock},
		{"restore", o.Restore}, {"expiration", o.Expires}} {
		if f.value != "" {
			row(w, f.name, f.value)
		}
	}
	if o.Hold {
		row(w, "legal hold", true)
	}
	if o.Tags > 0 {
		row(w, "tags", o.Tags)
	}
	for _, name := range slices.Sorted(maps.Keys(o.Headers)) {
		row(w, strings.ToLower(name), o.Headers[name])
	}
	for _, name := range slices.Sorted(maps.Keys(o.Metadata)) {
		row(w, "metadata "+name, o.Metadata[name])
	}
}
