package guard

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/rand"
	"encoding/json"
	"io"
	"log"
	"net/http"
	"sync"
	"time"
)

const (
	maxAnswer = 64 << 10
	patience  = 5 * time.Second
	keysApart = 5 * time.Second // TOKEN-6
	keysGood  = 5 * time.Minute
)

// authority speaks to the deputize authority at issuer: for its keys, and as a guard (PROOF-4).
type authority struct {
	issuer string
	key    *ecdsa.PrivateKey
	client *http.Client
	now    func() time.Time

	mutex   sync.Mutex
	keys    map[string]*ecdsa.PublicKey
	fetched time.Time
	tried   time.Time
}

func newAuthority(config Config) *authority {
	return &authority{issuer: config.Issuer, key: config.Key, now: config.Now, client: &http.Client{
		Timeout:       patience,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// publicKey finds the key of that kid: nil if there is none. It is an error if nobody can say so.
func (a *authority) publicKey(kid string) (*ecdsa.PublicKey, error) {
	a.mutex.Lock()
	defer a.mutex.Unlock()
	now := time.Now()
	if (a.keys[kid] == nil || now.Sub(a.fetched) >= keysGood) && now.Sub(a.tried) >= keysApart {
		a.tried = now
		keys, err := a.fetchKeys()
		if err != nil {
			return nil, err
		}
		a.keys, a.fetched = keys, now
	}
	if now.Sub(a.fetched) >= keysGood {
		return nil, unavailable()
	}
	return a.keys[kid], nil
}

func (a *authority) fetchKeys() (map[string]*ecdsa.PublicKey, error) {
	response, err := a.client.Get(a.issuer + "/jwks.json")
	if err != nil {
		return nil, unavailable()
	}
	document, err := readAnswer(response)
	if err != nil || response.StatusCode != http.StatusOK {
		return nil, unavailable()
	}
	list, ok := document["keys"].([]any)
	if !ok {
		return nil, unavailable()
	}
	keys := map[string]*ecdsa.PublicKey{}
	for _, item := range list {
		jwk, _ := item.(map[string]any)
		kid, _ := jwk["kid"].(string)
		if key := publicKey(jwk); key != nil && kid != "" {
			keys[kid] = key
		}
	}
	return keys, nil
}

func readAnswer(response *http.Response) (map[string]any, error) {
	defer response.Body.Close()
	text, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	if err != nil {
		return nil, err
	}
	return parseObject(text)
}

// What the authority says of this guard's own request is nothing that its sender could mend (GUARD-6).
var ours = map[string]bool{"invalid_request": true, "payload_too_large": true, "unsupported_media_type": true, "not_found": true,
	"method_not_allowed": true, "cross_site_request": true, "version_skew": true, "login_required": true, "invalid_dpop_proof": true, "server_error": true}

// redeem is GUARD-3. It goes on although its client goes away: what was sent may have been done.
func (a *authority) redeem(call, token string) (externalID string, err error) {
	status, answer, err := a.post("/calls/"+call+"/redemption", map[string]any{"call_token": token})
	if err != nil {
		return "", unavailable()
	}
	if status == http.StatusOK {
		id, named := answer["external_id"]
		text, isText := id.(string)
		if answer["call_id"] != call || answer["state"] != "redeemed" || !named || !(isText || id == nil) {
			return "", unavailable()
		}
		return text, nil
	}
	code, _ := answer["code"].(string)
	detail, _ := answer["detail"].(string)
	if status < 400 || code == "" || ours[code] {
		return "", unavailable()
	}
	return "", refuse(status, code, detail)
}

// report is GUARD-5. What the authority cannot be told becomes unknown by itself (CALL-4).
func (a *authority) report(call, outcome string) {
	if status, _, err := a.post("/calls/"+call+"/outcome", map[string]any{"outcome": outcome}); err != nil || status != http.StatusOK {
		log.Printf("deputize: call %s %s, which could not be reported", call, outcome)
	}
}

func (a *authority) post(path string, body map[string]any) (int, map[string]any, error) {
	proof, err := a.proof(a.issuer + path)
	if err != nil {
		return 0, nil, err
	}
	text, err := json.Marshal(body)
	if err != nil {
		return 0, nil, err
	}
	request, err := http.NewRequestWithContext(context.Background(), http.MethodPost, a.issuer+path, bytes.NewReader(text))
	if err != nil {
		return 0, nil, err
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Deputize-Guard", proof)
	request.Header.Set("Deputize-Protocol", "1") // VERSION-1
	response, err := a.client.Do(request)
	if err != nil {
		return 0, nil, err
	}
	answer, err := readAnswer(response)
	return response.StatusCode, answer, err
}

func (a *authority) proof(address string) (string, error) {
	id := make([]byte, 16)
	if _, err := rand.Read(id); err != nil {
		return "", err
	}
	var x, y [32]byte
	a.key.X.FillBytes(x[:])
	a.key.Y.FillBytes(y[:])
	jwk := map[string]any{"kty": "EC", "crv": "P-256", "x": base64url.EncodeToString(x[:]), "y": base64url.EncodeToString(y[:])}
	return signJWS(a.key, map[string]any{"typ": "dpop+jwt", "alg": "ES256", "jwk": jwk}, map[string]any{
		"jti": base64url.EncodeToString(id), "htm": http.MethodPost, "htu": address, "iat": a.now().Unix(),
	})
}
