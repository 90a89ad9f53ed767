package s3api

import (
	"net/http"
	"slices"
	"strings"

	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/s3api/checksum"
	"github.com/cairnstore/cairn/s3api/object"
	"github.com/cairnstore/cairn/s3api/s3err"
	"github.com/cairnstore/cairn/s3api/sigauth"
	"github.com/cairnstore/cairn/s3api/wirexml"
)

const (
	msgManyChecksums   = "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed."
	msgNoChecksumValue = "x-amz-sdk-checksum-algorithm specified, but no corresponding x-amz-checksum-* or x-amz-trailer headers were found."
)

// requestDigest returns the additional checksum of an upload: from its header, or
// from the trailer it declares, whose value comes with the end of the body.
func requestDigest(h http.Header, auth *sigauth.Request) (object.Digest, error) {
	algorithm, value, err := headerChecksum(h)
	if err != nil {
		return object.Digest{}, err
	}
	trailer, err := trailerDigest(auth)
	if err != nil {
		return object.Digest{}, err
	}
	if algorithm != "" && trailer.Algorithm != "" {
		return object.Digest{}, s3err.InvalidRequest.Say(msgManyChecksums)
	}
	if err := checkNamedAlgorithm(h.Get("X-Amz-Sdk-Checksum-Algorithm"), max(algorithm, trailer.Algorithm)); err != nil {
		return object.Digest{}, err
	}
	if algorithm != "" {
		return object.Digest{Algorithm: algorithm, Value: func() ([]byte, error) { return value, nil }}, nil
	}
	return trailer, nil
}

// trailerDigest returns the checksum that comes in the trailer of a request, if any.
func trailerDigest(auth *sigauth.Request) (object.Digest, error) {
	trailer, err := trailerChecksum(auth.TrailerNames)
	if trailer == "" || err != nil {
		return object.Digest{}, err
	}
	return object.Digest{Algorithm: trailer, Value: func() ([]byte, error) { return trailerValue(trailer, auth) }}, nil
}

// checkNamedAlgorithm refuses a request that names an algorithm and sends no value
// of it.
func checkNamedAlgorithm(named, sent string) error {
	if named == "" {
		return nil
	}
	a, ok := checksum.Named(named)
	if !ok {
		return unknownAlgorithm("x-amz-sdk-checksum-algorithm")
	}
	if a != sent {
		return s3err.InvalidRequest.Say(msgNoChecksumValue)
	}
	return nil
}

// headerChecksum reads the one x-amz-checksum-ALGORITHM header of a request.
func headerChecksum(h http.Header) (algorithm string, value []byte, err error) {
	algorithm, text, err := checksumHeader(h)
	if algorithm == "" || err != nil {
		return "", nil, err
	}
	value, err = parseChecksum(algorithm, text)
	return algorithm, value, err
}

// checksumHeader finds the one x-amz-checksum-ALGORITHM header of a request.
func checksumHeader(h http.Header) (algorithm, text string, err error) {
	for name, values := range h {
		if !strings.HasPrefix(name, "X-Amz-Checksum-") {
			continue
		}
		a, ok := checksum.FromHeader(name)
		if !ok {
			continue // Mode, type, algorithm.
		}
		if algorithm != "" {
			return "", "", s3err.InvalidRequest.Say(msgManyChecksums)
		}
		algorithm, text = a, values[0]
	}
	return algorithm, text, nil
}

// trailerChecksum returns the algorithm of the checksum among declared trailers.
func trailerChecksum(names []string) (algorithm string, err error) {
	for _, name := range names {
		a, ok := checksum.FromHeader(name)
		switch {
		case !ok && strings.HasPrefix(name, checksum.HeaderPrefix):
			return "", unknownAlgorithm("x-amz-trailer")
		case !ok:
		case algorithm != "":
			return "", s3err.InvalidRequest.Say(msgManyChecksums)
		default:
			algorithm = a
		}
	}
	return algorithm, nil
}

func trailerValue(algorithm string, auth *sigauth.Request) ([]byte, error) {
	text, ok := auth.Trailers()[checksum.Header(algorithm)]
	if !ok {
		return nil, s3err.MalformedTrailerError.Err()
	}
	return parseChecksum(algorithm, text)
}

func parseChecksum(algorithm, text string) ([]byte, error) {
	value, err := checksum.Parse(algorithm, text)
	if err != nil {
		return nil, s3err.InvalidRequest.Say("Value for " + checksum.Header(algorithm) + " header is invalid.")
	}
	return value, nil
}

func unknownAlgorithm(header string) error {
	return s3err.InvalidRequest.Say("Checksum algorithm provided is unsupported in " + header + ". Please try again with any of the valid types: [" +
		strings.Join(checksum.Algorithms(), ", ") + "]")
}

// checksumAlgorithm reads the x-amz-checksum-algorithm of a copy or an upload that
// is created; empty if there is none.
func checksumAlgorithm(h http.Header) (string, error) {
	named := h.Get("X-Amz-Checksum-Algorithm")
	if named == "" {
		return "", nil
	}
	a, ok := checksum.Named(named)
	if !ok {
		return "", unknownAlgorithm("x-amz-checksum-algorithm")
	}
	return a, nil
}

// uploadChecksum reads the algorithm and the type of an upload that is created.
func uploadChecksum(h http.Header) (algorithm string, fullObject bool, err error) {
	if algorithm, err = checksumAlgorithm(h); err != nil {
		return "", false, err
	}
	kind := h.Get("X-Amz-Checksum-Type")
	switch {
	case algorithm == "" && kind == "":
		return "", false, nil
	case algorithm == "":
		return "", false, s3err.InvalidRequest.Say("The x-amz-checksum-type header can only be used with the x-amz-checksum-algorithm header.")
	case kind == "":
		return algorithm, !checksum.Composes(algorithm), nil
	case kind == wirexml.ChecksumFullObject && checksum.Combines(algorithm):
		return algorithm, true, nil
	case kind == wirexml.ChecksumComposite && checksum.Composes(algorithm):
		return algorithm, false, nil
	case kind == wirexml.ChecksumFullObject, kind == wirexml.ChecksumComposite:
		return "", false, s3err.InvalidRequest.Say("The " + kind + " checksum type cannot be used with the " + strings.ToLower(algorithm) + " checksum algorithm.")
	}
	return "", false, s3err.InvalidRequest.Say("Value for x-amz-checksum-type header is invalid.")
}

// claimedChecksums reads the checksum of the whole object that a Complete of parts
// parts claims, and its type. A composite one is written VALUE-PARTS.
func claimedChecksums(h http.Header, parts int) (_ []*metapb.Checksum, kind string, _ error) {
	kind = h.Get("X-Amz-Checksum-Type")
	if kind != "" && kind != wirexml.ChecksumFullObject && kind != wirexml.ChecksumComposite {
		return nil, "", s3err.InvalidRequest.Say("Value for x-amz-checksum-type header is invalid.")
	}
	algorithm, text, err := checksumHeader(h)
	if algorithm == "" || err != nil {
		return nil, kind, err
	}
	text, number, dashed := strings.Cut(text, "-") // Base64 has no dash.
	value, err := parseChecksum(algorithm, text)
	if err != nil {
		return nil, "", err
	}
	if dashed && (!isDigits(number) || saturatingUint(number) != uint64(parts)) {
		return nil, "", s3err.BadDigest.Say("The " + checksum.Header(algorithm) + " you specified is of another number of parts.")
	}
	composite := dashed || kind == wirexml.ChecksumComposite || !checksum.Combines(algorithm)
	return []*metapb.Checksum{{Algorithm: algorithm, Value: value, Composite: composite}}, kind, nil
}

// setChecksums tells the checksums of an object of parts parts (0: of one request).
func (resp *response) setChecksums(sums []*metapb.Checksum, parts uint32) {
	if len(sums) == 0 {
		return
	}
	for _, c := range sums {
		text := checksum.Format(c.GetValue())
		if c.GetComposite() && parts > 0 {
			text += "-" + itoa(parts)
		}
		resp.set(checksum.Header(c.GetAlgorithm()), text)
	}
	resp.set("x-amz-checksum-type", checksumType(!slices.ContainsFunc(sums, (*metapb.Checksum).GetComposite)))
}

// setPartOf tells the checksums of a part that is read, and the type of those of its
// object.
func (resp *response) setPartOf(v *metapb.Version, sums []*metapb.Checksum) {
	if len(sums) == 0 {
		return
	}
	for _, c := range sums {
		resp.setPartChecksum(c)
	}
	resp.set("x-amz-checksum-type", checksumType(!slices.ContainsFunc(v.GetChecksums(), (*metapb.Checksum).GetComposite)))
}

// setPartChecksum tells the checksum of a part.
func (resp *response) setPartChecksum(c *metapb.Checksum) {
	resp.set(checksum.Header(c.GetAlgorithm()), checksum.Format(c.GetValue()))
}

// wantsChecksums reports whether a read asks for checksums.
func wantsChecksums(h http.Header) bool {
	return strings.EqualFold(h.Get("X-Amz-Checksum-Mode"), "ENABLED")
}
