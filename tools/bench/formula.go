package main

// formula is what a row would cost if servers did nothing but the primitives that no server can do
// without: so much of each for a byte of the row, and so much of each for one of its operations. It is
// written for 4+2 on six nodes with TLS everywhere. The client speaks to one of the nodes.
// docs/performance.md explains every number.
type formula struct {
	perByte, perOp amounts
}

// amounts is how much of each primitive.
type amounts map[primitive]float64

// The stages of which formulas are made: for a byte of the object, or for one operation.
var (
	// A request and its answer, at the server's end.
	asked = formula{perOp: amounts{primExchange: 0.5}}
	// A body comes from the client or goes to it: one end of a socket, and one pass of GCM.
	body = formula{perByte: amounts{primSocket: 0.5, primRecord: 1}}
	// MD5 is the ETag of a plain PUT, CRC-64/NVME the checksum of every object.
	etag      = formula{perByte: amounts{primMD5: 1}}
	objectSum = formula{perByte: amounts{primCRC64: 1}}
	sealOnce  = formula{perByte: amounts{primSeal: 1}}
	openOnce  = sealOnce
	// For each byte, the writer frames 1.5 bytes, and those who store them check and write them. 5 of
	// the 6 shards go to other nodes. Each node syncs its file once.
	spread = formula{
		perByte: amounts{primEncode: 1, primCRC32C: 3, primSocket: 1.25, primRecord: 2.5, primWrite: 1.5},
		perOp:   amounts{primSync: 6, primExchange: 5},
	}
	// 4 shards are read and checked. On average 5/6 of the bytes come from nodes other than the reader,
	// which is one of six.
	gather = formula{perByte: amounts{primRead: 1, primCRC32C: 1, primSocket: 5.0 / 6, primRecord: 10.0 / 6}}
	// A command alone: the leader sends it to the four other voters, and all five sync their logs.
	commit = formula{perOp: amounts{primSync: 5, primExchange: 4}}
	// Metadata is asked of the node that leads.
	lookUp = formula{perOp: amounts{primExchange: 1}}
)

// The formulas of rows.
var (
	putFormula    = sum(asked, body, etag, objectSum, spread, commit)
	getFormula    = sum(asked, lookUp, gather, objectSum, body)
	rangeFormula  = sum(asked, lookUp, gather, body)
	inlinePut     = sum(asked, body, etag, objectSum, commit)
	inlineGet     = sum(asked, lookUp, body)
	deleteFormula = sum(asked, commit)
	sealFormula   = sum(asked, lookUp, gather, objectSum, sealOnce, spread, commit)
	rekeyFormula  = sum(sealFormula, openOnce)
	// A copy by reference touches none of the object's bytes.
	referFormula = sum(asked, lookUp, commit)
)

// sum joins stages.
func sum(stages ...formula) formula {
	f := formula{perByte: amounts{}, perOp: amounts{}}
	for _, s := range stages {
		for name, n := range s.perByte {
			f.perByte[name] += n
		}
		for name, n := range s.perOp {
			f.perOp[name] += n
		}
	}
	return f
}

// known reports whether the row has a formula.
func (f formula) known() bool { return len(f.perByte) > 0 || len(f.perOp) > 0 }

// seconds returns what the formula comes to at these prices.
func (f formula) seconds(p prices, bytes int64, ops int) (s float64) {
	for name, n := range f.perByte {
		s += n * p[name] * float64(bytes)
	}
	for name, n := range f.perOp {
		s += n * p[name] * float64(ops)
	}
	return s
}
