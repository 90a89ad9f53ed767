package identity

import (
	"fmt"
	"io"
	"io/fs"
	"os"
)

const (
	othersAccess = 0o077 // Of anybody but the owner.
	groupRead    = 0o040
	noUser       = -1 // Where a file system has no owners.
	rootUser     = 0
)

// ReadSecretFile returns the text of a small file that holds a secret: the cluster key, the
// root key of the key service, a token. A file that others may access is refused, with a
// sentence that names it; see checkAccess.
func ReadSecretFile(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	info, err := f.Stat()
	switch {
	case err != nil:
		return "", err
	case !info.Mode().IsRegular():
		return "", fmt.Errorf("%s is not a regular file", path)
	}
	owner, self := ownerOf(info)
	if err := checkAccess(path, info.Mode(), owner, self); err != nil {
		return "", err
	}
	text, err := io.ReadAll(io.LimitReader(f, keyFileMaxBytes))
	return string(text), err
}

// checkAccess returns why a file that holds a secret may not be used by a process of
// user self: others may get at it.
//
// A file of mode 0600 or less is its owner's alone. A file of root's may be read by its
// group besides, where the process is not root: that is how a secret is handed to a
// process without privileges that may not change it (Kubernetes with fsGroup, a package's
// root:cairn 0640). In every other case whoever could read it by the group could be kept
// out by the owner, so it is an oversight.
func checkAccess(path string, mode fs.FileMode, owner, self int) error {
	others := mode.Perm() & othersAccess
	switch {
	case others == 0:
		return nil
	case others&^groupRead == 0 && owner == rootUser && self != rootUser:
		return nil
	case owner == rootUser && self != rootUser:
		return fmt.Errorf("%s can be accessed by others (mode %04o); run: chmod 640 %s (a file of root's may be read by its group, and by nobody else)",
			path, mode.Perm(), path)
	}
	return fmt.Errorf("%s can be accessed by others (mode %04o); run: chmod 600 %s", path, mode.Perm(), path)
}
