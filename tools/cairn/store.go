package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"github.com/aws/smithy-go"
	"github.com/spf13/cobra"

	"github.com/cairnstore/cairn/tools/transfer"
)

// storeHelp ends the help of every command that works with objects.
const storeHelp = `The store is the cluster of --endpoint or CAIRN_ENDPOINT, or any other that speaks S3: what
CAIRN_* leave open is read from AWS_* and the files in ~/.aws, and --profile may name one of
these. If nothing says otherwise it is a running cairn dev.

` + storeExit

const storeExit = `Exit status: 0 all is done, 1 something was refused or failed, 2 wrong usage, 3 not found,
5 the endpoint cannot be reached, 130 interrupted.`

// storeFlags say which store a command works with.
type storeFlags struct {
	target
	region    string
	anonymous bool
}

func (s *storeFlags) flags(cmd *cobra.Command) {
	fs := cmd.Flags()
	fs.StringVar(&s.Endpoint, "endpoint", "",
		"S3 endpoint, as https://HOST:PORT (CAIRN_ENDPOINT, AWS_ENDPOINT_URL; default: a running cairn dev, or AWS)")
	fs.StringVar(&s.CAFile, "ca-file", "",
		"certificate authority (PEM) of the endpoint (CAIRN_CA_FILE, AWS_CA_BUNDLE; default: those of this machine)")
	fs.StringVar(&s.profile, "profile", "",
		"profile in ~/.aws, or a YAML file as for other commands (CAIRN_PROFILE, AWS_PROFILE; default: the usual ones)")
	fs.StringVar(&s.region, "region", "", "region in signatures (AWS_REGION; default: as ~/.aws says, else us-east-1)")
	fs.StringVar(&s.AccessKey, "access-key", "", "access key (CAIRN_ACCESS_KEY, AWS_ACCESS_KEY_ID)")
	fs.StringVar(&s.SecretKey, "secret-key", "", "secret key (better set as CAIRN_SECRET_KEY or AWS_SECRET_ACCESS_KEY)")
	fs.BoolVar(&s.anonymous, "anonymous", false, "sign nothing: what everybody may read")
}

// isFile reports whether --profile names a YAML file and no profile of AWS.
func isProfileFile(name string) bool {
	if strings.ContainsRune(name, '/') || strings.HasSuffix(name, ".yaml") || strings.HasSuffix(name, ".yml") {
		return true
	}
	info, err := os.Stat(name)
	return err == nil && info.Mode().IsRegular()
}

// awsSpeaks reports whether the environment says which store of AWS's tools is meant.
func awsSpeaks() bool {
	for _, name := range []string{"AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID", "AWS_PROFILE"} {
		if os.Getenv(name) != "" {
			return true
		}
	}
	return false
}

// where fills in which store is meant: what flags say, else a profile of AWS that a flag names, CAIRN_*, the
// YAML profile, AWS_*, a running dev, and ~/.aws, in this order.
func (s *storeFlags) where() (transfer.Endpoint, error) {
	e := transfer.Endpoint{Region: s.region, Anonymous: s.anonymous}
	if s.profile != "" && !isProfileFile(s.profile) {
		e.Profile = s.profile
		if s.CAFile == "" {
			s.CAFile = os.Getenv("CAIRN_CA_FILE")
		}
	} else {
		s.fill(target{Endpoint: os.Getenv("CAIRN_ENDPOINT"), AccessKey: os.Getenv("CAIRN_ACCESS_KEY"),
			SecretKey: os.Getenv("CAIRN_SECRET_KEY"), CAFile: os.Getenv("CAIRN_CA_FILE")})
		path := s.profile
		if path == "" {
			path = os.Getenv("CAIRN_PROFILE")
		}
		file, err := readProfile(path)
		if err != nil {
			return e, err
		}
		s.fill(file)
		if (s.Endpoint == "" || s.AccessKey == "") && (s.Endpoint != "" || !awsSpeaks()) {
			if err := s.fillFromDev(runningDevs()); err != nil {
				return e, err
			}
		}
	}
	e.URL, e.AccessKey, e.SecretKey, e.CAFile = s.Endpoint, s.AccessKey, s.SecretKey, s.CAFile
	switch {
	case e.URL != "" && !strings.HasPrefix(e.URL, "http://") && !strings.HasPrefix(e.URL, "https://"):
		return e, &statusError{exitUsage, fmt.Errorf("--endpoint %q must begin with http:// or https://", e.URL)}
	case e.AccessKey != "" && e.SecretKey == "":
		return e, &statusError{exitUsage, errors.New("an access key without its secret: give CAIRN_SECRET_KEY")}
	}
	return e, nil
}

// open returns the store.
func (s *storeFlags) open(ctx context.Context) (*transfer.Store, error) {
	e, err := s.where()
	if err != nil {
		return nil, err
	}
	store, err := transfer.Open(ctx, e)
	if err != nil {
		return nil, &statusError{exitUsage, err}
	}
	if err := store.HasKeys(ctx); err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, &statusError{exitUsage, errors.New("no keys to sign with: give CAIRN_ACCESS_KEY and CAIRN_SECRET_KEY, " +
			"or those of AWS, or --anonymous, or start `cairn dev`")}
	}
	return store, nil
}

// storeFailure gives an error of a store its exit status.
func storeFailure(ctx context.Context, s *transfer.Store, err error) error {
	var own *statusError
	var usage *transfer.UsageError
	var told smithy.APIError
	switch {
	case err == nil || errors.As(err, &own):
		return err
	case ctx.Err() != nil:
		return &statusError{exitInterrupted, errors.New("interrupted")}
	case errors.As(err, &usage):
		return &statusError{exitUsage, err}
	}
	text := errors.New(transfer.Sentence(err))
	var f *transfer.Failure
	if errors.As(err, &f) {
		text = errors.New(f.Error())
	}
	switch status := transfer.Status(err); {
	case transfer.IsNothing(err):
		return &statusError{exitNotFound, text}
	case transfer.Unreachable(err) || status >= http.StatusInternalServerError && errors.As(err, &told):
		return &statusError{exitUnavailable, fmt.Errorf("%s: %w", s.Name, text)}
	}
	return &statusError{exitError, text}
}

// places reads the arguments of a command.
func places(args []string) ([]transfer.Location, error) {
	var list []transfer.Location
	for _, a := range args {
		l, err := transfer.Parse(a)
		if err != nil {
			return nil, &statusError{exitUsage, err}
		}
		list = append(list, l)
	}
	return list, nil
}

// inStore reads arguments that must be s3://BUCKET or below; keyed: with a key.
func inStore(args []string, keyed bool) ([]transfer.Location, error) {
	list, err := places(args)
	for i, l := range list {
		switch {
		case l.Kind != transfer.Object:
			return nil, &statusError{exitUsage, fmt.Errorf("%q is not s3://BUCKET", args[i])}
		case keyed && l.Key == "":
			return nil, &statusError{exitUsage, fmt.Errorf("%q is not s3://BUCKET/KEY", args[i])}
		}
	}
	return list, err
}

// buckets reads arguments that must be s3://BUCKET, or the name of one.
func bucketNames(args []string) ([]string, error) {
	var names []string
	for _, a := range args {
		name := strings.TrimSuffix(strings.TrimPrefix(a, transfer.Scheme), "/")
		if name == "" || strings.ContainsRune(name, '/') {
			return nil, &statusError{exitUsage, fmt.Errorf("%q is not s3://BUCKET", a)}
		}
		names = append(names, name)
	}
	return names, nil
}

// atLeast checks the number of arguments; most < 0: as many as there are.
func atLeast(takes string, least, most int) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) < least || most >= 0 && len(args) > most {
			return &statusError{exitUsage, fmt.Errorf("%s takes %s, got %q", cmd.CommandPath(), takes, args)}
		}
		return nil
	}
}

// stateDir is where uploads and copies that were interrupted are remembered; empty: nowhere.
func stateDir() string {
	dir, err := os.UserCacheDir()
	if err != nil {
		return ""
	}
	return filepath.Join(dir, "cairn", "transfers")
}
