// Package doctor looks at a machine and at a cluster, and says in words what to change.
//
// What is looked at and what is thought of it are apart: judgements are functions of plain values.
package doctor

import "fmt"

// State is how a finding is meant.
type State string

// The states, the mildest first.
const (
	OK      State = "ok"
	Unknown State = "unknown" // It could not be looked at.
	Advice  State = "advice"  // It works, and would work better otherwise.
	Warning State = "warning" // Data, or the cluster's answers, are in danger.
)

// Finding is what was found at one place.
type Finding struct {
	Where  string `json:"where"` // As "machine", "/srv/d1", "cluster" or the address of a node.
	What   string `json:"what"`  // As "file system".
	State  State  `json:"state"`
	Found  string `json:"found"`
	Action string `json:"action,omitempty"` // What to do; empty where nothing is.
}

// Sick reports whether a finding asks somebody to do something.
func (f Finding) Sick() bool { return f.State == Advice || f.State == Warning }

func good(where, what, found string, args ...any) Finding {
	return Finding{Where: where, What: what, State: OK, Found: fmt.Sprintf(found, args...)}
}

func unknown(where, what string, err error) Finding {
	return Finding{Where: where, What: what, State: Unknown, Found: err.Error()}
}
