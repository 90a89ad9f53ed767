package main

import (
	"context"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/spf13/cobra"

	"github.com/cairnstore/cairn/tools/transfer"
)

// completeMost is how many keys a shell is told.
const completeMost = 500

// completeKeys tells a shell the names of buckets, and keys up to the next slash. Where files are meant
// too it lets the shell complete those.
func (s *storeFlags) completeKeys(files bool) cobra.CompletionFunc {
	return func(cmd *cobra.Command, _ []string, begun string) ([]string, cobra.ShellCompDirective) {
		rest, ok := strings.CutPrefix(begun, transfer.Scheme)
		switch {
		case !ok && files && begun != "" && !strings.HasPrefix(transfer.Scheme, begun):
			return nil, cobra.ShellCompDirectiveDefault
		case !ok && files && begun == "":
			return nil, cobra.ShellCompDirectiveDefault
		case !ok && !strings.HasPrefix(transfer.Scheme, begun):
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		ctx, cancel := context.WithTimeout(cmd.Context(), completeTimeout)
		defer cancel()
		none := cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveNoSpace
		store, err := s.open(ctx)
		if err != nil {
			return nil, none
		}
		bucket, prefix, below := strings.Cut(rest, "/")
		if !below {
			return bucketsBegin(ctx, store, bucket), none
		}
		var out []string
		for item, err := range store.List(ctx, bucket, prefix, transfer.ListOptions{Split: true}) {
			if err != nil || len(out) == completeMost {
				break
			}
			if at := item.At.String(); !strings.HasPrefix(at, `"`) { // What is quoted no shell can take.
				out = append(out, at)
			}
		}
		return out, none
	}
}

// bucketsBegin returns the buckets whose names begin so.
func bucketsBegin(ctx context.Context, store *transfer.Store, begun string) (out []string) {
	page, err := store.ListBuckets(ctx, &s3.ListBucketsInput{})
	if err != nil {
		return nil
	}
	for _, b := range page.Buckets {
		if name := aws.ToString(b.Name); strings.HasPrefix(name, begun) {
			out = append(out, transfer.Scheme+name+"/")
		}
	}
	return out
}
