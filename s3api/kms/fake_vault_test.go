package kms

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// fakeVault answers as Vault's API documentation says: /v1/transit, AppRole, and the token's own
// life. Every status of 400 and more has {"errors": […]}.
type fakeVault struct {
	mu        sync.Mutex
	keys      map[string]*transitKey
	tokens    map[string]*vaultToken
	secretIDs map[string]bool
	logins    int
	log       []string // METHOD path, in order.
	namespace string
	upsert    bool // The policy lets encrypt make keys.

	sealed     bool
	limited    int           // This many requests are refused by a quota,
	retryAfter string        // with this header.
	slow       time.Duration // Pause before an answer.
	instead    func(w http.ResponseWriter, r *http.Request) bool
}

type transitKey struct {
	versions      [][]byte
	deletable     bool
	minDecryption int
	derived       bool
}

type vaultToken struct {
	until     time.Time // Zero: for ever.
	ttl       time.Duration
	renewable bool
	powerless bool // Its policy allows nothing below transit.
}

func newFakeVault() *fakeVault {
	return &fakeVault{keys: make(map[string]*transitKey), tokens: map[string]*vaultToken{"s.root": {}}, secretIDs: map[string]bool{"secret-1": true}}
}

// RoundTrip answers in the same process, for tests in a bubble.
func (f *fakeVault) RoundTrip(r *http.Request) (*http.Response, error) {
	w, done := httptest.NewRecorder(), make(chan struct{})
	go func() {
		defer close(done)
		f.ServeHTTP(w, r)
	}()
	select {
	case <-done:
		resp := w.Result()
		resp.Request = r
		return resp, nil
	case <-r.Context().Done():
		<-done // The handler's sleep ends with the context.
		return nil, r.Context().Err()
	}
}

func vaultErrors(w http.ResponseWriter, status int, messages ...string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]any{"errors": append([]string{}, messages...)})
}

func vaultData(w http.ResponseWriter, data map[string]any) { vaultAnswer(w, data, nil) }

func vaultAnswer(w http.ResponseWriter, data, auth map[string]any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(map[string]any{"request_id": "8375227a-4a9f-a108-0b89-84c448419e80", "lease_id": "",
		"renewable": false, "lease_duration": 0, "data": data, "wrap_info": nil, "warnings": nil, "auth": auth})
}

func (f *fakeVault) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	slow := f.slow
	f.mu.Unlock()
	if slow > 0 {
		t := time.NewTimer(slow)
		defer t.Stop()
		select {
		case <-t.C:
		case <-r.Context().Done():
			return
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	path := strings.TrimPrefix(r.URL.Path, "/v1/")
	f.log = append(f.log, r.Method+" "+path)
	var body map[string]any
	if r.Body != nil {
		text, _ := io.ReadAll(r.Body)
		if len(text) > 0 && json.Unmarshal(text, &body) != nil {
			vaultErrors(w, 400, "failed to parse JSON input")
			return
		}
	}
	switch {
	case f.instead != nil && f.instead(w, r):
	case r.Header.Get("X-Vault-Request") != "true":
		vaultErrors(w, 412, "missing X-Vault-Request header")
	case r.Header.Get("X-Vault-Namespace") != f.namespace:
		vaultErrors(w, 404, fmt.Sprintf("no handler for route %q. route entry not found.", path))
	case f.sealed:
		vaultErrors(w, 503, "Vault is sealed")
	case f.limited > 0:
		f.limited--
		w.Header().Set("Retry-After", f.retryAfter)
		vaultErrors(w, 429, fmt.Sprintf("request path %q: rate limit quota exceeded", path))
	case path == "auth/approle/login":
		f.login(w, body)
	default:
		f.authenticated(w, r, path, body)
	}
}

func (f *fakeVault) login(w http.ResponseWriter, body map[string]any) {
	if secret, _ := body["secret_id"].(string); body["role_id"] != "role-1" || !f.secretIDs[secret] {
		vaultErrors(w, 400, "invalid role or secret ID")
		return
	}
	f.logins++
	token := "s.login" + strconv.Itoa(f.logins)
	f.tokens[token] = &vaultToken{until: time.Now().Add(20 * time.Minute), ttl: 20 * time.Minute, renewable: true}
	vaultAnswer(w, nil, map[string]any{"client_token": token, "accessor": "0e9e354a", "policies": []string{"default", "cairn"},
		"lease_duration": 1200, "renewable": true, "token_type": "service", "orphan": true})
}

func (f *fakeVault) authenticated(w http.ResponseWriter, r *http.Request, path string, body map[string]any) {
	token := f.tokens[r.Header.Get("X-Vault-Token")]
	if token == nil || !token.until.IsZero() && !time.Now().Before(token.until) {
		vaultErrors(w, 403, "permission denied")
		return
	}
	write := r.Method == http.MethodPost || r.Method == http.MethodPut
	verb, name, _ := strings.Cut(strings.TrimPrefix(path, "transit/"), "/")
	name, action, _ := strings.Cut(name, "/")
	switch {
	case path == "auth/token/lookup-self" && r.Method == http.MethodGet:
		vaultData(w, map[string]any{"ttl": int(time.Until(token.until) / time.Second), "renewable": token.renewable})
	case path == "auth/token/renew-self" && write && token.renewable:
		token.until = time.Now().Add(token.ttl)
		vaultAnswer(w, nil, map[string]any{"client_token": r.Header.Get("X-Vault-Token"), "lease_duration": int(token.ttl / time.Second), "renewable": true})
	case path == "auth/token/renew-self":
		vaultErrors(w, 400, "lease is not renewable")
	case token.powerless:
		vaultErrors(w, 403, "1 error occurred:\n\t* permission denied\n\n")
	case !strings.HasPrefix(path, "transit/"):
		vaultErrors(w, 404, fmt.Sprintf("no handler for route %q. route entry not found.", path))
	case verb == "keys" && name == "":
		f.list(w)
	case verb == "keys":
		f.key(w, r.Method, write, name, action, body)
	case verb == "encrypt" && write:
		f.encrypt(w, name, body)
	case verb == "decrypt" && write:
		f.decrypt(w, name, body)
	default:
		vaultErrors(w, 405, "unsupported operation")
	}
}

func (f *fakeVault) list(w http.ResponseWriter) {
	if len(f.keys) == 0 {
		vaultErrors(w, 404)
		return
	}
	vaultData(w, map[string]any{"keys": slices.Sorted(maps.Keys(f.keys))})
}

func (f *fakeVault) newVersion() []byte {
	b := make([]byte, 32)
	_, _ = rand.Read(b)
	return b
}

func (f *fakeVault) key(w http.ResponseWriter, method string, write bool, name, action string, body map[string]any) {
	k := f.keys[name]
	switch {
	case action == "" && write:
		if k == nil {
			f.keys[name] = &transitKey{versions: [][]byte{f.newVersion()}, minDecryption: 1}
		}
		w.WriteHeader(204)
	case action == "" && method == http.MethodGet && k == nil:
		vaultErrors(w, 404)
	case action == "" && method == http.MethodGet:
		versions := make(map[string]int64)
		for i := range k.versions {
			versions[strconv.Itoa(i+1)] = 1442851412
		}
		vaultData(w, map[string]any{"type": "aes256-gcm96", "deletion_allowed": k.deletable, "derived": k.derived, "exportable": false,
			"keys": versions, "min_decryption_version": k.minDecryption, "min_encryption_version": 0, "latest_version": len(k.versions),
			"name": name, "supports_encryption": true, "supports_decryption": true, "supports_derivation": true, "supports_signing": false})
	case action == "rotate" && write && k == nil:
		vaultErrors(w, 400, "key not found")
	case action == "rotate" && write:
		k.versions = append(k.versions, f.newVersion())
		w.WriteHeader(204)
	case action == "config" && write && k == nil:
		vaultErrors(w, 400, fmt.Sprintf("no existing key named %s could be found", name))
	case action == "config" && write:
		k.deletable, _ = body["deletion_allowed"].(bool)
		vaultData(w, map[string]any{"name": name}) // Newer versions answer the key, older ones 204.
	case action == "" && method == http.MethodDelete && k == nil:
		vaultErrors(w, 400, fmt.Sprintf("error deleting policy %s: could not delete key; not found", name))
	case action == "" && method == http.MethodDelete && !k.deletable:
		vaultErrors(w, 400, fmt.Sprintf("error deleting policy %s: deletion is not allowed for this key", name))
	case action == "" && method == http.MethodDelete:
		delete(f.keys, name)
		w.WriteHeader(204)
	default:
		vaultErrors(w, 405, "unsupported operation")
	}
}

func transitAEAD(key []byte) cipher.AEAD {
	block, _ := aes.NewCipher(key)
	aead, _ := cipher.NewGCM(block)
	return aead
}

// base64Field returns a field of a request; false: it is not base64.
func base64Field(body map[string]any, name string) ([]byte, bool) {
	text, _ := body[name].(string)
	b, err := base64.StdEncoding.DecodeString(text)
	return b, err == nil
}

func (f *fakeVault) encrypt(w http.ResponseWriter, name string, body map[string]any) {
	plain, ok := base64Field(body, "plaintext")
	aad, ok2 := base64Field(body, "associated_data")
	k := f.keys[name]
	if k == nil && f.upsert {
		k = &transitKey{versions: [][]byte{f.newVersion()}, minDecryption: 1}
		f.keys[name] = k
	}
	version := 0
	if k != nil {
		version = len(k.versions)
		if v, _ := body["key_version"].(float64); v != 0 {
			version = int(v)
		}
	}
	switch {
	case !ok || !ok2:
		vaultErrors(w, 400, "failed to base64-decode plaintext")
	case k == nil:
		vaultErrors(w, 400, "encryption key not found")
	case version > len(k.versions):
		vaultErrors(w, 400, "requested version for encryption is higher than the latest key version")
	default:
		nonce := f.newVersion()[:12]
		sealed := transitAEAD(k.versions[version-1]).Seal(nonce, nonce, plain, aad)
		vaultData(w, map[string]any{"ciphertext": fmt.Sprintf("vault:v%d:%s", version, base64.StdEncoding.EncodeToString(sealed)), "key_version": version})
	}
}

func (f *fakeVault) decrypt(w http.ResponseWriter, name string, body map[string]any) {
	aad, ok := base64Field(body, "associated_data")
	text, _ := body["ciphertext"].(string)
	k := f.keys[name]
	f1 := strings.SplitN(text, ":", 3)
	if len(f1) != 3 || f1[0] != "vault" {
		vaultErrors(w, 400, "invalid ciphertext: no prefix")
		return
	}
	version, _ := strconv.Atoi(strings.TrimPrefix(f1[1], "v"))
	sealed, err := base64.StdEncoding.DecodeString(f1[2])
	switch {
	case k == nil:
		vaultErrors(w, 400, "encryption key not found")
	case !ok || err != nil || len(sealed) < 12:
		vaultErrors(w, 400, "invalid ciphertext: could not decode base64")
	case version > len(k.versions):
		vaultErrors(w, 400, "invalid ciphertext: version is too new")
	case version < k.minDecryption:
		vaultErrors(w, 400, "ciphertext or signature version is disallowed by policy (too old)")
	default:
		plain, err := transitAEAD(k.versions[version-1]).Open(nil, sealed[:12], sealed[12:], aad)
		if err != nil {
			vaultErrors(w, 400, "cipher: message authentication failed")
			return
		}
		vaultData(w, map[string]any{"plaintext": base64.StdEncoding.EncodeToString(plain)})
	}
}
