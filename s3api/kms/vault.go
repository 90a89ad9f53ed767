package kms

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/hashicorp/vault/api"

	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/cluster/rpc"
	"github.com/cairnstore/cairn/s3api/sse"
)

// Defaults of VaultConfig.
const (
	DefaultVaultTimeout = 5 * time.Second
	DefaultVaultTries   = 3
	DefaultVaultMount   = "transit"
	DefaultVaultPrefix  = "cairn-"
	DefaultAppRoleMount = "approle"
)

// vaultAnswerMaxBytes bounds how much of an answer is read.
const vaultAnswerMaxBytes = 1 << 20

var prefixPattern = regexp.MustCompile(`^([A-Za-z0-9][A-Za-z0-9_-]*)?$`)

// VaultConfig says how to reach a Vault or OpenBao server and its Transit engine. It has no
// secrets, only the names of files with secrets. The files are read again when they change, and
// only their owner may have access to them.
type VaultConfig struct {
	Address    string // https://HOST:PORT. With http:// keys cross the network in clear.
	Namespace  string // Empty: none.
	Mount      string // Of the Transit engine; empty: DefaultVaultMount.
	KeyPrefix  string // The Transit key is KeyPrefix and Cairn's key id; empty: DefaultVaultPrefix.
	CAFile     string // PEM; empty: the system's authorities.
	ServerName string // The name in the server's certificate; empty: the host of Address.

	TokenFile    string // Either a token
	RoleID       string // or an AppRole:
	SecretIDFile string
	AppRoleMount string // Empty: DefaultAppRoleMount.

	Timeout time.Duration // Of one try; zero: DefaultVaultTimeout.
	Tries   int           // Of one operation; zero: DefaultVaultTries.
}

// Vault keeps keys in the Transit engine of HashiCorp Vault or OpenBao. Below the mount, the policy
// of its token must give: create, read, update and delete on keys/PREFIX*; update on
// keys/PREFIX*/config and keys/PREFIX*/rotate; and update on encrypt/PREFIX* and decrypt/PREFIX*.
// It should not give create on encrypt/PREFIX*, because that makes a deleted key anew.
type Vault struct {
	cfg    VaultConfig
	client *api.Client
	auth   *vaultAuth
}

var _ External = (*Vault)(nil)

// Format keeps the token out of every log line and error.
func (v Vault) Format(f fmt.State, _ rune) { _, _ = fmt.Fprintf(f, "kms.Vault(%s)", v.cfg.Address) }

// NewVault returns a Vault. It does not connect to the server. Errors: Invalid.
func NewVault(cfg VaultConfig) (*Vault, error) {
	t := rpc.Outbound()
	t.TLSClientConfig = &tls.Config{MinVersion: tls.VersionTLS12, ServerName: cfg.ServerName}
	if cfg.CAFile != "" {
		pem, err := os.ReadFile(cfg.CAFile)
		if err != nil {
			return nil, errs.Newf("kms.NewVault", errs.Invalid, "CA of Vault: %w", err)
		}
		t.TLSClientConfig.RootCAs = x509.NewCertPool()
		if !t.TLSClientConfig.RootCAs.AppendCertsFromPEM(pem) {
			return nil, errs.Newf("kms.NewVault", errs.Invalid, "CA of Vault: file %s holds no PEM certificate", cfg.CAFile)
		}
	}
	return newVault(cfg, t)
}

func newVault(cfg VaultConfig, t http.RoundTripper) (*Vault, error) {
	const op = "kms.NewVault"
	u, err := url.Parse(cfg.Address)
	switch {
	case err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" || strings.Trim(u.Path, "/") != "":
		return nil, errs.Newf(op, errs.Invalid, "the address of Vault, %q, is not of the form https://HOST:PORT", cfg.Address)
	case (cfg.TokenFile == "") == (cfg.RoleID == "" && cfg.SecretIDFile == ""):
		return nil, errs.Newf(op, errs.Invalid, "Vault needs either a token file or a role id with a secret id file")
	case cfg.TokenFile == "" && (cfg.RoleID == "" || cfg.SecretIDFile == ""):
		return nil, errs.Newf(op, errs.Invalid, "an AppRole of Vault needs both the role id and the secret id file")
	case !prefixPattern.MatchString(cfg.KeyPrefix):
		return nil, errs.Newf(op, errs.Invalid, "the prefix of keys in Vault, %q, has other characters than letters, digits and _ -", cfg.KeyPrefix)
	case cfg.Timeout < 0 || cfg.Tries < 0:
		return nil, errs.Newf(op, errs.Invalid, "time-out and tries of Vault cannot be negative")
	}
	for value, def := range map[*string]string{&cfg.Mount: DefaultVaultMount, &cfg.KeyPrefix: DefaultVaultPrefix, &cfg.AppRoleMount: DefaultAppRoleMount} {
		if *value = strings.Trim(*value, "/"); *value == "" {
			*value = def
		}
	}
	if cfg.Timeout == 0 {
		cfg.Timeout = DefaultVaultTimeout
	}
	if cfg.Tries == 0 {
		cfg.Tries = DefaultVaultTries
	}
	v := &Vault{cfg: cfg}
	if v.client, err = v.newClient(t); err != nil {
		return nil, errs.New(op, errs.Invalid, err)
	}
	v.auth = newVaultAuth(v)
	return v, nil
}

// newClient returns a client that takes no tokens, namespaces and TLS settings from the
// environment, as package api by itself would.
func (v *Vault) newClient(t http.RoundTripper) (*api.Client, error) {
	client, err := api.NewClient(&api.Config{
		Address: v.cfg.Address,
		HttpClient: &http.Client{
			Transport:     boundedTransport{t},
			CheckRedirect: rpc.NoRedirect,
		},
		Timeout:          v.cfg.Timeout,
		MaxRetries:       0,    // Vault.do retries.
		DisableRedirects: true, // Package api would follow one, and send the token there.
	})
	if err != nil {
		return nil, err
	}
	client.SetHeaders(http.Header{api.RequestHeaderName: {"true"}})
	client.ClearToken()
	client.SetWrappingLookupFunc(func(string, string) string { return "" })
	if v.cfg.Namespace != "" {
		client.SetNamespace(v.cfg.Namespace)
	}
	return client, nil
}

// boundedTransport bounds how much of an answer is read.
type boundedTransport struct{ http.RoundTripper }

func (t boundedTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := t.RoundTripper.RoundTrip(r)
	if err == nil {
		resp.Body = struct {
			io.Reader
			io.Closer
		}{io.LimitReader(resp.Body, vaultAnswerMaxBytes), resp.Body}
	}
	return resp, err
}

// Close ends the renewal of the token. It does not revoke the token.
func (v *Vault) Close() { v.auth.close() }

// path returns the path of an operation on a key.
func (v *Vault) path(verb, keyID, rest string) string {
	return v.cfg.Mount + "/" + verb + "/" + v.cfg.KeyPrefix + keyID + rest
}

// Create implements External.
func (v *Vault) Create(ctx context.Context, keyID string) error {
	_, err := v.do(ctx, request{op: "kms.Vault.Create", method: http.MethodPost, path: v.path("keys", keyID, ""),
		body: map[string]any{"type": "aes256-gcm96"}})
	return err
}

// Rotate implements External.
func (v *Vault) Rotate(ctx context.Context, keyID string) error {
	_, err := v.do(ctx, request{op: "kms.Vault.Rotate", method: http.MethodPost, path: v.path("keys", keyID, "/rotate"), once: true})
	return err
}

// Destroy implements External.
func (v *Vault) Destroy(ctx context.Context, keyID string) error {
	const op = "kms.Vault.Destroy"
	_, err := v.do(ctx, request{op: op, method: http.MethodPost, path: v.path("keys", keyID, "/config"),
		body: map[string]any{"deletion_allowed": true}})
	if err == nil {
		_, err = v.do(ctx, request{op: op, method: http.MethodDelete, path: v.path("keys", keyID, "")})
	}
	if errs.Is(err, errs.NotFound) {
		return nil
	}
	return err
}

// List returns the ids of the keys that the server has with the prefix.
func (v *Vault) List(ctx context.Context) ([]string, error) {
	data, err := v.do(ctx, request{op: "kms.Vault.List", method: http.MethodGet, path: v.cfg.Mount + "/keys", query: url.Values{"list": {"true"}}})
	if errs.Is(err, errs.NotFound) {
		return nil, nil // Vault answers so if there are no keys.
	}
	if err != nil {
		return nil, err
	}
	names, _ := data["keys"].([]any)
	var ids []string
	for _, n := range names {
		name, _ := n.(string)
		if id, ok := strings.CutPrefix(name, v.cfg.KeyPrefix); ok {
			ids = append(ids, id)
		}
	}
	return ids, nil
}

// Version returns the newest version of a key. Errors: NotFound, Invalid (the key cannot wrap).
func (v *Vault) Version(ctx context.Context, keyID string) (uint32, error) {
	const op = "kms.Vault.Version"
	data, err := v.do(ctx, request{op: op, method: http.MethodGet, path: v.path("keys", keyID, "")})
	if err != nil {
		return 0, err
	}
	if derived, _ := data["derived"].(bool); derived || data["supports_encryption"] == false {
		return 0, errs.Newf(op, errs.Invalid, "transit key %s%s is derived or cannot encrypt; Cairn needs one of type aes256-gcm96", v.cfg.KeyPrefix, keyID)
	}
	var newest uint64
	versions, _ := data["keys"].(map[string]any)
	for number := range versions {
		n, _ := strconv.ParseUint(number, 10, 32)
		newest = max(newest, n)
	}
	if newest == 0 {
		return 0, strangeAnswer(op)
	}
	return uint32(newest), nil
}

// Encrypt implements External. It looks the key up first: if the token may create keys, Transit
// makes a key that does not exist, and what a deleted key wrapped would never open with that.
func (v *Vault) Encrypt(ctx context.Context, keyID string, d *sse.DataKey, aad []byte) ([]byte, uint32, error) {
	const op = "kms.Vault.Encrypt"
	newest, err := v.Version(ctx, keyID)
	if err != nil {
		return nil, 0, errs.Wrap(op, err)
	}
	data, err := v.do(ctx, request{op: op, method: http.MethodPost, path: v.path("encrypt", keyID, ""), body: map[string]any{
		"plaintext": base64.StdEncoding.EncodeToString(d.Bytes()), "associated_data": base64.StdEncoding.EncodeToString(aad),
		"key_version": newest}})
	if err != nil {
		return nil, 0, err
	}
	text, _ := data["ciphertext"].(string)
	rest, ok := strings.CutPrefix(text, "vault:v")
	number, sealed, _ := strings.Cut(rest, ":")
	version, err := strconv.ParseUint(number, 10, 32)
	if !ok || err != nil || version == 0 || sealed == "" {
		return nil, 0, strangeAnswer(op)
	}
	return []byte(text), uint32(version), nil
}

// Decrypt implements External.
func (v *Vault) Decrypt(ctx context.Context, keyID string, wrapped, aad []byte) (*sse.DataKey, error) {
	const op = "kms.Vault.Decrypt"
	data, err := v.do(ctx, request{op: op, method: http.MethodPost, path: v.path("decrypt", keyID, ""), body: map[string]any{
		"ciphertext": string(wrapped), "associated_data": base64.StdEncoding.EncodeToString(aad)}})
	if err != nil {
		return nil, err
	}
	text, _ := data["plaintext"].(string)
	plain, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return nil, strangeAnswer(op)
	}
	d, err := sse.DataKeyOf(plain)
	if err != nil {
		return nil, strangeAnswer(op)
	}
	return d, nil
}

// Check returns nil if the server can be reached, is unsealed, and accepts the token.
func (v *Vault) Check(ctx context.Context) error {
	_, err := v.do(ctx, request{op: "kms.Vault.Check", method: http.MethodGet, path: "auth/token/lookup-self"})
	return err
}

// request is one operation of the API.
type request struct {
	op, method, path string
	query            url.Values
	body             map[string]any
	once             bool // It must not be sent again if it may have been done.
}

// send makes one try and returns the data of the answer.
func (v *Vault) send(ctx context.Context, token string, r *request) (map[string]any, error) {
	secret, err := v.exchange(ctx, token, r)
	if err != nil || secret == nil {
		return nil, err
	}
	return secret.Data, nil
}

// exchange makes one try and returns the whole answer; nil if it has no content.
func (v *Vault) exchange(ctx context.Context, token string, r *request) (*api.Secret, error) {
	ctx, cancel := context.WithTimeout(ctx, v.cfg.Timeout)
	defer cancel()
	q := v.client.NewRequest(r.method, "/v1/"+r.path)
	q.ClientToken = token
	if r.query != nil {
		q.Params = r.query
	}
	if r.body != nil {
		if err := q.SetJSONBody(r.body); err != nil {
			return nil, err
		}
	}
	//lint:ignore SA1019 The newer calls hide the headers of errors, and one 404 from another.
	resp, err := v.client.RawRequestWithContext(ctx, q)
	if resp != nil {
		defer resp.Body.Close()
	}
	if err != nil {
		return nil, answerError(resp, err)
	}
	switch {
	case resp.StatusCode == http.StatusNoContent:
		return nil, nil
	case resp.StatusCode >= http.StatusMultipleChoices: // Package api takes it for a success.
		return nil, &vaultError{status: resp.StatusCode, messages: []string{messageRedirect}}
	}
	secret := new(api.Secret)
	dec := json.NewDecoder(resp.Body)
	dec.UseNumber()
	if err := dec.Decode(secret); err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, &vaultError{status: resp.StatusCode, cause: errGarbage}
	}
	return secret, nil
}
