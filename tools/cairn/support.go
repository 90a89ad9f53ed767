package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"strings"
	"time"

	"connectrpc.com/connect"
	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"github.com/cairnstore/cairn/node/admin/adminpb"
)

// maxBundleFile bounds one file of a bundle, which is held in memory.
const maxBundleFile = 256 << 20

func newSupport() *cobra.Command {
	cmd := group("support", "What helps to find out what is wrong")
	cmd.AddCommand(newSupportBundle())
	return cmd
}

func newSupportBundle() *cobra.Command {
	var t target
	var file string
	cmd := &cobra.Command{
		Use:   "bundle",
		Short: "Collect what helps to find out what is wrong, in one file",
		Long: `Collect what helps to find out what is wrong, in one .tar.gz: status, volumes and
settings of the cluster; of every node version, settings, metrics, the newest lines
of its log, and profiles of goroutines and memory. Passwords, keys and tokens are
not in it; names of nodes, accounts and buckets may be.

` + exitHelp,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if file == "" {
				file = "cairn-support-" + time.Now().UTC().Format("20060102-150405") + ".tar.gz"
			}
			return t.bundle(cmd.Context(), file, cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	t.flags(cmd)
	cmd.Flags().StringVarP(&file, "output", "o", "", "file to write, - for standard output (default: cairn-support-TIME.tar.gz)")
	return cmd
}

func (t *target) bundle(ctx context.Context, file string, out, notes io.Writer) error {
	if err := t.resolve(); err != nil {
		return err
	}
	c, err := t.streams()
	if err != nil {
		return err
	}
	stream, err := c.CollectSupport(ctx, &adminpb.CollectSupportRequest{})
	if err != nil {
		return t.adminError(err)
	}
	defer func() { _ = stream.Close() }()
	to := out
	if file != "-" {
		f, err := os.OpenFile(file, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
		if err != nil {
			return fmt.Errorf("-o: %w", err)
		}
		defer func() { _ = f.Close() }() // A failure to write was told by then.
		to = f
	}
	counted := &countedWriter{w: to}
	files, err := writeBundle(counted, stream, notes)
	var ce *connect.Error
	switch {
	case errors.As(err, &ce):
		err = t.adminError(err)
	case err == nil && file != "-":
		fmt.Fprintf(out, "%s: %d files, %s\n", file, files, humanize.IBytes(uint64(counted.n)))
	}
	if err != nil && file != "-" {
		_ = os.Remove(file)
	}
	return err
}

// writeBundle makes an archive of the pieces of a stream.
func writeBundle(w io.Writer, stream *connect.ServerStreamForClient[adminpb.SupportPiece], notes io.Writer) (files int, err error) {
	zip := gzip.NewWriter(w)
	archive := tar.NewWriter(zip)
	now := time.Now().Truncate(time.Second)
	var name string
	var text bytes.Buffer
	flush := func() error {
		if name == "" {
			return nil
		}
		if path.Base(name) == "missing.txt" {
			fmt.Fprintf(notes, "cairn: %s: %s", path.Dir(name), text.String())
		}
		files++
		err := archive.WriteHeader(&tar.Header{Name: "cairn-support/" + name, Mode: 0o600, Size: int64(text.Len()), ModTime: now})
		if err == nil {
			_, err = archive.Write(text.Bytes())
		}
		text.Reset()
		return err
	}
	for stream.Receive() {
		p := stream.Msg()
		if p.Name != name {
			if !safeName(p.Name) {
				return files, fmt.Errorf("the cluster sent a file of the name %q", p.Name)
			}
			if err := flush(); err != nil {
				return files, err
			}
			name = p.Name
		}
		if text.Len()+len(p.Data) <= maxBundleFile {
			text.Write(p.Data)
		}
	}
	return files, errors.Join(stream.Err(), flush(), archive.Close(), zip.Close())
}

// safeName reports whether a name of an archive stays inside it.
func safeName(name string) bool {
	return name != "" && path.Clean(name) == name && !path.IsAbs(name) && !strings.HasPrefix(name, "..")
}

type countedWriter struct {
	w io.Writer
	n int64
}

func (c *countedWriter) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	c.n += int64(n)
	return n, err
}
