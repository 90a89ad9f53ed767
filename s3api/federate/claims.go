package federate

import (
	"bytes"
	"encoding/json"
	"errors"
	"strconv"
	"strings"
	"time"
)

// MaxSubjectBytes bounds the subject of a token, as OpenID Connect does.
const MaxSubjectBytes = 255

// Token is a token that was verified.
type Token struct {
	Issuer          string
	Subject         string
	Audience        []string
	AuthorizedParty string // Empty: it has none.
	Issued, Expires time.Time

	claims map[string]any
}

// Claim returns the values of a claim: its text, number or truth, or those in a list. A claim in an
// object is named by both names with a dot between them, as realm_access.roles. It returns false if
// there is no such claim, or if it is of another type.
func (t *Token) Claim(name string) ([]string, bool) { return find(t.claims, name) }

func find(claims map[string]any, name string) ([]string, bool) {
	if v, ok := claims[name]; ok {
		return texts(v)
	}
	for at := range len(name) {
		if name[at] != '.' {
			continue
		}
		if inner, ok := claims[name[:at]].(map[string]any); ok {
			return find(inner, name[at+1:])
		}
	}
	return nil, false
}

// texts returns the values of a claim as texts. A list with anything but texts, numbers and truths in
// it has no values.
func texts(v any) ([]string, bool) {
	list, ok := v.([]any)
	if !ok {
		one, ok := text(v)
		return []string{one}, ok
	}
	out := make([]string, 0, len(list))
	for _, item := range list {
		one, ok := text(item)
		if !ok {
			return nil, false
		}
		out = append(out, one)
	}
	return out, true
}

func text(v any) (string, bool) {
	switch v := v.(type) {
	case string:
		return v, true
	case json.Number:
		return v.String(), true
	case bool:
		return strconv.FormatBool(v), true
	}
	return "", false
}

// parseClaims reads the payload of a token whose signature holds.
func parseClaims(payload []byte) (*Token, error) {
	d := json.NewDecoder(bytes.NewReader(payload))
	d.UseNumber()
	t := new(Token)
	if err := d.Decode(&t.claims); err != nil || d.More() {
		return nil, errors.New("the claims are no JSON object")
	}
	for _, c := range []struct {
		name string
		to   *string
	}{{"iss", &t.Issuer}, {"sub", &t.Subject}, {"azp", &t.AuthorizedParty}} {
		v, there := t.claims[c.name]
		if s, ok := v.(string); ok {
			*c.to = s
		} else if there {
			return nil, errors.New("the claim " + c.name + " is no text")
		}
	}
	if t.Subject == "" || len(t.Subject) > MaxSubjectBytes || strings.ToValidUTF8(t.Subject, "") != t.Subject {
		return nil, errors.New("the claim sub must have 1 to " + strconv.Itoa(MaxSubjectBytes) + " bytes")
	}
	switch aud := t.claims["aud"].(type) {
	case string:
		t.Audience = []string{aud}
	case []any:
		for _, v := range aud {
			s, ok := v.(string)
			if !ok {
				return nil, errors.New("the claim aud is no list of texts")
			}
			t.Audience = append(t.Audience, s)
		}
	default:
		return nil, errors.New("the claim aud is missing, or neither a text nor a list")
	}
	return t, nil
}

// maxTime bounds times of claims: the year 9999.
const maxTime = 253402300799

// timeOf returns a claim that is a time, and whether there is one.
func (t *Token) timeOf(name string) (time.Time, bool, error) {
	v, there := t.claims[name]
	if !there {
		return time.Time{}, false, nil
	}
	n, ok := v.(json.Number)
	if !ok {
		return time.Time{}, true, errors.New("the claim " + name + " is no number")
	}
	f, err := n.Float64()
	if err != nil || f < 0 || f > maxTime {
		return time.Time{}, true, errors.New("the claim " + name + " is no time")
	}
	return time.Unix(int64(f), 0), true, nil
}
