package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/spf13/cobra"

	"github.com/cairnstore/cairn/tools/transfer"
)

// expiresMax is how long a presigned URL can be good for: S3's limit.
const expiresMax = 7 * 24 * time.Hour

// presigning is one run of presign or share.
type presigning struct {
	expires time.Duration
	put     bool
}

func (p *presigning) flags(cmd *cobra.Command) {
	cmd.Flags().DurationVar(&p.expires, "expires", time.Hour, "how long it is good for, up to 168h")
}

func (p *presigning) check() error {
	if p.expires < time.Second || p.expires > expiresMax {
		return &statusError{exitUsage, fmt.Errorf("--expires %s: between 1s and %s", p.expires, expiresMax)}
	}
	return nil
}

// url signs a URL with which anybody can get an object, or put it.
func (p *presigning) url(ctx context.Context, c *call, l transfer.Location) (string, error) {
	signer := s3.NewPresignClient(c.store.Client, s3.WithPresignExpires(p.expires))
	if p.put {
		r, err := signer.PresignPutObject(ctx, &s3.PutObjectInput{Bucket: &l.Bucket, Key: &l.Key})
		if err != nil {
			return "", err
		}
		return r.URL, nil
	}
	in := &s3.GetObjectInput{Bucket: &l.Bucket, Key: &l.Key}
	if l.Version != "" {
		in.VersionId = &l.Version
	}
	r, err := signer.PresignGetObject(ctx, in)
	if err != nil {
		return "", err
	}
	return r.URL, nil
}

func newPresign() *cobra.Command {
	p := &presigning{}
	var method string
	return storeCommand{
		use: "presign s3://BUCKET/KEY", short: "Print a URL with which anybody can get an object, or put it",
		least: 1, most: 1,
		long: `Print a URL with which anybody can get an object for some time, with the rights of these keys,
or put it with --method PUT. Nothing is asked of the store: the object need not be there.`,
		example: "  cairn presign s3://photos/beach.jpg --expires 24h\n" +
			"  curl -T beach.jpg \"$(cairn presign s3://photos/beach.jpg --method PUT)\"\n" +
			"  cairn presign s3://photos/beach.jpg --method PUT",
		flags: func(cmd *cobra.Command) {
			p.flags(cmd)
			cmd.Flags().StringVar(&method, "method", http.MethodGet, "GET or PUT")
		},
		run: func(ctx context.Context, c *call, args []string) error {
			list, err := inStore(args, true)
			if err != nil {
				return err
			}
			switch method = strings.ToUpper(method); method {
			case http.MethodGet:
			case http.MethodPut:
				p.put = true
			default:
				return &statusError{exitUsage, fmt.Errorf("--method %q: GET or PUT", method)}
			}
			if err := p.check(); err != nil {
				return err
			}
			if p.put && list[0].Version != "" {
				return &statusError{exitUsage, errors.New("a version cannot be put")}
			}
			text, err := p.url(ctx, c, list[0])
			if err != nil {
				return err
			}
			_, err = fmt.Fprintln(c.out, text)
			return err
		},
	}.command()
}

// shared is an object that is shared, as JSON shows it.
type shared struct {
	Key     string    `json:"key"`
	Version string    `json:"version_id,omitempty"`
	Size    int64     `json:"size"`
	URL     string    `json:"url"`
	Expires time.Time `json:"expires"`
}

func newShare() *cobra.Command {
	p := &presigning{}
	var sel transfer.Selection
	return storeCommand{
		use: "share s3://BUCKET/KEY [s3://BUCKET/KEY...]", short: "Share objects by URLs that expire",
		least: 1, most: -1, json: true,
		long: `Make a URL for each object with which anybody can get it for some time, with the rights of
these keys, and say until when. The objects must be there. A key with * or ? is a pattern.
Such a URL cannot be taken back, except by disabling the access key.`,
		example: "  cairn share s3://photos/beach.jpg\n  cairn share --expires 168h 's3://photos/2026/*.jpg' -o json",
		flags: func(cmd *cobra.Command) {
			p.flags(cmd)
			cmd.Flags().BoolVarP(&sel.Recursive, "recursive", "r", false, "everything below a prefix")
			cmd.Flags().BoolVar(&sel.Literal, "no-glob", false, "* and ? in keys are themselves")
			selectingOnly(cmd, &sel)
		},
		run: func(ctx context.Context, c *call, args []string) error {
			list, err := inStore(args, false)
			if err != nil {
				return err
			}
			if err := p.check(); err != nil {
				return err
			}
			return p.share(ctx, c, list, sel)
		},
	}.command()
}

func (p *presigning) share(ctx context.Context, c *call, list []transfer.Location, sel transfer.Selection) error {
	all := []shared{}
	for _, l := range list {
		if l.Key == "" && !sel.Recursive {
			return &statusError{exitUsage, fmt.Errorf("%s is a bucket: add --recursive", l)}
		}
		items, _ := c.store.Select(ctx, l, sel)
		n := 0
		for item, err := range items {
			if err != nil {
				return err
			}
			n++
			until := time.Now().Add(p.expires).UTC().Truncate(time.Second)
			text, err := p.url(ctx, c, item.At)
			if err != nil {
				return at(item.At, err)
			}
			if c.json() {
				all = append(all, shared{item.At.Key, item.At.Version, item.Size, text, until})
				continue
			}
			if _, err := fmt.Fprintf(c.out, "%s, until %s\n  %s\n", item.At, moment(until), text); err != nil {
				return err
			}
		}
		if n == 0 {
			return at(l, transfer.ErrNothing)
		}
	}
	if c.json() {
		return printWhole(c.out, map[string]any{"shared": all})
	}
	return nil
}
