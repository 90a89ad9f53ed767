package wirexml

// None is the document of a configuration that a bucket does not have, or an empty list of such
// configurations.
type None struct {
	Root string
	List bool
}

// AppendXML implements Document.
func (d *None) AppendXML(dst []byte, ns string) []byte {
	dst = appendRoot(dst, d.Root, ns)
	if d.List {
		dst = appendBool(dst, "IsTruncated", false)
	}
	return appendClose(dst, d.Root)
}
