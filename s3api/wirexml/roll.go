package wirexml

// Roll says which bucket answers.
type Roll struct{ Bucket string }

// AppendXML implements Document.
func (d *Roll) AppendXML(dst []byte, ns string) []byte {
	dst = appendRoot(dst, "Roll", ns)
	return append(appendText(dst, "Bucket", d.Bucket), "</Roll>"...)
}
