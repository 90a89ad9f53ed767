package main

// formula is what a row would cost if servers did nothing but the primitives that it cannot
// do without: so many bytes of each for a byte of the row, and so many of each for one of
// its operations. It is written for 4+2 on six nodes with TLS everywhere, one of which the
// client speaks to; docs/performance.md explains every number.
type formula struct {
	perByte, perOp amounts
}

// amounts is how much of each primitive.
type amounts map[primitive]float64

// The stages of which formulas are made, for a byte of the object.
var (
	// A request and its answer, at the server's end.
	asked = formula{perOp: amounts{primExchange: 0.5}}
	// A body comes from the client or goes to it: one end of a socket, one time GCM.
	body = formula{perByte: amounts{primSocket: 0.5, primRecord: 1}}
	// MD5 is the ETag of a plain PUT, CRC-64/NVME the checksum of every object.
	etag      = formula{perByte: amounts{primMD5: 1}}
	objectSum = formula{perByte: amounts{primCRC64: 1}}
	sealOnce  = formula{perByte: amounts{primSeal: 1}}
	openOnce  = sealOnce
	// 1.5 bytes are framed by the writer, checked by who stores them and written; 5 of 6
	// shards go to other nodes, each of which syncs its file once.
	spread = formula{
		perByte: amounts{primEncode: 1, primCRC32C: 3, primSocket: 1.25, primRecord: 2.5, primWrite: 1.5},
		perOp:   amounts{primSync: 6, primExchange: 5},
	}
	// 4 shards are read and checked; of six nodes the reader has one of them, on average
	// 5/6 of the bytes come from others.
	gather = formula{perByte: amounts{primRead: 1, primCRC32C: 1, primSocket: 5.0 / 6, primRecord: 10.0 / 6}}
	// A command alone: five voters sync their logs, four of them are sent it.
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
	// By reference nothing of the object is touched.
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

// known reports whether the row has one.
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
