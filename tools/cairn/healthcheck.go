package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/spf13/cobra"
)

func newHealthcheck() *cobra.Command {
	var t target
	var live bool
	cmd := &cobra.Command{
		Use:   "healthcheck",
		Short: "Tell by the exit status whether a node is ready (for containers and monitors)",
		Long: `Ask a node's S3 port whether it is ready to serve (/readyz), or with --live only
whether it runs (/livez). Needs no credentials.

Exit status: 0 ready, 2 wrong usage, 5 not ready or not reachable.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if t.Endpoint == "" {
				_ = t.resolve() // Only the endpoint matters; it may come from a running dev.
			}
			if t.Endpoint == "" {
				t.Endpoint = "http://127.0.0.1:9000"
			}
			path := "/readyz"
			if live {
				path = "/livez"
			}
			return t.probe(cmd.Context(), path, cmd.OutOrStdout())
		},
	}
	t.flags(cmd)
	cmd.Flags().BoolVar(&live, "live", false, "only ask whether the process runs")
	return cmd
}

func (t *target) probe(ctx context.Context, path string, out io.Writer) error {
	hc, err := t.httpClient()
	if err != nil {
		return &statusError{exitUsage, err}
	}
	ctx, cancel := withTimeout(ctx)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimRight(t.Endpoint, "/")+path, nil)
	if err != nil {
		return &statusError{exitUsage, err}
	}
	resp, err := hc.Do(req)
	if err != nil {
		return &statusError{exitUnavailable, err}
	}
	defer func() { _ = resp.Body.Close() }()
	text, _ := io.ReadAll(io.LimitReader(resp.Body, 1<<10))
	answer := strings.TrimSpace(string(text))
	if resp.StatusCode != http.StatusOK {
		return &statusError{exitUnavailable, fmt.Errorf("%s%s: %s: %s", t.Endpoint, path, resp.Status, answer)}
	}
	_, err = fmt.Fprintln(out, answer)
	return err
}
