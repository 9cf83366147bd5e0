package guard

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"math/big"
	"strings"
)

const maxToken = 8 << 10

var base64url = base64.RawURLEncoding.Strict()

// publicKey reads a public JWK of P-256; nil is any other.
func publicKey(jwk map[string]any) *ecdsa.PublicKey {
	if jwk["kty"] != "EC" || jwk["crv"] != "P-256" || (jwk["alg"] != nil && jwk["alg"] != "ES256") || (jwk["use"] != nil && jwk["use"] != "sig") {
		return nil
	}
	x, y := coordinate(jwk["x"]), coordinate(jwk["y"])
	if x == nil || y == nil || !elliptic.P256().IsOnCurve(x, y) {
		return nil
	}
	return &ecdsa.PublicKey{Curve: elliptic.P256(), X: x, Y: y}
}

func coordinate(value any) *big.Int {
	text, _ := value.(string)
	bytes, err := base64url.DecodeString(text)
	if err != nil || len(bytes) != 32 {
		return nil
	}
	return new(big.Int).SetBytes(bytes)
}

// ParseKey reads the guard's own key, a private JWK of P-256, as `deputize guard keygen` writes it.
func ParseKey(text []byte) (*ecdsa.PrivateKey, error) {
	jwk, err := parseObject(text)
	if err != nil {
		return nil, err
	}
	public, d := publicKey(jwk), coordinate(jwk["d"])
	if public == nil || d == nil {
		return nil, errors.New("this is not a private JWK of P-256")
	}
	if x, y := public.Curve.ScalarBaseMult(d.Bytes()); x.Cmp(public.X) != 0 || y.Cmp(public.Y) != 0 {
		return nil, errors.New("the two halves of this JWK are of different keys")
	}
	return &ecdsa.PrivateKey{PublicKey: *public, D: d}, nil
}

type jws struct {
	header, claims map[string]any
	signed         string
	signature      []byte
}

// parseJWS is TOKEN-1, but for the key.
func parseJWS(token, typ string) *jws {
	parts := strings.Split(token, ".")
	if len(token) > maxToken || len(parts) != 3 {
		return nil
	}
	var decoded [3][]byte
	for i, part := range parts {
		// RawURLEncoding passes over line ends, which are none of its letters.
		bytes, err := base64url.DecodeString(part)
		if err != nil || strings.ContainsAny(part, "\r\n") {
			return nil
		}
		decoded[i] = bytes
	}
	header, err := parseObject(decoded[0])
	if err != nil {
		return nil
	}
	claims, err := parseObject(decoded[1])
	if err != nil {
		return nil
	}
	_, critical := header["crit"]
	if header["typ"] != typ || header["alg"] != "ES256" || critical || len(decoded[2]) != 64 {
		return nil
	}
	return &jws{header: header, claims: claims, signed: parts[0] + "." + parts[1], signature: decoded[2]}
}

func (token *jws) verify(key *ecdsa.PublicKey) bool {
	sum := sha256.Sum256([]byte(token.signed))
	r, s := new(big.Int).SetBytes(token.signature[:32]), new(big.Int).SetBytes(token.signature[32:])
	return ecdsa.Verify(key, sum[:], r, s)
}

func signJWS(key *ecdsa.PrivateKey, header, claims map[string]any) (string, error) {
	var parts [2]string
	for i, part := range []map[string]any{header, claims} {
		text, err := json.Marshal(part)
		if err != nil {
			return "", err
		}
		parts[i] = base64url.EncodeToString(text)
	}
	signed := parts[0] + "." + parts[1]
	sum := sha256.Sum256([]byte(signed))
	r, s, err := ecdsa.Sign(rand.Reader, key, sum[:])
	if err != nil {
		return "", err
	}
	signature := make([]byte, 64)
	r.FillBytes(signature[:32])
	s.FillBytes(signature[32:])
	return signed + "." + base64url.EncodeToString(signature), nil
}
