package notify

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strings"
)

// Target takes messages, somewhere outside the cluster. Only one goroutine at a time may use it.
type Target interface {
	// Send sends messages in order. It returns how many of them, from the first on, the other side
	// has taken for good. The caller sends the rest again.
	Send(ctx context.Context, messages []Message) (taken int, err error)
	Close()
}

// Kinds of targets in ARNs.
const (
	kindWebhook = "webhook"
	kindNATS    = "nats"
	kindKafka   = "kafka"
)

var targetName = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)

// ARN returns the name by which rules call a target.
func ARN(region, id, kind string) string { return "arn:cairn:sqs:" + region + ":" + id + ":" + kind }

// ParseSpecs returns the targets of settings, each of the form ID=URL. A URL is http://… or
// https://… (a webhook), nats://HOST:PORT/SUBJECT, jetstream://HOST:PORT/SUBJECT if a stream keeps
// the subject, or kafka://HOST:PORT,HOST:PORT/TOPIC. token returns the secret for an ID; empty if
// it has none.
func ParseSpecs(settings []string, token func(id string) string) ([]Spec, error) {
	var specs []Spec
	for _, text := range joinHosts(settings) {
		id, address, ok := strings.Cut(text, "=")
		if !ok {
			return nil, fmt.Errorf("%q is not ID=URL", text)
		}
		specs = append(specs, Spec{ID: id, URL: address, Token: token(id)})
	}
	return specs, nil
}

// joinHosts joins the hosts of a Kafka URL again after a list of settings was split at each comma:
// a piece that does not begin with an ID belongs to the piece before it.
func joinHosts(settings []string) (out []string) {
	for _, text := range settings {
		id, _, _ := strings.Cut(text, "=")
		if n := len(out); n > 0 && !targetName.MatchString(id) && isKafka(out[n-1]) {
			out[n-1] += "," + text
			continue
		}
		out = append(out, text)
	}
	return out
}

func isKafka(setting string) bool {
	_, address, _ := strings.Cut(setting, "=")
	scheme, _, _ := strings.Cut(address, "://")
	return scheme == schemeKafka || scheme == schemeKafkas
}

// open returns the target of a URL and its kind. It does not connect.
func open(address, token string) (kind string, _ Target, _ error) {
	if scheme, rest, _ := strings.Cut(address, "://"); scheme == schemeKafka || scheme == schemeKafkas {
		t, err := parseKafka(scheme, rest, token)
		if err != nil {
			return "", nil, err
		}
		return kindKafka, t, nil
	}
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.User != nil {
		return "", nil, errors.New("it needs a URL with a host and without a password; secrets go into the file of tokens")
	}
	switch u.Scheme {
	case "http", "https":
		return kindWebhook, newWebhook(address, token), nil
	case "nats", "jetstream":
		subject := strings.Trim(u.Path, "/")
		if subject == "" || strings.ContainsAny(subject, "/ *>") {
			return "", nil, errors.New("it needs a subject: nats://HOST:PORT/SUBJECT")
		}
		return kindNATS, newNATS("nats://"+u.Host, subject, token, u.Scheme == "jetstream"), nil
	}
	return "", nil, fmt.Errorf("scheme %q is none of http, https, nats, jetstream, kafka and kafkas", u.Scheme)
}
