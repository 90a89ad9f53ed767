package limit

import (
	"cmp"
	"errors"
	"fmt"
	"strings"
)

// Measure says what of a subject is limited.
type Measure uint8

// Measures. Their order is that of Values and of messages between nodes: new ones go to the end.
const (
	Requests   Measure = iota // All requests, per second.
	Reads                     // Requests of one class, per second.
	Writes                    //
	Lists                     //
	Deletes                   //
	BytesIn                   // Bytes of bodies that clients send, per second.
	BytesOut                  // Bytes of answers, per second.
	Concurrent                // Requests at once.
	Measures                  // How many there are.
)

var measureNames = [Measures]string{
	"requests", "reads", "writes", "lists", "deletes", "bytes-in", "bytes-out", "concurrent",
}

// String returns the name of the measure, as metrics and answers have it.
func (m Measure) String() string {
	if m >= Measures {
		return fmt.Sprintf("measure %d", uint8(m))
	}
	return measureNames[m]
}

// Class is a class of requests.
type Class uint8

// Classes.
const (
	Read Class = iota
	Write
	List
	Delete
)

// measure returns the measure of the requests of a class alone.
func (c Class) measure() Measure { return Reads + Measure(c) }

// Values has the limit of each measure; 0: none.
type Values [Measures]uint64

// ValueMax is the greatest limit: shares are computed in floating point.
const ValueMax = 1 << 53

// Subject is whom a limit is for: an account, or what it has, of which one field more is set.
type Subject struct {
	Account   string // Id. Of a bucket, its owner.
	User      string // Name.
	AccessKey string
	Bucket    string
}

const (
	kindAccount = "account"
	kindUser    = "user"
	kindKey     = "key"
	kindBucket  = "bucket"
)

// Name returns the name of the subject's entry in the directory: ACCOUNT/account, or
// ACCOUNT/KIND/NAME. So it lies in the account, and goes with it.
func (s Subject) Name() string {
	switch {
	case s.User != "":
		return s.Account + "/" + kindUser + "/" + s.User
	case s.AccessKey != "":
		return s.Account + "/" + kindKey + "/" + s.AccessKey
	case s.Bucket != "":
		return s.Account + "/" + kindBucket + "/" + s.Bucket
	}
	return s.Account + "/" + kindAccount
}

// String returns the subject for people.
func (s Subject) String() string {
	switch {
	case s.User != "":
		return "user " + s.User + " of account " + s.Account
	case s.AccessKey != "":
		return "access key " + s.AccessKey
	case s.Bucket != "":
		return "bucket " + s.Bucket
	}
	return "account " + s.Account
}

var errName = errors.New("it is the name of no limit") // Never changed.

// ParseName is the inverse of Subject.Name.
func ParseName(name string) (Subject, error) {
	account, rest, _ := strings.Cut(name, "/")
	kind, of, _ := strings.Cut(rest, "/")
	s := Subject{Account: account}
	switch kind {
	case kindAccount:
		if account == "" || rest != kindAccount {
			return Subject{}, errName
		}
		return s, nil
	case kindUser:
		s.User = of
	case kindKey:
		s.AccessKey = of
	case kindBucket:
		s.Bucket = of
	}
	if account == "" || of == "" || s == (Subject{Account: account}) {
		return Subject{}, errName
	}
	return s, nil
}

// Kind returns what the subject is: account, user, access-key or bucket.
func (s Subject) Kind() string {
	switch {
	case s.User != "":
		return kindUser
	case s.AccessKey != "":
		return "access-key"
	case s.Bucket != "":
		return kindBucket
	}
	return kindAccount
}

// ParseMeasure returns the measure of a name, as Measure.String has it.
func ParseMeasure(name string) (Measure, bool) {
	for m, n := range measureNames {
		if n == name {
			return Measure(m), true
		}
	}
	return 0, false
}

// Part returns the name of the user, the access key or the bucket; empty for an account.
func (s Subject) Part() string { return cmp.Or(s.User, s.AccessKey, s.Bucket) }
