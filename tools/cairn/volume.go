package main

import (
	"context"
	"fmt"
	"io"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/cairnstore/cairn/node/admin/adminpb"
)

func newVolume() *cobra.Command {
	return noun("volume", "Volumes: groups of drives that hold extents together", volumeList(), volumeShow())
}

const healthHelp = `

A volume is whole; moving, while a slot of it moves; rebuilding, while a lost slot is
made anew; degraded, while slots do not answer; endangered, while as many do not as it
may lose; unreadable, while more than that do not.`

func volumeList() verb {
	var r adminpb.ListVolumesRequest
	return verb{
		use: "list", short: "List the volumes",
		long: "List the volumes." + healthHelp,
		flags: func(cmd *cobra.Command) {
			cmd.Flags().StringVar(&r.Health, "health", "", "volumes of this health alone (default: all)")
			cmd.Flags().StringVar(&r.Node, "node", "", "volumes with a slot on this node alone (default: all)")
			cmd.Flags().StringVar(&r.Drive, "drive", "", "volumes with a slot on this drive alone (default: all)")
		},
		run: func(ctx context.Context, c api, _ io.Reader, _ []string) (*answer, error) {
			a, err := c.ListVolumes(ctx, &r)
			return &answer{a, func(w io.Writer) {
				row(w, "VOLUME", "SCHEME", "EPOCH", "HEALTH", "SLOTS THAT ANSWER")
				for _, v := range a.Volumes {
					row(w, v.Id, v.Scheme, v.Epoch, v.Health, fmt.Sprintf("%d of %d", answering(v), len(v.Slots)))
				}
			}}, err
		},
	}
}

func answering(v *adminpb.Volume) (n int) {
	for _, s := range v.Slots {
		if s.State == "ok" {
			n++
		}
	}
	return n
}

func volumeShow() verb {
	return verb{
		use: "show VOLUME", short: "Show a volume and its slots",
		long: "Show a volume and its slots." + healthHelp,
		run: func(ctx context.Context, c api, _ io.Reader, args []string) (*answer, error) {
			id, err := strconv.ParseUint(args[0], 10, 32)
			if err != nil {
				return nil, &statusError{exitUsage, fmt.Errorf("%q is no number of a volume", args[0])}
			}
			v, err := c.ShowVolume(ctx, &adminpb.VolumeRef{Id: uint32(id)})
			return &answer{v, func(w io.Writer) { showVolume(w, v) }}, err
		},
	}
}

func showVolume(w io.Writer, v *adminpb.Volume) {
	row(w, "volume", v.Id)
	row(w, "scheme", v.Scheme)
	row(w, "epoch", v.Epoch)
	row(w, "health", v.Health)
	fmt.Fprintln(w)
	aligned(w, func(w io.Writer) {
		row(w, "SLOT", "KIND", "STATE", "DRIVE", "NODE", "ZONE", "MOVES TO")
		for _, s := range v.Slots {
			row(w, s.Slot, s.Kind, s.State, s.Drive, s.Node, s.Zone, s.MovingTo)
		}
	})
}
