package wirexml

// Motto is the document of a bucket's motto.
type Motto struct{ Text string }

// AppendXML implements Document.
func (d *Motto) AppendXML(dst []byte, ns string) []byte {
	dst = appendRoot(dst, "Motto", ns)
	dst = appendText(dst, "Text", d.Text)
	return append(dst, "</Motto>"...)
}
