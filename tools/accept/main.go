// Command accept checks a running S3 endpoint against the rules of Upload Part - Copy and what
// surrounds it. It speaks plain HTTP and signs by itself, so that no client library changes what a case
// sends. The cases stand in the rows of an acceptance list. The exit status is 1 if a case failed, and
// 2 if the program could not run.
package main

import (
	"crypto/tls"
	"crypto/x509"
	"flag"
	"fmt"
	"net/http"
	"os"
	"regexp"
	"strings"
	"time"
)

// config is what the flags say.
type config struct {
	endpoint string
	region   string
	domain   string
	compat   string
	admin    string
	caFile   string
	run      string
	keep     bool

	main, user, other credentials
}

// credentials are an access key and its secret, and a token if they are temporary.
type credentials struct{ access, secret, token string }

func (c *credentials) String() string { return c.access }

// Set implements flag.Value: ACCESS:SECRET.
func (c *credentials) Set(v string) error {
	access, secret, ok := strings.Cut(v, ":")
	if !ok {
		return fmt.Errorf("must be ACCESS:SECRET")
	}
	*c = credentials{access: access, secret: secret}
	return nil
}

func parseFlags() (*config, error) {
	c := &config{}
	flag.StringVar(&c.endpoint, "endpoint", "http://127.0.0.1:9000", "URL of the endpoint; SSE-C needs https or a loopback listener")
	flag.StringVar(&c.region, "region", "us-east-1", "region to sign for")
	flag.StringVar(&c.domain, "domain", "", "host name for virtual-host style, which must lead to the endpoint; empty: path style alone")
	flag.StringVar(&c.compat, "compat", "obs", "what the endpoint is set to: obs or aws")
	flag.StringVar(&c.admin, "admin", "", "command of the admin tool with its flags, as \"bin/cairn\"; empty: cases that turn a setting are passed over")
	flag.StringVar(&c.caFile, "ca-file", "", "certificate authority (PEM) of the endpoint")
	flag.StringVar(&c.run, "run", "", "only cases whose name matches this regular expression")
	flag.BoolVar(&c.keep, "keep", false, "leave the buckets behind")
	flag.Var(&c.main, "key", "ACCESS:SECRET of an account")
	flag.Var(&c.user, "user-key", "ACCESS:SECRET of a user in that account who may do all; empty: cases about users are passed over")
	flag.Var(&c.other, "other-key", "ACCESS:SECRET of another account; empty: cases about two accounts are passed over")
	flag.Parse()
	if c.main.access == "" {
		return nil, fmt.Errorf("--key is missing: give ACCESS:SECRET")
	}
	if c.compat != "obs" && c.compat != "aws" {
		return nil, fmt.Errorf("--compat must be obs or aws, not %q", c.compat)
	}
	return c, nil
}

func (c *config) httpClient() (*http.Client, error) {
	t := &http.Transport{MaxIdleConnsPerHost: 16, ForceAttemptHTTP2: false, TLSClientConfig: &tls.Config{}}
	if c.caFile != "" {
		pem, err := os.ReadFile(c.caFile)
		if err != nil {
			return nil, err
		}
		t.TLSClientConfig.RootCAs = x509.NewCertPool()
		if !t.TLSClientConfig.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("--ca-file %s holds no certificate", c.caFile)
		}
	}
	return &http.Client{Transport: t, Timeout: requestTimeout}, nil
}

const requestTimeout = 2 * time.Minute

func main() {
	c, err := parseFlags()
	if err == nil {
		err = runAll(c)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "accept:", err)
		os.Exit(2)
	}
}

// runAll runs the cases and prints a line for each. If one fails it ends the process.
func runAll(c *config) error {
	only, err := regexp.Compile(c.run)
	if err != nil {
		return fmt.Errorf("--run: %w", err)
	}
	h, err := c.httpClient()
	if err != nil {
		return err
	}
	w, err := newWorld(c, h)
	if err != nil {
		return err
	}
	counts := map[outcome]int{}
	for _, r := range rows() {
		for _, k := range r.cases {
			name := fmt.Sprintf("%02d %s: %s", r.number, r.title, k.name)
			if !only.MatchString(name) {
				continue
			}
			result, why := runCase(w, k)
			counts[result]++
			fmt.Printf("%-6s %s%s\n", result, name, why)
		}
	}
	if !c.keep {
		w.removeAll()
	}
	fmt.Printf("\n%d passed, %d failed, %d passed over\n", counts[passed], counts[failed], counts[skipped])
	if counts[failed] > 0 {
		os.Exit(1)
	}
	return nil
}

// outcome is how a case ended.
type outcome string

const (
	passed  outcome = "ok"
	failed  outcome = "FAILED"
	skipped outcome = "-"
)

// row is one item of the acceptance list.
type row struct {
	number int
	title  string
	cases  []testCase
}

type testCase struct {
	name string
	run  func(*t)
}

// t is a running case.
type t struct {
	*world
	failures []string
	skip     string
}

// stop is what a case panics with to end early.
type stop struct{}

func runCase(w *world, k testCase) (result outcome, why string) {
	c := &t{world: w}
	func() {
		defer func() {
			if p := recover(); p != nil {
				if _, ok := p.(stop); !ok {
					panic(p)
				}
			}
		}()
		k.run(c)
	}()
	switch {
	case len(c.failures) > 0:
		return failed, "\n         " + strings.Join(c.failures, "\n         ")
	case c.skip != "":
		return skipped, " (" + c.skip + ")"
	}
	return passed, ""
}

// errorf notes a failure and goes on. fatalf ends the case after it.
func (c *t) errorf(format string, args ...any) {
	c.failures = append(c.failures, fmt.Sprintf(format, args...))
}

func (c *t) fatalf(format string, args ...any) {
	c.errorf(format, args...)
	panic(stop{})
}

func (c *t) passOver(why string) {
	c.skip = why
	panic(stop{})
}
