package main

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/dustin/go-humanize"

	"github.com/cairnstore/cairn/node/admin/adminpb"
)

// printObject draws an object from the top down: versions, parts, extents with a
// cell for each shard, and where the volumes' slots are.
func printObject(w io.Writer, o *adminpb.ObjectStat) {
	row(w, "object", "s3://"+o.Bucket+"/"+o.Key)
	row(w, "bucket", fmt.Sprintf("owner %s, versioning %s", o.BucketOwner, o.Versioning))
	row(w, "health", healthLine(o))
	fmt.Fprintln(w)
	printVersions(w, o.Versions)
	for _, v := range o.Versions {
		if !v.DeleteMarker {
			printParts(w, v)
		}
	}
	printExtents(w, o)
	printSlots(w, o.Extents)
	if o.Truncated {
		fmt.Fprintln(w, "\nThere is more: raise --max-versions, --max-parts or --max-extents.")
	}
}

func healthLine(o *adminpb.ObjectStat) string {
	if o.Health == "inline" {
		return "inline: the bytes are in the metadata"
	}
	return fmt.Sprintf("%s: %d of %d shards present, %d missing, %d unreachable",
		o.Health, o.ShardsPresent, o.Shards, o.ShardsMissing, o.ShardsUnreachable)
}

func printVersions(w io.Writer, list []*adminpb.VersionStat) {
	row(w, "VERSION", "LATEST", "SIZE", "CLASS", "ENCRYPTION", "PARTS", "MODIFIED", "ETAG")
	for _, v := range list {
		if v.DeleteMarker {
			row(w, v.VersionId, v.Latest, "-", "-", "-", "-", v.Modified, "(delete marker)")
			continue
		}
		row(w, v.VersionId, v.Latest, humanize.IBytes(v.Size), v.StorageClass,
			strings.TrimSpace(v.Encryption+" "+v.KmsKeyId), max(v.PartCount, 1), v.Modified, v.Etag)
	}
}

func printParts(w io.Writer, v *adminpb.VersionStat) {
	fmt.Fprintf(w, "\nversion %s, content %s\n", v.VersionId, v.ContentId)
	row(w, "PART", "OFFSET", "SIZE", "LIES IN")
	for _, p := range v.Parts {
		row(w, p.Number, p.Offset, p.Size, piecesLine(p.Pieces))
	}
}

// maxPiecesShown bounds the pieces of a part in the table; JSON has them all.
const maxPiecesShown = 8

func piecesLine(list []*adminpb.PieceStat) string {
	var words []string
	for i, p := range list {
		if i == maxPiecesShown {
			words = append(words, fmt.Sprintf("and %d more", len(list)-i))
			break
		}
		if p.Inline {
			words = append(words, "the metadata")
			continue
		}
		words = append(words, fmt.Sprintf("%s [%d, %d)", p.Extent, p.ExtentOffset, p.ExtentOffset+p.Size))
	}
	return strings.Join(words, ", ")
}

func printExtents(w io.Writer, o *adminpb.ObjectStat) {
	if len(o.Extents) == 0 {
		return
	}
	fmt.Fprintln(w, "\n# present  x missing  ? unreachable; data shards | parity shards")
	row(w, "EXTENT", "SCHEME", "SHARDS", "HEALTH", "SIZE", "EACH SHARD", "SEALED", "REFERRED TO BY")
	for _, e := range o.Extents {
		row(w, e.Id, e.Scheme, drawShards(e.Shards), e.Health, humanize.IBytes(e.PlainBytes),
			humanize.IBytes(e.ShardBytes), e.Sealed, ownersLine(o, e))
	}
	for _, e := range o.Extents {
		for _, what := range e.BringBack {
			fmt.Fprintf(w, "%s would be helped: %s\n", e.Id, what)
		}
	}
}

// drawShards draws a cell for each shard, as "# # x # | # ?".
func drawShards(list []*adminpb.ShardStat) string {
	var cells []string
	for i, s := range list {
		if i > 0 && s.Kind != list[i-1].Kind {
			cells = append(cells, "|")
		}
		cells = append(cells, cell(s.State))
	}
	return strings.Join(cells, " ")
}

func cell(state string) string {
	switch state {
	case "present":
		return "#"
	case "missing":
		return "x"
	}
	return "?"
}

// ownersLine says which parts refer to an extent: those of this object by version,
// others by their content.
func ownersLine(o *adminpb.ObjectStat, e *adminpb.ExtentStat) string {
	var words []string
	for _, owner := range e.Owners {
		of := "content " + owner.Id
		if i := slices.IndexFunc(o.Versions, func(v *adminpb.VersionStat) bool { return v.ContentId == owner.Id }); i >= 0 {
			of = "version " + o.Versions[i].VersionId
		}
		if owner.Kind == "pin" {
			words = append(words, "a copy under way")
			continue
		}
		words = append(words, fmt.Sprintf("part %d of %s", owner.Part, of))
	}
	if e.MoreOwners {
		words = append(words, "and more")
	}
	return strings.Join(words, ", ")
}

// printSlots says where the slots of each volume are, and counts the shards of the
// extents above on them.
func printSlots(w io.Writer, extents []*adminpb.ExtentStat) {
	for i, e := range extents {
		if i > 0 && extents[i-1].Volume == e.Volume {
			continue
		}
		same := slices.DeleteFunc(slices.Clone(extents), func(x *adminpb.ExtentStat) bool { return x.Volume != e.Volume })
		fmt.Fprintf(w, "\nvolume %d, epoch %d\n", e.Volume, e.VolumeEpoch)
		row(w, "SLOT", "KIND", "NODE", "DRIVE", "ZONE", "PRESENT", "MISSING", "UNREACHABLE")
		for slot, s := range e.Shards {
			count := map[string]int{}
			for _, x := range same {
				if slot < len(x.Shards) {
					count[cell(x.Shards[slot].State)]++
				}
			}
			row(w, s.Slot, s.Kind, s.Node, s.Drive, s.Zone, count["#"], count["x"], count["?"])
		}
	}
}
