package s3api

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// listSeeds is how many buckets of each kind are filled and pageOf.
const listSeeds = 12

// eachLister fills and lists buckets of random keys.
func eachLister(t *testing.T, f func(l *lister)) {
	w := newWorld(t)
	for seed := range uint64(listSeeds) {
		t.Run(fmt.Sprint("seed=", seed), func(t *testing.T) {
			w.t = t
			l := &lister{world: w, r: rand.New(rand.NewPCG(seed, 1)), bucket: fmt.Sprint("lists-", seed)}
			w.ok(w.root, "PUT", "/"+l.bucket, "")
			f(l)
		})
	}
}

// TestListObjectsByTheRules walks lists of both versions with random parameters: every
// page is the one that the rules give, and each says what it should.
func TestListObjectsByTheRules(t *testing.T) {
	eachLister(t, func(l *lister) {
		keys := map[string]bool{}
		for range l.r.IntN(25) {
			key := l.key()
			l.ok(l.root, "PUT", l.path(key), "x")
			keys[key] = true
		}
		var sorted []item
		var names []string
		for key := range keys {
			sorted = append(sorted, item{name: key})
			names = append(names, key)
		}
		slices.Sort(names)
		slices.SortFunc(sorted, func(a, b item) int { return strings.Compare(a.name, b.name) })
		for range 8 {
			l.walkObjects(sorted, names)
			l.walkObjectsV2(sorted, names)
		}
	})
}

func (l *lister) walkObjects(sorted []item, names []string) {
	prefix, delimiter, marker := l.parameters(names)
	coded := l.r.IntN(2) == 0
	for {
		asked, limit := l.maxKeys()
		p := l.list("/"+l.bucket, coded, "prefix", prefix, "delimiter", delimiter, "marker", marker, "max-keys", asked)
		last := p.shows(rollUp(sorted, prefix, delimiter, item{name: marker}), limit, prefix, "|", delimiter, "|", marker, "|", asked)
		p.is("Name", l.bucket)
		p.isName("Prefix", prefix)
		p.isName("Marker", marker)
		p.isName("Delimiter", orAbsent(delimiter))
		p.is("MaxKeys", strconv.Itoa(limit))
		p.is("KeyCount", missing)
		p.codedAs()
		if !p.truncated() {
			p.isName("NextMarker", missing)
			return
		}
		marker = last.name
		if delimiter == "" { // Then a client takes the last key.
			p.isName("NextMarker", missing)
		} else {
			p.isName("NextMarker", marker)
		}
	}
}

func (l *lister) walkObjectsV2(sorted []item, names []string) {
	prefix, delimiter, after := l.parameters(names)
	coded, token := l.r.IntN(2) == 0, ""
	left := rollUp(sorted, prefix, delimiter, item{name: after})
	for {
		asked, limit := l.maxKeys()
		p := l.list("/"+l.bucket+"?list-type=2", coded, "prefix", prefix, "delimiter", delimiter, "start-after", after,
			"continuation-token", token, "max-keys", asked, "fetch-owner", []string{"", "true", "false"}[l.r.IntN(3)])
		p.shows(left, limit, prefix, "|", delimiter, "|", after, "|", asked)
		p.is("Name", l.bucket)
		p.isName("Prefix", prefix)
		p.isName("StartAfter", orAbsent(after))
		p.isName("Delimiter", orAbsent(delimiter))
		p.is("MaxKeys", strconv.Itoa(limit))
		p.is("KeyCount", strconv.Itoa(min(limit, len(left))))
		p.is("ContinuationToken", orAbsent(token))
		p.codedAs()
		if !p.truncated() {
			p.is("NextContinuationToken", missing)
			return
		}
		left = left[limit:]
		token = p.texts(p.head(), "NextContinuationToken")[0]
	}
}

func (p pageOf) codedAs() {
	p.l.t.Helper()
	if p.coded {
		p.is("EncodingType", "url")
	} else {
		p.is("EncodingType", missing)
	}
}

// TestListVersionsByTheRules does it with versions: of a bucket whose versioning is
// turned on, suspended and on again between writes and deletes.
func TestListVersionsByTheRules(t *testing.T) {
	eachLister(t, func(l *lister) {
		versions, names := l.writeVersions()
		for range 8 {
			prefix, delimiter, key := l.parameters(names)
			place := item{name: key}
			if i := l.r.IntN(2 * (1 + len(versions))); i < len(versions) { // A version of a key.
				place = versions[i]
			}
			l.walkVersions(versions, prefix, delimiter, place)
		}
		// The latest that are no delete markers are the objects.
		var objects []item
		for _, v := range versions {
			if v.latest && !v.marker {
				objects = append(objects, item{name: v.name})
			}
		}
		for range 4 {
			l.walkObjects(objects, names)
			l.walkObjectsV2(objects, names)
		}
	})
}

// writeVersions writes and deletes at random, and returns the versions in order and
// the keys.
func (l *lister) writeVersions() (sorted []item, names []string) {
	versions := map[string][]item{} // Newest first.
	null := func(key string) func(item) bool { return func(i item) bool { return i.id == "null" } }
	suspended := true // As a bucket that never had versions, but for the id of what a put makes.
	for range 1 + l.r.IntN(8) {
		names = append(names, l.key())
	}
	for range l.r.IntN(40) {
		key := names[l.r.IntN(len(names))]
		switch l.r.IntN(8) {
		case 0:
			suspended = !suspended
			status := map[bool]string{true: "Suspended", false: "Enabled"}[suspended]
			l.ok(l.root, "PUT", "/"+l.bucket+"?versioning", "<VersioningConfiguration><Status>"+status+"</Status></VersioningConfiguration>")
		case 1, 2:
			r := l.ok(l.root, "DELETE", l.path(key), "")
			id := r.Header.Get("X-Amz-Version-Id")
			if id == "" { // It never had versions.
				versions[key] = nil
				continue
			}
			if suspended {
				versions[key] = slices.DeleteFunc(versions[key], null(key))
			}
			versions[key] = append([]item{{name: key, id: id, marker: true}}, versions[key]...)
		case 3:
			if list := versions[key]; len(list) > 0 {
				i := l.r.IntN(len(list))
				l.ok(l.root, "DELETE", l.path(key)+"?versionId="+list[i].id, "")
				versions[key] = slices.Delete(list, i, i+1)
			}
		default:
			id := cmp.Or(l.ok(l.root, "PUT", l.path(key), "x").Header.Get("X-Amz-Version-Id"), "null")
			if id == "null" {
				versions[key] = slices.DeleteFunc(versions[key], null(key))
			}
			versions[key] = append([]item{{name: key, id: id}}, versions[key]...)
		}
	}
	slices.Sort(names)
	names = slices.Compact(names)
	for _, key := range names {
		for i, v := range versions[key] {
			v.latest = i == 0
			sorted = append(sorted, v)
		}
	}
	return sorted, names
}

func (l *lister) walkVersions(sorted []item, prefix, delimiter string, place item) {
	coded := l.r.IntN(2) == 0
	for {
		asked, limit := l.maxKeys()
		p := l.list("/"+l.bucket+"?versions", coded, "prefix", prefix, "delimiter", delimiter, "key-marker", place.name, "version-id-marker", place.id, "max-keys", asked)
		last := p.shows(rollUp(sorted, prefix, delimiter, place), limit, prefix, "|", delimiter, "|", place, "|", asked)
		p.is("Name", l.bucket)
		p.isName("Prefix", prefix)
		p.isName("KeyMarker", place.name)
		p.is("VersionIdMarker", place.id)
		p.isName("Delimiter", orAbsent(delimiter))
		p.is("MaxKeys", strconv.Itoa(limit))
		p.codedAs()
		if !p.truncated() {
			p.isName("NextKeyMarker", missing)
			p.is("NextVersionIdMarker", missing)
			return
		}
		p.isName("NextKeyMarker", last.name)
		p.is("NextVersionIdMarker", orAbsent(last.id))
		place = item{name: last.name, id: last.id}
	}
}

// TestListUploadsByTheRules does it with uploads, several of a key, and then with the
// parts of one.
func TestListUploadsByTheRules(t *testing.T) {
	eachLister(t, func(l *lister) {
		var uploads []item
		var names []string
		for range l.r.IntN(20) {
			key := l.key()
			if len(names) > 0 && l.r.IntN(3) == 0 {
				key = names[l.r.IntN(len(names))]
			}
			names = append(names, key)
			uploads = append(uploads, item{name: key, id: element(l.ok(l.root, "POST", l.path(key)+"?uploads", "").body, "UploadId")})
			if l.r.IntN(5) == 0 {
				i := l.r.IntN(len(uploads))
				l.ok(l.root, "DELETE", l.path(uploads[i].name)+"?uploadId="+uploads[i].id, "")
				uploads = slices.Delete(uploads, i, i+1)
			}
		}
		slices.SortStableFunc(uploads, func(a, b item) int { return strings.Compare(a.name, b.name) })
		for range 8 {
			prefix, delimiter, key := l.parameters(names)
			place := item{name: key}
			if i := l.r.IntN(2 * (1 + len(uploads))); i < len(uploads) {
				place = uploads[i]
			}
			l.walkUploads(uploads, prefix, delimiter, place)
		}
		if len(uploads) > 0 {
			l.walkParts(uploads[0])
		}
	})
}

func (l *lister) walkUploads(sorted []item, prefix, delimiter string, place item) {
	coded := l.r.IntN(2) == 0
	for {
		asked, limit := l.maxKeys()
		p := l.list("/"+l.bucket+"?uploads", coded, "prefix", prefix, "delimiter", delimiter, "key-marker", place.name, "upload-id-marker", place.id, "max-uploads", asked)
		last := p.shows(rollUp(sorted, prefix, delimiter, place), limit, prefix, "|", delimiter, "|", place, "|", asked)
		p.is("Bucket", l.bucket)
		p.isName("Prefix", prefix)
		p.isName("KeyMarker", place.name)
		p.is("UploadIdMarker", place.id)
		p.isName("Delimiter", orAbsent(delimiter))
		p.is("MaxUploads", strconv.Itoa(limit))
		p.codedAs()
		if !p.truncated() {
			p.isName("NextKeyMarker", missing)
			p.is("NextUploadIdMarker", missing)
			return
		}
		p.isName("NextKeyMarker", last.name)
		p.is("NextUploadIdMarker", last.id)
		place = item{name: last.name, id: last.id}
	}
}

func (l *lister) walkParts(of item) {
	numbers := map[int]bool{}
	for range l.r.IntN(12) {
		n := 1 + l.r.IntN([]int{5, 100, 10000}[l.r.IntN(3)])
		l.ok(l.root, "PUT", fmt.Sprintf("%s?partNumber=%d&uploadId=%s", l.path(of.name), n, of.id), "x")
		numbers[n] = true
	}
	sorted := []int{}
	for n := range numbers {
		sorted = append(sorted, n)
	}
	slices.Sort(sorted)
	for marker := []int{0, 0, 3, 50, 9999, 10000, 1<<31 - 1}[l.r.IntN(7)]; ; {
		left := slices.DeleteFunc(slices.Clone(sorted), func(n int) bool { return n <= marker })
		asked, limit := l.maxKeys()
		p := l.list(l.path(of.name)+"?uploadId="+of.id, false, "max-parts", asked, "part-number-marker", strconv.Itoa(marker))
		got := p.texts(p.body, "PartNumber")
		want := left[:min(limit, len(left))]
		require.Equal(l.t, fmt.Sprint(want), fmt.Sprint(got))
		require.Equal(l.t, len(left) > limit, p.truncated())
		p.is("Bucket", l.bucket)
		p.is("UploadId", of.id)
		p.is("MaxParts", strconv.Itoa(limit))
		if !p.truncated() {
			return
		}
		marker = want[limit-1]
		p.is("NextPartNumberMarker", strconv.Itoa(marker))
	}
}

// TestListBucketsByTheRules does it with the buckets of an account.
func TestListBucketsByTheRules(t *testing.T) {
	w := newWorld(t)
	w.account("other")
	p := w.account("lister")
	var all []string
	for _, name := range []string{"aaa", "abc", "abc-1", "abc-2", "abd", "b-1", "zzz"} {
		w.ok(p, "PUT", "/"+name, "")
		all = append(all, name)
	}
	w.ok(w.root, "PUT", "/not-theirs", "")
	l := &lister{world: w, r: rand.New(rand.NewPCG(1, 1))}
	w.root = p // Who lists.
	for range 30 {
		prefix := []string{"", "a", "abc", "abc-", "x"}[l.r.IntN(5)]
		left := slices.DeleteFunc(slices.Clone(all), func(n string) bool { return !strings.HasPrefix(n, prefix) })
		for token := ""; ; {
			limit := []int{1, 2, 3, 7, 10000}[l.r.IntN(5)]
			page := l.list("/", false, "prefix", prefix, "max-buckets", strconv.Itoa(limit), "continuation-token", token, "bucket-region", []string{"", "us-east-1"}[l.r.IntN(2)])
			require.Equal(t, left[:min(limit, len(left))], append([]string{}, page.texts(page.texts(page.body, "Buckets")[0], "Name")...))
			page.is("Prefix", orAbsent(prefix))
			if left = left[min(limit, len(left)):]; len(left) == 0 {
				page.is("ContinuationToken", missing)
				break
			}
			token = page.texts(page.body, "ContinuationToken")[0]
		}
	}
	require.NotContains(t, w.ok(p, "GET", "/?bucket-region=elsewhere", "").body, "<Bucket>")
	for _, bad := range []string{"max-buckets=0", "max-buckets=-1", "max-buckets=10001", "max-buckets=x", "continuation-token=%21"} {
		w.refused("InvalidArgument", p, "GET", "/?"+bad, "")
	}
}

// TestListParametersAreChecked lists what of parameters is refused, and what is not.
func TestListParametersAreChecked(t *testing.T) {
	w := newWorld(t)
	p := w.account("one")
	for _, b := range []string{"one", "two"} {
		w.ok(p, "PUT", "/"+b, "")
		for _, key := range []string{"a", "b", "c"} {
			w.ok(p, "PUT", "/"+b+"/"+key, "x")
		}
	}
	upload := element(w.ok(p, "POST", "/one/u?uploads", "").body, "UploadId")
	for _, list := range []struct{ path, max string }{{"/one?", "max-keys"}, {"/one?list-type=2&", "max-keys"}, {"/one?versions&", "max-keys"},
		{"/one?uploads&", "max-uploads"}, {"/one/u?uploadId=" + upload + "&", "max-parts"}} {
		for _, bad := range []string{"-1", "x", "1x", "+1", "1.5", "2147483648", "99999999999999999999", "%20"} {
			r := w.refused("InvalidArgument", p, "GET", list.path+list.max+"="+bad, "")
			require.Equal(t, list.max, element(r.body, "ArgumentName"))
		}
		if list.max == "max-keys" || list.max == "max-uploads" {
			w.refused("InvalidArgument", p, "GET", list.path+"encoding-type=base64", "")
		}
		w.refused("AccessDenied", p, "GET", list.path, "", "x-amz-expected-bucket-owner: 000000000000")
		w.ok(p, "GET", list.path, "", "x-amz-expected-bucket-owner: "+p.account, "x-amz-request-payer: requester")
	}
	for _, bad := range []string{"list-type=1", "list-type=3", "list-type=2&continuation-token=x", "list-type=2&continuation-token=%2B%2B%2B%2B",
		"versions&version-id-marker=v", "uploads&key-marker=a&upload-id-marker=x"} {
		w.refused("InvalidArgument", p, "GET", "/one?"+bad, "")
	}
	for _, none := range []string{"/one?max-keys=0", "/one?list-type=2&max-keys=0", "/one?versions&max-keys=0", "/one/u?uploadId=" + upload + "&max-parts=0"} {
		r := w.ok(p, "GET", none, "")
		require.Contains(t, r.body, "<IsTruncated>false<", none)
		require.NotContains(t, r.body, "<Key>a<", none)
	}
	w.refused("NoSuchBucket", p, "GET", "/none-of-them?max-keys=0", "")
	require.Contains(t, w.ok(p, "GET", "/one?uploads&max-uploads=0", "").body, "<MaxUploads>1000<", "OBS: outside of 1 to 1000 is 1000")
	require.Contains(t, w.ok(p, "GET", "/one?uploads&upload-id-marker=x", "").body, "<Upload>", "without a key marker it is ignored")
	require.Contains(t, w.ok(p, "GET", "/one/u?uploadId="+upload, "").body, "<NextPartNumberMarker>0<")

	// A token is a place among names: in another bucket, the same place.
	token := element(w.ok(p, "GET", "/one?list-type=2&max-keys=2", "").body, "NextContinuationToken")
	r := w.ok(p, "GET", "/two?list-type=2&start-after=a&continuation-token="+token, "")
	require.Equal(t, "c", element(r.body, "Key"))
	require.Equal(t, "1", element(r.body, "KeyCount"))
}
