// Package room keeps the metadata from running into a full file system, which other
// programs may fill at any time.
//
// It watches how much is free, and holds a ballast: room that is taken and not used. The
// levels, from the best to the worst:
//
//	Plenty  the ballast is whole and more than the reserve is free.
//	Low     less than the reserve is free, or some of the ballast was given up. What
//	        grows is to be refused; what frees space goes on, and as it needs room too,
//	        the ballast is given up for it piece by piece.
//	Full    the ballast is used up and less than the floor is free. Nothing is to be
//	        written any more but what is tiny and keeps the group together.
//
// The floor is what the databases need for what they hold in memory, so that they can
// always write it down. It is asked for before every write (Admit), not only now and
// then: another program fills a disk faster than anything that looks once a second.
//
// The last piece of the ballast is for starts (Unlock): opening databases writes files,
// and a process that ended on a full disk must come up on it. It is given up for nothing
// else but a write to a write-ahead log that would fail, and end the process, without it
// (RelieveLog): tables wait.
//
// A Room whose file system does not tell its size has plenty for ever, and no ballast.
// All methods are safe for concurrent use.
package room
