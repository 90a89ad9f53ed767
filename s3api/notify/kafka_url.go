package notify

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"regexp"
	"strings"

	"github.com/twmb/franz-go/pkg/sasl"
	"github.com/twmb/franz-go/pkg/sasl/plain"
	"github.com/twmb/franz-go/pkg/sasl/scram"
)

// Schemes of Kafka; kafkas is with TLS.
const (
	schemeKafka  = "kafka"
	schemeKafkas = "kafkas"
)

const (
	kafkaPort        = "9092"
	kafkaDefaultSASL = "scram-sha-512"
)

var kafkaTopic = regexp.MustCompile(`^[A-Za-z0-9._-]{1,249}$`)

// parseKafka returns the target of kafka://HOST:PORT,HOST:PORT/TOPIC?OPTIONS; rest is what follows
// "://". It parses by hand, because net/url takes no URL with several hosts.
func parseKafka(scheme, rest, token string) (*kafka, error) {
	address, query, _ := strings.Cut(rest, "?")
	hosts, topic, _ := strings.Cut(address, "/")
	if strings.Contains(hosts, "@") {
		return nil, errors.New("it needs a URL without a password: name the user as ?user=NAME and put the password into the file of tokens")
	}
	if !kafkaTopic.MatchString(topic) || topic == "." || topic == ".." {
		return nil, errors.New("it needs a topic: kafka://HOST:PORT,HOST:PORT/TOPIC")
	}
	t := &kafka{topic: topic, timeout: kafkaTimeout}
	for _, host := range strings.Split(hosts, ",") {
		broker, err := brokerAddress(host)
		if err != nil {
			return nil, err
		}
		t.brokers = append(t.brokers, broker)
	}
	options, err := url.ParseQuery(query)
	if err != nil {
		return nil, errors.New("what follows ? is not of the form NAME=VALUE&NAME=VALUE")
	}
	return t, t.set(scheme == schemeKafkas, options, token)
}

// brokerAddress returns HOST:PORT for HOST or HOST:PORT.
func brokerAddress(text string) (string, error) {
	host, port, err := net.SplitHostPort(text)
	if err != nil {
		host, port = strings.Trim(text, "[]"), kafkaPort
	}
	if host == "" || strings.ContainsAny(host, " /") || (err != nil && strings.Contains(host, ":") && net.ParseIP(host) == nil) {
		return "", fmt.Errorf("%q is not a broker HOST:PORT", text)
	}
	if _, err := net.LookupPort("tcp", port); err != nil {
		return "", fmt.Errorf("%q is not a broker HOST:PORT", text)
	}
	return net.JoinHostPort(host, port), nil
}

// set applies the options of a URL: tls, ca (a PEM file), user and sasl. token is the user's
// password.
func (t *kafka) set(secure bool, options url.Values, token string) error {
	for name, values := range options {
		if len(values) != 1 || values[0] == "" {
			return fmt.Errorf("option %s needs one value", name)
		}
		switch name {
		case "tls":
			if values[0] != "true" && values[0] != "false" {
				return errors.New("option tls is true or false")
			}
			secure = secure || values[0] == "true"
		case "ca", "user", "sasl":
		default:
			return fmt.Errorf("%q is none of the options tls, ca, user and sasl", name)
		}
	}
	if ca := options.Get("ca"); secure || ca != "" {
		t.tls = &tls.Config{MinVersion: tls.VersionTLS12}
		if ca != "" {
			roots, err := readRoots(ca)
			if err != nil {
				return err
			}
			t.tls.RootCAs = roots
		}
	}
	user := options.Get("user")
	switch {
	case user == "" && options.Get("sasl") != "":
		return errors.New("option sasl needs a user: ?user=NAME")
	case user == "" && token != "":
		return errors.New("it has a password, but no user: add ?user=NAME")
	case user == "":
		return nil
	case token == "":
		return errors.New("its user has no password: add a line ID=PASSWORD to the file of tokens")
	}
	var err error
	t.sasl, err = mechanism(options.Get("sasl"), user, token)
	return err
}

func mechanism(name, user, password string) (sasl.Mechanism, error) {
	if name == "" {
		name = kafkaDefaultSASL
	}
	switch name {
	case "plain":
		return plain.Auth{User: user, Pass: password}.AsMechanism(), nil
	case "scram-sha-256":
		return scram.Auth{User: user, Pass: password}.AsSha256Mechanism(), nil
	case "scram-sha-512":
		return scram.Auth{User: user, Pass: password}.AsSha512Mechanism(), nil
	}
	return nil, fmt.Errorf("sasl %q is none of plain, scram-sha-256 and scram-sha-512", name)
}

func readRoots(path string) (*x509.CertPool, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("option ca: %w", err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("option ca: %s holds no certificate in PEM", path)
	}
	return roots, nil
}
