package wirexml

import (
	"strconv"
	"strings"

	"github.com/cairnstore/cairn/s3api/s3err"
)

// MaxRoutingRules bounds how many routing rules a website may have.
const MaxRoutingRules = 50

// Website is the document that says how a bucket is served as a website.
type Website struct {
	RedirectAll *Redirect // Redirects all requests; nothing else is set then. Nil: the bucket is served.
	Index       string    // Suffix: the name of the document for a folder.
	Error       string    // Key of the document that is served with errors; may be empty.
	Rules       []RoutingRule
}

// RoutingRule redirects the requests that meet its condition.
type RoutingRule struct {
	Conditional bool   // It has a Condition.
	KeyPrefix   string // Empty: any key.
	ErrorCode   int    // The HTTP status of an error; 0: the rule is for requests and not for errors.
	Redirect    Redirect
}

// Redirect says where a request is redirected. What is empty stays as in the request.
type Redirect struct {
	Protocol, Host string
	ReplacePrefix  string // Replaces the key's prefix, if HasPrefix.
	HasPrefix      bool
	ReplaceKey     string
	Code           int // 0: 301.
}

// AppendXML implements Document.
func (d *Website) AppendXML(dst []byte, ns string) []byte {
	dst = appendRoot(dst, "WebsiteConfiguration", ns)
	if d.RedirectAll != nil {
		dst = d.RedirectAll.append(dst, "RedirectAllRequestsTo")
	}
	if d.Index != "" {
		dst = append(appendText(append(dst, "<IndexDocument>"...), "Suffix", d.Index), "</IndexDocument>"...)
	}
	if d.Error != "" {
		dst = append(appendText(append(dst, "<ErrorDocument>"...), "Key", d.Error), "</ErrorDocument>"...)
	}
	if len(d.Rules) > 0 {
		dst = append(dst, "<RoutingRules>"...)
		for i := range d.Rules {
			dst = d.Rules[i].append(dst)
		}
		dst = append(dst, "</RoutingRules>"...)
	}
	return append(dst, "</WebsiteConfiguration>"...)
}

func (r *RoutingRule) append(dst []byte) []byte {
	dst = append(dst, "<RoutingRule>"...)
	if r.Conditional {
		dst = append(dst, "<Condition>"...)
		dst = appendOptional(dst, "KeyPrefixEquals", r.KeyPrefix)
		if r.ErrorCode != 0 {
			dst = appendInt(dst, "HttpErrorCodeReturnedEquals", int64(r.ErrorCode))
		}
		dst = append(dst, "</Condition>"...)
	}
	dst = r.Redirect.append(dst, "Redirect")
	return append(dst, "</RoutingRule>"...)
}

func (r *Redirect) append(dst []byte, name string) []byte {
	dst = appendOpen(dst, name)
	dst = appendOptional(dst, "Protocol", r.Protocol)
	dst = appendOptional(dst, "HostName", r.Host)
	if r.HasPrefix {
		dst = appendText(dst, "ReplaceKeyPrefixWith", r.ReplacePrefix)
	}
	dst = appendOptional(dst, "ReplaceKeyWith", r.ReplaceKey)
	if r.Code != 0 {
		dst = appendInt(dst, "HttpRedirectCode", int64(r.Code))
	}
	return appendClose(dst, name)
}

// ParseWebsite parses a WebsiteConfiguration. It has either RedirectAllRequestsTo alone, or an
// index document and perhaps an error document and routing rules.
func ParseWebsite(body []byte) (*Website, error) {
	s, d := newScanner(body), &Website{}
	seen := map[string]bool{}
	err := s.document("WebsiteConfiguration", func(name string) error {
		if seen[name] {
			return s.unknown(name)
		}
		seen[name] = true
		switch name {
		case "RedirectAllRequestsTo":
			got, err := s.leaves("HostName", "Protocol")
			if err != nil {
				return err
			}
			d.RedirectAll, err = redirect(got)
			if err == nil && d.RedirectAll.Host == "" {
				err = s3err.MalformedXML.Say("RedirectAllRequestsTo needs a HostName.")
			}
			return err
		case "IndexDocument":
			got, err := s.leaves("Suffix")
			d.Index = got.word("Suffix")
			return err
		case "ErrorDocument":
			got, err := s.leaves("Key")
			d.Error = got["Key"]
			return err
		case "RoutingRules":
			return d.parseRules(s)
		}
		return s.malformed("this element is not expected here, or not twice")
	})
	if err == nil {
		err = d.check(seen)
	}
	if err != nil {
		return nil, err
	}
	return d, nil
}

func (d *Website) check(seen map[string]bool) error {
	switch {
	case d.RedirectAll != nil && len(seen) > 1:
		return s3err.InvalidRequest.Say("RedirectAllRequestsTo cannot be provided in conjunction with other Routing Rules.")
	case d.RedirectAll != nil:
		return nil
	case d.Index == "" || strings.Contains(d.Index, "/"):
		return s3err.BadArgument("IndexDocument", d.Index,
			"The IndexDocument Suffix is not well formed: it must be a name without a slash.")
	case seen["ErrorDocument"] && d.Error == "":
		return s3err.BadArgument("ErrorDocument", "", "The ErrorDocument Key is not well formed.")
	}
	return nil
}

func (d *Website) parseRules(s *scanner) error {
	return s.children(func(name string) error {
		if name != "RoutingRule" {
			return s.unknown(name)
		}
		if len(d.Rules) == MaxRoutingRules {
			return s3err.InvalidRequest.Say(strconv.Itoa(MaxRoutingRules+1) + " routing rules provided, the number of routing rules in a website configuration is limited to " +
				strconv.Itoa(MaxRoutingRules) + ".")
		}
		r, err := parseRoutingRule(s)
		d.Rules = append(d.Rules, r)
		return err
	})
}

func parseRoutingRule(s *scanner) (r RoutingRule, err error) {
	redirected := false
	err = s.children(func(name string) error {
		switch {
		case name == "Condition" && !r.Conditional:
			r.Conditional = true
			return r.parseCondition(s)
		case name == "Redirect" && !redirected:
			redirected = true
			got, err := s.leaves("Protocol", "HostName", "ReplaceKeyPrefixWith", "ReplaceKeyWith", "HttpRedirectCode")
			if err != nil || len(got) == 0 {
				return orMalformed(err, "A Redirect must say where to.")
			}
			to, err := redirect(got)
			if err == nil {
				r.Redirect = *to
			}
			return err
		}
		return s.unknown(name)
	})
	if err == nil && !redirected {
		err = s3err.MalformedXML.Say("A RoutingRule needs a Redirect.")
	}
	return r, err
}

func orMalformed(err error, why string) error {
	if err != nil {
		return err
	}
	return s3err.MalformedXML.Say(why)
}

// Statuses of HTTP that rules may name.
const (
	firstRedirect, lastRedirect = 301, 308
	firstError, lastError       = 400, 599
)

func (r *RoutingRule) parseCondition(s *scanner) error {
	got, err := s.leaves("KeyPrefixEquals", "HttpErrorCodeReturnedEquals")
	if err != nil || len(got) == 0 {
		return orMalformed(err, "A Condition needs KeyPrefixEquals or HttpErrorCodeReturnedEquals.")
	}
	r.KeyPrefix = got["KeyPrefixEquals"]
	r.ErrorCode, err = got.status("HttpErrorCodeReturnedEquals", firstError, lastError)
	return err
}

// status returns the text of an element as a status from first to last; 0 if the element is
// missing.
func (l leaves) status(name string, first, last int64) (int, error) {
	n, err := l.number(name, first)
	if err == nil && n > last {
		err = s3err.BadArgument(name, "",
			"The provided HTTP code ("+strconv.FormatInt(n, 10)+") is not valid. Valid codes are "+strconv.FormatInt(first, 10)+" to "+
				strconv.FormatInt(last, 10)+".")
	}
	return int(n), err
}

// redirect reads the elements of a redirect.
func redirect(got leaves) (*Redirect, error) {
	r := &Redirect{Protocol: got.word("Protocol"), Host: got.word("HostName"), ReplacePrefix: got["ReplaceKeyPrefixWith"], ReplaceKey: got["ReplaceKeyWith"]}
	_, r.HasPrefix = got["ReplaceKeyPrefixWith"]
	var err error
	switch r.Code, err = got.status("HttpRedirectCode", firstRedirect, lastRedirect); {
	case err != nil:
		return nil, err
	case r.Protocol != "" && r.Protocol != "http" && r.Protocol != "https":
		return nil, s3err.InvalidRequest.Say("Invalid protocol, protocol can be http or https. If not defined the protocol will be selected automatically.")
	case r.HasPrefix && r.ReplaceKey != "":
		return nil, s3err.InvalidRequest.Say("You can only define ReplaceKeyPrefix or ReplaceKey but not both.")
	case strings.ContainsAny(r.Host, "/ ?#@") || !printableASCII(r.Host):
		return nil, s3err.InvalidRequest.Say("The HostName of a redirect must be the name of a host.")
	}
	return r, nil
}
