package node

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"github.com/cairnstore/cairn/s3api/notify"
)

// eventFlags registers the settings of event notifications.
func (c *Config) eventFlags(fs *pflag.FlagSet) {
	fs.StringSliceVar(&c.EventTargets, "event-target", nil,
		"targets of event notifications, ID=URL, comma separated, the same on every node: http(s)://… (a webhook), nats://HOST:PORT/SUBJECT, jetstream://HOST:PORT/SUBJECT or kafka://HOST:PORT,HOST:PORT/TOPIC (kafkas: with TLS); rules name them arn:cairn:sqs:REGION:ID:webhook (or :nats, :kafka)")
	fs.StringSliceVar(&c.EventAccounts, "event-target-accounts", nil,
		"which accounts' buckets may name a target of event-target, ID=ACCOUNT (its id), comma separated, once for each account; a target that is not listed is every account's")
	fs.StringVar(&c.EventTokenFile, "event-token-file", "", "file with lines ID=TOKEN: what targets are shown to let this cluster in (webhooks: a bearer token; NATS: a token; Kafka: the password of the URL's user)")
}

// openEvents opens the targets of event notifications.
func (n *Node) openEvents(context.Context) error {
	tokens, err := readTokens(n.cfg.EventTokenFile)
	if err != nil {
		return settingError("event-token-file", "%v", err)
	}
	specs, err := notify.ParseSpecs(n.cfg.EventTargets, func(id string) string { return tokens[id] })
	if err == nil {
		accounts, bad := targetAccounts(n.cfg.EventAccounts, specs)
		if bad != nil {
			return settingError("event-target-accounts", "%v", bad)
		}
		for i := range specs {
			specs[i].Accounts = accounts[specs[i].ID]
		}
		n.eventTargets, err = notify.NewRegistry(n.cfg.Region, specs)
	}
	if err != nil {
		return settingError("event-target", "%v", err)
	}
	n.later(func(context.Context) error { n.eventTargets.Close(); return nil })
	return nil
}

// setEventTargets opens the targets that are set for the cluster. A target that this node cannot
// use is logged and left out.
func (n *Node) setEventTargets() {
	targets, err := n.access.keys.EventTargets()
	specs := make([]notify.Spec, len(targets))
	for i, t := range targets {
		specs[i] = notify.Spec{ID: t.ID, URL: t.URL, Token: t.Token, Accounts: t.Accounts}
	}
	if err = errors.Join(err, n.eventTargets.SetCluster(specs)); err != nil {
		n.log.Warn("event targets of the cluster that this node cannot use", "cause", err)
	}
}

// knownTarget reports whether rules of an account's buckets may name a target. The target may have
// been made on another node just now.
func (n *Node) knownTarget(ctx context.Context, arn, account string) bool {
	return n.eventTargets.Allows(arn, account) || (n.access.directory.Refresh(ctx) == nil && n.eventTargets.Allows(arn, account))
}

// targetAccounts reads ID=ACCOUNT,… of the setting event-target-accounts.
func targetAccounts(lines []string, known []notify.Spec) (map[string][]string, error) {
	accounts := map[string][]string{}
	for _, line := range lines {
		id, account, ok := strings.Cut(line, "=")
		if !ok || id == "" || account == "" {
			return nil, fmt.Errorf("%q is not ID=ACCOUNT", line)
		}
		if !slices.ContainsFunc(known, func(s notify.Spec) bool { return s.ID == id }) {
			return nil, fmt.Errorf("there is no target %q in the setting event-target", id)
		}
		accounts[id] = append(accounts[id], account)
	}
	return accounts, nil
}

// readTokens reads lines ID=TOKEN. Empty lines and those that begin with # are passed over. Errors
// do not hold a token.
func readTokens(path string) (map[string]string, error) {
	if path == "" {
		return nil, nil
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	tokens := map[string]string{}
	for i, line := range strings.Split(string(text), "\n") {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		id, token, ok := strings.Cut(line, "=")
		if !ok || id == "" || token == "" {
			return nil, fmt.Errorf("%s line %d is not ID=TOKEN", path, i+1)
		}
		tokens[id] = token
	}
	return tokens, nil
}
