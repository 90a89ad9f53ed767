// Package lifecycle says what a bucket's lifecycle rules make of a version, and
// when. It is pure: it reads no clock and changes nothing; handlers ask it what to
// tell clients, upkeep what to do.
//
// Times are S3's: so many days after a version was made (or was succeeded by a newer
// one, where it is not the latest), and from there to the next midnight UTC. The
// length of a day can be another for tests; then midnights are multiples of it.
//
// Where several rules are about the same version, the permanent end of it comes
// before a change of its class, of several ends the earliest counts, and of several
// changes of class the coldest.
package lifecycle
