package testbed

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Status is what programs read of `cairn status -o json`.
type Status struct {
	Leader         string        `json:"leader"`
	ExtentsMissing uint64        `json:"extents_missing,string"`
	Unreadable     uint64        `json:"extents_unreadable,string"`
	Nodes          []NodeStatus  `json:"nodes"`
	Volumes        []VolumeCount `json:"volumes"`
	Warnings       []string      `json:"warnings"`
	Health         string        `json:"health"`
	HealthReason   string        `json:"health_reason"` // The worst findings alone; Findings has all.
	Checks         []HealthCheck `json:"checks"`
	Jobs           []Job         `json:"jobs"`
	Tolerance      Tolerance     `json:"tolerance"`
}

// HealthCheck is what one check of the cluster's health has found.
type HealthCheck struct {
	Name  string `json:"name"`
	State string `json:"state"` // healthy, warning or critical.
	Found string `json:"found"`
}

// Findings returns what the checks have found, without healthy ones and those named.
func (s *Status) Findings(but ...string) (found []string) {
	for _, c := range s.Checks {
		if c.State != "healthy" && !slices.Contains(but, c.Name) {
			found = append(found, c.Found)
		}
	}
	return found
}

// Finds reports whether one of the findings has all words in it.
func (s *Status) Finds(words ...string) bool {
	return slices.ContainsFunc(s.Findings(), func(found string) bool {
		return !slices.ContainsFunc(words, func(w string) bool { return !strings.Contains(found, w) })
	})
}

// Tolerance is what may be lost now.
type Tolerance struct {
	Nodes, Drives, Zones int
	Volumes, Unreadable  int
	Crowded, Short       int
	Text                 string
}

// NodeStatus is a node as the cluster sees it.
type NodeStatus struct {
	ID     string        `json:"id"`
	S3Addr string        `json:"s3_addr"`
	State  string        `json:"state"` // alive, suspect or down.
	Life   string        `json:"life"`  // What was decided of it: active, draining or lost.
	Voter  bool          `json:"voter"`
	Leader bool          `json:"leader"`
	Drives []DriveStatus `json:"drives"`
	Cache  *BlockCache   `json:"block_cache"` // Nil if the node could not be asked.
}

// BlockCache says what the block cache of a node's databases may hold, and how often it was of use.
type BlockCache struct {
	LimitBytes uint64 `json:"limit_bytes,string"`
	Hits       uint64 `json:"hits,string"`
	Misses     uint64 `json:"misses,string"`
}

// DriveStatus is a drive of a node.
type DriveStatus struct {
	ID        string `json:"id"`
	UsedBytes uint64 `json:"used_bytes,string"`
	Shards    uint64 `json:"shards,string"`
	State     string `json:"state"`
	Slots     uint32 `json:"slots"`
}

// VolumeCount counts the volumes of a scheme by health.
type VolumeCount struct {
	Scheme     string `json:"scheme"`
	Volumes    uint32 `json:"volumes"`
	Degraded   uint32 `json:"degraded"`
	Endangered uint32 `json:"endangered"`
	Unreadable uint32 `json:"unreadable"`
	Moving     uint32 `json:"moving"`
	Rebuilding uint32 `json:"rebuilding"`
}

// Job is background work that is under way.
type Job struct {
	Name   string `json:"name"`
	State  string `json:"state"`
	Detail string `json:"detail"`
}

// Status asks a node that runs for the cluster's status, by the command that a person would use.
func (c *Cluster) Status(ctx context.Context) (*Status, error) {
	out, err := c.Cairn(ctx, "status", "-o", "json")
	if err != nil {
		return nil, err
	}
	s := &Status{}
	if err := json.Unmarshal(out, s); err != nil {
		return nil, fmt.Errorf("cairn status -o json: %w", err)
	}
	return s, nil
}

// Node returns what the status says of a node; nil if it does not name it.
func (s *Status) Node(n *Node) *NodeStatus {
	i := slices.IndexFunc(s.Nodes, func(ns NodeStatus) bool { return ns.S3Addr == n.Host() })
	if i < 0 {
		return nil
	}
	return &s.Nodes[i]
}

// Used returns the bytes that shards take on a node.
func (n *NodeStatus) Used() (sum uint64) {
	for _, d := range n.Drives {
		sum += d.UsedBytes
	}
	return sum
}

// Slots returns how many slots of volumes a node has.
func (n *NodeStatus) Slots() (sum uint32) {
	for _, d := range n.Drives {
		sum += d.Slots
	}
	return sum
}

// Redundant returns nil if, by the metadata's count, every shard of every extent is where it belongs.
// Otherwise the error says what lacks.
func (s *Status) Redundant() error {
	var lack []string
	if s.ExtentsMissing > 0 {
		lack = append(lack, fmt.Sprintf("%d extents lack a shard", s.ExtentsMissing))
	}
	for _, v := range s.Volumes {
		if n := v.Degraded + v.Endangered + v.Unreadable + v.Rebuilding; n > 0 {
			lack = append(lack, fmt.Sprintf("of %d volumes of %s %d are degraded, %d endangered, %d unreadable, %d being rebuilt",
				v.Volumes, v.Scheme, v.Degraded, v.Endangered, v.Unreadable, v.Rebuilding))
		}
	}
	if len(lack) > 0 {
		return errors.New(strings.Join(lack, "; "))
	}
	return nil
}

// Settled returns nil if the cluster is redundant and no slot is on its way.
func (s *Status) Settled() error {
	if err := s.Redundant(); err != nil {
		return err
	}
	for _, v := range s.Volumes {
		if v.Moving > 0 {
			return fmt.Errorf("%d of %d volumes of %s move", v.Moving, v.Volumes, v.Scheme)
		}
	}
	return nil
}

// Leader returns the node that leads the metadata. It waits until there is one that runs.
func (c *Cluster) Leader(ctx context.Context) (found *Node, err error) {
	err = Until(ctx, "a leader of the metadata", func() error {
		s, err := c.Status(ctx)
		if err != nil {
			return err
		}
		for _, n := range c.Up() {
			if of := s.Node(n); of != nil && of.Leader {
				found = n
				return nil
			}
		}
		return errors.New("no running node leads")
	})
	return found, err
}

// WaitRedundant waits until the cluster is redundant: see Redundant.
func (c *Cluster) WaitRedundant(ctx context.Context) error {
	return c.waitStatus(ctx, "full redundancy", (*Status).Redundant)
}

// WaitSettled waits until the cluster is redundant and no slot moves.
func (c *Cluster) WaitSettled(ctx context.Context) error {
	return c.waitStatus(ctx, "full redundancy and no moves", (*Status).Settled)
}

func (c *Cluster) waitStatus(ctx context.Context, what string, holds func(*Status) error) error {
	return Until(ctx, what, func() error {
		s, err := c.Status(ctx)
		if err != nil {
			return err
		}
		return holds(s)
	})
}
