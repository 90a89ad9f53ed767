package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"github.com/cairnstore/cairn/node/admin/adminpb"
)

// idHelp says how nodes and drives are named.
const idHelp = "\n\nA node is named by its id, a beginning of it that no other has, or an address of\nits; a drive by its id or a beginning of it."

func newNode() *cobra.Command {
	cmd := noun("node", "Nodes of the cluster", nodeList(), nodeShow(), nodeUnseat())
	cmd.AddCommand(drain("node"), undrain("node"), remove("node"))
	return cmd
}

func nodeUnseat() verb {
	return verb{
		use: "unseat NODE", short: "Take the vote of a node that is down or has lost its metadata",
		long: `Take the vote on the metadata of a node that is down, or has lost its metadata, and
check that it is gone. It needs a majority of the other voters. By itself the leader
replaces a node that is down after --voter-replace-after, and one that has lost its
metadata as soon as that one has said so.` + idHelp,
		destroys: func(args []string) string {
			return fmt.Sprintf("Node %s will have no vote on the metadata until it is given one again.", args[0])
		},
		run: func(ctx context.Context, c api, _ io.Reader, args []string) (*answer, error) {
			n, err := c.UnseatNode(ctx, &adminpb.NodeRef{Node: args[0]})
			return done(n, err, "node %s has no vote", n.GetId())
		},
	}
}

func nodeList() verb {
	return verb{
		use: "list", short: "List the nodes by zone",
		run: func(ctx context.Context, c api, _ io.Reader, _ []string) (*answer, error) {
			a, err := c.ListNodes(ctx, &adminpb.ListNodesRequest{})
			return &answer{a, func(w io.Writer) { nodeTable(w, a.Nodes) }}, err
		},
	}
}

func nodeShow() verb {
	return verb{
		use: "show NODE", short: "Show a node and its drives",
		long: "Show a node and its drives." + idHelp,
		run: func(ctx context.Context, c api, _ io.Reader, args []string) (*answer, error) {
			n, err := c.ShowNode(ctx, &adminpb.NodeRef{Node: args[0]})
			return &answer{n, func(w io.Writer) { showNode(w, n) }}, err
		},
	}
}

func showNode(w io.Writer, n *adminpb.NodeStatus) {
	row(w, "node", n.Id)
	row(w, "zone", n.Zone)
	row(w, "state", nodeState(n))
	row(w, "role", role(n))
	row(w, "version", n.Version)
	row(w, "up", uptime(n))
	row(w, "clock", clock(n))
	row(w, "log level", n.LogLevel)
	row(w, "block cache", cacheLine(n.BlockCache))
	row(w, "S3", n.S3Addr)
	row(w, "internode", n.RpcAddr)
	row(w, "Raft", n.RaftAddr)
	row(w, "gossip", n.GossipAddr)
	fmt.Fprintln(w)
	aligned(w, func(w io.Writer) { driveTable(w, n.Drives) })
}

// clock says how far a node's clock is from that of the node that answered.
func clock(n *adminpb.NodeStatus) string {
	if !n.Answered {
		return ""
	}
	skew := time.Duration(n.ClockSkewMs) * time.Millisecond
	if skew.Abs() < time.Second {
		return "agrees"
	}
	return fmt.Sprintf("off by %s", skew)
}

// cacheLine says how much of a node's databases is in memory, and of what help that is.
func cacheLine(c *adminpb.BlockCache) string {
	if c == nil {
		return ""
	}
	line := fmt.Sprintf("%s of %s", humanize.IBytes(c.Bytes), humanize.IBytes(c.LimitBytes))
	if asked := c.Hits + c.Misses; asked > 0 {
		line += fmt.Sprintf(", %d%% of %s blocks found there", 100*c.Hits/asked, humanize.Comma(int64(asked)))
	}
	return line
}

func newDrive() *cobra.Command {
	cmd := noun("drive", "Drives of the nodes", driveList(), driveShow())
	cmd.AddCommand(drain("drive"), undrain("drive"), remove("drive"))
	return cmd
}

func driveList() verb {
	var node string
	return verb{
		use: "list", short: "List the drives",
		flags: func(cmd *cobra.Command) {
			cmd.Flags().StringVar(&node, "node", "", "drives of this node alone (default: of all nodes)")
		},
		run: func(ctx context.Context, c api, _ io.Reader, _ []string) (*answer, error) {
			a, err := c.ListDrives(ctx, &adminpb.ListDrivesRequest{Node: node})
			return &answer{a, func(w io.Writer) { driveTable(w, a.Drives) }}, err
		},
	}
}

func driveShow() verb {
	return verb{
		use: "show DRIVE", short: "Show a drive",
		long: "Show a drive." + idHelp,
		run: func(ctx context.Context, c api, _ io.Reader, args []string) (*answer, error) {
			d, err := c.ShowDrive(ctx, &adminpb.DriveRef{Drive: args[0]})
			return &answer{d, func(w io.Writer) { showDrive(w, d) }}, err
		},
	}
}

func showDrive(w io.Writer, d *adminpb.DriveStatus) {
	row(w, "drive", d.Id)
	row(w, "state", d.State)
	row(w, "node", d.Node)
	row(w, "zone", d.Zone)
	row(w, "directory", d.Path)
	row(w, "capacity", humanize.IBytes(d.CapacityBytes))
	row(w, "used by shards", humanize.IBytes(d.UsedBytes))
	row(w, "free", humanize.IBytes(d.FreeBytes))
	row(w, "shards", d.Shards)
	row(w, "slots", d.Slots)
}
