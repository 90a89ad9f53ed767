#!/bin/sh
# Fetches the libraries of web/vendor, and what tests need in testdata, as vendor.lock names them, and fails where one
# has other bytes.
# Run it with --lock after a version was changed there: it writes the hashes anew, for you to review.
# It needs npm, which nobody needs to build Cairn.
set -eu
cd "$(dirname "$0")"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
lock=$work/lock
grep '^#' vendor.lock >"$lock"
grep -v '^#' vendor.lock | while read -r package from to hash; do
  dir=$work/$(printf %s "$package" | tr -c 'a-zA-Z0-9.' '-')
  if [ ! -d "$dir" ]; then
    mkdir "$dir"
    (cd "$dir" && npm pack --silent "$package" >/dev/null && tar xzf ./*.tgz)
  fi
  got=$(sha256sum "$dir/package/$from" | cut -d' ' -f1)
  echo "$package $from $to $got" >>"$lock"
  if [ "$got" != "$hash" ] && [ "${1:-}" != --lock ]; then
    echo "$package: $from has the hash $got, locked is $hash" >&2
    exit 1
  fi
  case $to in testdata/*) ;; *) to=web/vendor/$to ;; esac
  mkdir -p "$(dirname "$to")"
  cp "$dir/package/$from" "$to"
done
[ "${1:-}" != --lock ] || cp "$lock" vendor.lock
