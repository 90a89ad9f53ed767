package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
)

// part is a part of a bucket's configuration, with the commands get, set and clear.
type part struct {
	name  string // Of the command: "lifecycle".
	short string // What it is, as in "the lifecycle rules".
	long  string // More about it; empty: nothing.

	// takes names the arguments of set after the bucket, as verb.use does; empty: flags or a file.
	takes   string
	example string // Of set.
	flags   func(cmd *cobra.Command)

	// get returns the part as the aws command line has it.
	get func(ctx context.Context, c *bucketClient, bucket string) (any, error)
	// show writes the part for people; nil: JSON is shown.
	show func(w io.Writer, document any)
	// build returns the part as arguments and flags say. It returns nil if they say nothing, so that
	// it must come from a file. Nil: a file is the only way.
	build func(ctx context.Context, c *bucketClient, args []string) (any, error)
	// put writes the part: what build returns, or what read returns of a file.
	put  func(ctx context.Context, c *bucketClient, bucket string, document any) error
	read func(text []byte) (any, error)
	// clear removes the part; nil: it cannot be removed.
	clear func(ctx context.Context, c *bucketClient, bucket string) error

	more []verb // Commands besides.
}

func (p part) command() *cobra.Command {
	verbs := []verb{p.getVerb(), p.setVerb()}
	if p.clear != nil {
		verbs = append(verbs, p.clearVerb())
	}
	return noun(p.name, capital(strings.TrimPrefix(p.short, "the "))+" of a bucket", append(verbs, p.more...)...)
}

func (p part) getVerb() verb {
	return verb{
		use: "get BUCKET", short: "Show " + p.short + " of a bucket",
		example: "  cairn bucket " + p.name + " get reports",
		s3: func(ctx context.Context, c *bucketClient, _ io.Reader, args []string) (*answer, error) {
			document, err := p.get(ctx, c, args[0])
			a := &answer{message: document}
			if p.show != nil {
				a.table = func(w io.Writer) { p.show(w, document) }
			}
			return a, err
		},
	}
}

func (p part) setVerb() verb {
	var file string
	use := "set BUCKET"
	if p.takes != "" {
		use += " " + p.takes
	}
	long := "Set " + p.short + " of a bucket. What was set before is replaced."
	if p.long != "" {
		long += "\n" + p.long
	}
	return verb{
		use: use, short: "Set " + p.short + " of a bucket", long: long, example: p.example,
		flags: func(cmd *cobra.Command) {
			if p.read != nil {
				cmd.Flags().StringVar(&file, "file", "",
					"file with the document in JSON, as the aws command line takes it; - is standard input (default: none)")
			}
			if p.flags != nil {
				p.flags(cmd)
			}
		},
		s3: func(ctx context.Context, c *bucketClient, in io.Reader, args []string) (*answer, error) {
			document, err := p.document(ctx, c, in, file, args)
			if err != nil {
				return nil, err
			}
			if err := p.put(ctx, c, args[0], document); err != nil {
				return nil, err
			}
			return p.told(ctx, c, args[0], "set")
		},
	}
}

// told is the answer to a change: the part as it is now.
func (p part) told(_ context.Context, _ *bucketClient, bucket, what string) (*answer, error) {
	return &answer{message: map[string]string{"bucket": bucket, "part": p.name, "change": what},
		table: func(w io.Writer) { fmt.Fprintf(w, "%s: %s %s\n", bucket, p.name, what) }}, nil
}

// document returns what set sets.
func (p part) document(ctx context.Context, c *bucketClient, in io.Reader, file string, args []string) (any, error) {
	var built any
	if p.build != nil {
		var err error
		if built, err = p.build(ctx, c, args); err != nil {
			return nil, err
		}
	}
	switch {
	case built != nil && file != "":
		return nil, &statusError{exitUsage, errors.New("give either --file or arguments and flags, not both")}
	case built != nil:
		return built, nil
	case file == "":
		return nil, &statusError{exitUsage, errors.New("give --file, or what to set (see --help)")}
	}
	text, err := readText(in, "file", file)
	if err != nil {
		return nil, err
	}
	document, err := p.read([]byte(text))
	if err != nil {
		return nil, &statusError{exitUsage, fmt.Errorf("--file: %w", err)}
	}
	return document, nil
}

func (p part) clearVerb() verb {
	return verb{
		use: "clear BUCKET", short: "Remove " + p.short + " of a bucket",
		example: "  cairn bucket " + p.name + " clear reports",
		destroys: func(args []string) string {
			return fmt.Sprintf("%s of bucket %s will be removed.", capital(p.short), args[0])
		},
		s3: func(ctx context.Context, c *bucketClient, _ io.Reader, args []string) (*answer, error) {
			if err := p.clear(ctx, c, args[0]); err != nil {
				return nil, err
			}
			return p.told(ctx, c, args[0], "removed")
		},
	}
}

// capital returns a text with a capital at its beginning.
func capital(text string) string { return strings.ToUpper(text[:1]) + text[1:] }

// readAs returns what reads a document of JSON into a T. Members that a T does not have are refused,
// because a misspelled one would silently have no effect.
func readAs[T any](text []byte) (any, error) {
	v := new(T)
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return nil, fmt.Errorf("it is not the document: %w", err)
	}
	if d.More() {
		return nil, errors.New("there is more after the document")
	}
	return v, nil
}
