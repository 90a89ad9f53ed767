package policy

import (
	"fmt"
	"slices"
	"strings"
)

// bucketARN is the beginning of the names of buckets and objects.
const bucketARN = "arn:aws:s3:::"

// resources returns the patterns of Resource, or those of NotResource and negated.
func (c *compiler) resources(n node) (resources []pattern, negated bool, bad *Error) {
	element, value, negated, bad := c.either(n, "Resource")
	if bad != nil {
		return nil, false, bad
	}
	values, bad := c.list(element, value, false)
	if bad != nil {
		return nil, false, bad
	}
	for _, text := range values {
		err := c.checkResource(text)
		var p pattern
		if err == nil {
			p, err = syntax{wildcards: true, variables: c.variables}.compile(text)
		}
		if err != nil {
			return nil, false, c.fail(element, "%v", err)
		}
		resources = append(resources, p)
	}
	return resources, negated, nil
}

// checkResource checks the beginning of a resource, which says what kind of thing it names.
func (c *compiler) checkResource(text string) error {
	if text == "*" {
		return nil
	}
	if rest, ok := strings.CutPrefix(text, bucketARN); ok && rest != "" {
		return nil
	}
	if c.kind == Resource {
		return fmt.Errorf("%q is no resource of a bucket: use arn:aws:s3:::BUCKET, arn:aws:s3:::BUCKET/KEY with wildcards * and ?, or \"*\"", text)
	}
	parts := splitARN(text, c.variables)
	if len(parts) == 6 && parts[0] == "arn" && parts[1] == "aws" && parts[5] != "" {
		switch parts[2] {
		case "kms", "iam", "sts":
			return nil
		}
	}
	return fmt.Errorf("%q is no resource: use arn:aws:s3:::BUCKET/KEY, arn:aws:kms:REGION:ID:key/KEY or arn:aws:iam::ID:role/NAME with wildcards * and ?, or \"*\"", text)
}

// checkBucket checks that each resource is the bucket or may name something in it.
func (p *Policy) checkBucket(bucket string) *Error {
	for i := range p.statements {
		s := &p.statements[i]
		for j := range s.resources {
			if s.resources[j].reaches(BucketARN(bucket)) {
				continue
			}
			element := "Resource"
			if s.notResource {
				element = "NotResource"
			}
			return &Error{Statement: i + 1, Sid: s.sid, Element: element, Reason: fmt.Sprintf(
				"%q is outside the bucket: use %q, %q or keys in it", s.resources[j].text, BucketARN(bucket), ObjectARN(bucket, "*"))}
		}
	}
	return nil
}

// reaches reports whether the pattern matches name, or some text that begins with name and a slash.
// Variables count as if they could have any value.
func (p *pattern) reaches(name string) bool {
	// states are the places in the flat pattern to which the text so far can lead.
	flat := p.flatten()
	states := make([]bool, len(flat)+1)
	states[0] = true
	closure(flat, states)
	for _, c := range name {
		states = step(flat, states, c)
	}
	return states[len(flat)] || slices.Contains(step(flat, states, '/'), true)
}

// The special characters of a flat pattern. They are negative, so no code point equals them.
const (
	flatStar = -1
	flatAny  = -2
)

// flatten returns the pattern as code points, with flatStar for a star or a variable and flatAny
// for a '?'.
func (p *pattern) flatten() []rune {
	var flat []rune
	for i, s := range p.segments {
		if i > 0 {
			flat = append(flat, flatStar)
		}
		for _, c := range s {
			switch {
			case c.variable != "":
				flat = append(flat, flatStar)
			case c.any > 0:
				for range c.any {
					flat = append(flat, flatAny)
				}
			default:
				flat = append(flat, []rune(c.literal)...)
			}
		}
	}
	return flat
}

// closure adds the places behind stars, because a star may match nothing.
func closure(flat []rune, states []bool) {
	for i, c := range flat {
		if states[i] && c == flatStar {
			states[i+1] = true
		}
	}
}

// step returns the places to which character c leads from states.
func step(flat []rune, states []bool, c rune) []bool {
	next := make([]bool, len(states))
	for i, want := range flat {
		switch {
		case !states[i]:
		case want == flatStar:
			next[i] = true
		case want == flatAny || want == c:
			next[i+1] = true
		}
	}
	closure(flat, next)
	return next
}
