package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/cairnstore/cairn/node/admin/adminpb"
)

// Environment variables of the access key to be made; CAIRN_ACCESS_KEY and
// CAIRN_SECRET_KEY are those of whoever makes it.
const (
	envNewAccessKey = "CAIRN_NEW_ACCESS_KEY"
	envNewSecretKey = "CAIRN_NEW_SECRET_KEY"
)

const ownKeysHelp = `--access-key and --secret-key are the keys to be made here; who you are comes from
CAIRN_ACCESS_KEY and CAIRN_SECRET_KEY, the profile or a running cairn dev. Without
them keys are made up. The secret key is printed once and cannot be shown again.`

// maxTextBytes bounds what is read from a file or standard input.
const maxTextBytes = 1 << 20

// newKeys is an access key to be made, given by flags.
type newKeys struct{ access, secret string }

func (k *newKeys) flags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&k.access, "access-key", "", "access key to make ("+envNewAccessKey+"; default: made up)")
	cmd.Flags().StringVar(&k.secret, "secret-key", "", "its secret key; - reads it from standard input ("+envNewSecretKey+"; default: made up)")
}

// read completes the keys from the environment and standard input.
func (k *newKeys) read(in io.Reader) error {
	if k.access == "" {
		k.access = os.Getenv(envNewAccessKey)
	}
	switch k.secret {
	case "":
		k.secret = os.Getenv(envNewSecretKey)
	case "-":
		text, err := readAll(in)
		if err != nil {
			return err
		}
		if k.secret = strings.TrimRight(text, "\r\n"); k.secret == "" {
			return &statusError{exitUsage, errors.New("--secret-key -: standard input is empty")}
		}
	}
	if (k.access == "") != (k.secret == "") {
		return &statusError{exitUsage, errors.New("give both --access-key and --secret-key, or neither to have them made up")}
	}
	return nil
}

// printNewKey shows an access key just made.
func printNewKey(w io.Writer, k *adminpb.AccessKey) {
	row(w, "access key", k.Id)
	row(w, "secret key", k.SecretKey)
	fmt.Fprintln(w, "\nKeep the secret key: it is not shown again.")
}

// readText returns the text of a file, or of standard input for "-".
func readText(in io.Reader, flag, path string) (string, error) {
	switch path {
	case "":
		return "", &statusError{exitUsage, fmt.Errorf("--%s is missing: a file, or - for standard input", flag)}
	case "-":
		return readAll(in)
	}
	f, err := os.Open(path)
	if err != nil {
		return "", &statusError{exitUsage, fmt.Errorf("--%s: %w", flag, err)}
	}
	defer func() { _ = f.Close() }()
	return readAll(f)
}

func readAll(in io.Reader) (string, error) {
	text, err := io.ReadAll(io.LimitReader(in, maxTextBytes+1))
	if err != nil {
		return "", &statusError{exitError, err}
	}
	if len(text) > maxTextBytes {
		return "", &statusError{exitUsage, fmt.Errorf("the input is longer than %d bytes", maxTextBytes)}
	}
	return string(text), nil
}
