// Package lifecycle says what a bucket's lifecycle rules make of a version, and
// when. It is pure: it reads no clock and changes nothing. Handlers ask it what to
// tell clients, upkeep asks it what to do.
//
// Times are S3's: so many days after a version was made, and from there to the next
// midnight UTC. The days of a version that is not the latest count from when a newer
// one succeeded it. Tests may set another length of a day; midnights are then
// multiples of it.
//
// If several rules are about the same version, its end goes before a change of its
// class. Of several ends the earliest counts, and of several changes of class the
// coldest.
package lifecycle
