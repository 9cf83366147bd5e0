// Package guard stands in front of the handlers of a site's API (deputize, PROTOCOL.md §7): a handler that it protects runs once for each
// call that the authority has allowed, with exactly the arguments that were allowed, and for nothing else.
package guard

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"regexp"
	"sort"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode"
)

const (
	maxBody  = 64 << 10         // JSON-3
	bodyTime = 30 * time.Second // JSON-4
)

// Config is what the policy says of this API.
type Config struct {
	Issuer   string            // the authority's URL, without a slash at its end
	Audience string            // `api.audience`
	Key      *ecdsa.PrivateKey // the guard's, whose public half is in `api.keys`
	Tools    map[string]Tool   // those that have an endpoint here
	Now      func() time.Time  // for tests; time.Now if it is not said
}

// Guard protects the handlers of one API.
type Guard struct {
	audience  string
	now       func() time.Time
	authority *authority
	endpoints map[string]*endpoint

	mutex     sync.Mutex
	protected map[string]bool
}

// Call is what a handler is told of the call that it runs for.
type Call struct {
	ID         string
	Tool       string
	Arguments  map[string]any // those that were verified
	User       string         // the authority's id of the user
	ExternalID string         // the id that the site's own login has for him; empty where users sign in at the authority
	ClientID   string         // the agent; empty if the page asked (CALL-7)
}

// Refused is the answer to whoever is not let through (RFC 9457).
type Refused struct {
	Status int
	Code   string
	Detail string
}

func (r *Refused) Error() string { return r.Code }

func refuse(status int, code, detail string) *Refused { return &Refused{status, code, detail} }

func unavailable() *Refused {
	return refuse(http.StatusServiceUnavailable, "authority_unavailable", "The authority cannot be reached, so nothing has been done.")
}

func badToken() *Refused {
	return refuse(http.StatusUnauthorized, "invalid_call_token", "This is no call token for this API that is good now.")
}

// New makes the guard of an API. It fails if an endpoint cannot be read.
func New(config Config) (*Guard, error) {
	if config.Key == nil || config.Issuer == "" || strings.HasSuffix(config.Issuer, "/") || config.Audience == "" {
		return nil, errors.New("a guard needs a key, an audience, and an issuer without a slash at its end")
	}
	if config.Now == nil {
		config.Now = time.Now
	}
	g := &Guard{audience: config.Audience, now: config.Now, authority: newAuthority(config), endpoints: map[string]*endpoint{}, protected: map[string]bool{}}
	for name, tool := range config.Tools {
		e, err := parseEndpoint(name, tool)
		if err != nil {
			return nil, err
		}
		g.endpoints[name] = e
	}
	return g, nil
}

// Protect puts the guard in front of a handler: of one tool, or of several that share an endpoint (ENDPOINT-3). A tool that is not in the
// configuration is a fault of the program (GUARD-8).
func (g *Guard) Protect(handler http.Handler, tools ...string) http.Handler {
	g.mutex.Lock()
	defer g.mutex.Unlock()
	if len(tools) == 0 {
		panic("deputize: Protect needs a tool")
	}
	for _, tool := range tools {
		if g.endpoints[tool] == nil {
			panic("deputize: " + tool + " has no endpoint here")
		}
		g.protected[tool] = true
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		call, err := g.admit(r, tools)
		if err != nil {
			answer(w, err)
			return
		}
		g.run(w, r, handler, call)
	})
}

// Unprotected are the tools that no handler is protected for: a program that has any does not start (GUARD-8).
func (g *Guard) Unprotected() []string {
	g.mutex.Lock()
	defer g.mutex.Unlock()
	var names []string
	for name := range g.endpoints {
		if !g.protected[name] {
			names = append(names, name)
		}
	}
	sort.Strings(names)
	return names
}

type callKey struct{}

// CallOf is the call that a protected handler runs for; nil if there is none, and then nothing may be done.
func CallOf(ctx context.Context) *Call {
	call, _ := ctx.Value(callKey{}).(*Call)
	return call
}

// admit is GUARD-1.
func (g *Guard) admit(r *http.Request, tools []string) (*Call, error) {
	began := time.Now()
	if strings.IndexFunc(r.URL.Path, unicode.IsControl) >= 0 {
		return nil, refuse(http.StatusBadRequest, "invalid_request", "There is a control character in the path.")
	}
	if CallOf(r.Context()) != nil {
		return nil, refuse(http.StatusInternalServerError, "server_error", "Two guards stand in front of one handler.")
	}
	sent := r.Header.Values("Txn-Token")
	if len(sent) == 0 {
		return nil, refuse(http.StatusUnauthorized, "missing_call_token", "This needs a call token in Txn-Token.")
	}
	if len(sent) > 1 {
		return nil, badToken()
	}
	call, promised, err := g.verify(sent[0])
	if err != nil {
		return nil, err
	}
	tool := g.endpoints[call.Tool]
	if tool == nil || !contains(tools, call.Tool) {
		return nil, refuse(http.StatusForbidden, "call_wrong_tool", "This call token is for another tool.")
	}
	if call.Arguments, err = arguments(r, tool, began); err != nil {
		return nil, err
	}
	if digest(call.Arguments) != promised.digest {
		return nil, refuse(http.StatusForbidden, "argument_hash_mismatch", "These are not the arguments that were allowed.")
	}
	if float64(g.now().Unix()) >= promised.expires {
		return nil, badToken() // JSON-4: the body may have taken its time
	}
	if call.ExternalID, err = g.authority.redeem(call.ID, sent[0]); err != nil {
		return nil, err
	}
	return call, nil
}

// promise is what a call token says of the arguments, and until when.
type promise struct {
	digest  string
	expires float64
}

func contains(list []string, text string) bool {
	for _, item := range list {
		if item == text {
			return true
		}
	}
	return false
}

// verify is TOKEN-1 and TOKEN-3. The call that it answers has no arguments yet.
func (g *Guard) verify(text string) (*Call, *promise, error) {
	token := parseJWS(text, "txntoken+jwt")
	if token == nil {
		return nil, nil, badToken()
	}
	kid, ok := token.header["kid"].(string)
	if !ok {
		return nil, nil, badToken()
	}
	key, err := g.authority.publicKey(kid)
	if err != nil {
		return nil, nil, err
	}
	if key == nil || !token.verify(key) {
		return nil, nil, badToken()
	}
	claims := token.claims
	facts, _ := claims["tctx"].(map[string]any)
	request, _ := claims["rctx"].(map[string]any)
	call, promised := &Call{}, &promise{}
	call.ID, _ = claims["txn"].(string)
	call.User, _ = claims["sub"].(string)
	call.Tool, _ = facts["tool"].(string)
	call.ClientID, _ = request["client_id"].(string)
	promised.digest, _ = facts["args_s256"].(string)
	promised.expires, _ = claims["exp"].(float64)
	// TOKEN-5: at the second of `exp` it is over, and there is no leeway.
	if claims["iss"] != g.authority.issuer || claims["aud"] != g.audience || float64(g.now().Unix()) >= promised.expires {
		return nil, nil, badToken()
	}
	if !callID.MatchString(call.ID) || promised.digest == "" {
		return nil, nil, badToken()
	}
	return call, promised, nil
}

// callID is what may stand in a path of the authority's.
var callID = regexp.MustCompile(`^[A-Za-z0-9_-]+$`)

// arguments is GUARD-2. The body that the handler reads afterwards has the bytes that were read here.
func arguments(r *http.Request, tool *endpoint, began time.Time) (map[string]any, error) {
	values, refused := tool.arguments(r.Method, r.URL)
	if refused != nil {
		return nil, refused
	}
	body, err := readBody(r, began)
	if err != nil {
		return nil, err
	}
	r.Body, r.ContentLength, r.TransferEncoding = io.NopCloser(bytes.NewReader(body)), int64(len(body)), nil
	if tool.method == http.MethodGet {
		if len(body) > 0 {
			return nil, refuse(http.StatusBadRequest, "invalid_request", "The arguments are in the address, and there is a body.")
		}
		return values, nil
	}
	if len(body) == 0 && tool.whole {
		return values, nil
	}
	if !isJSON(r.Header.Get("Content-Type")) {
		return nil, refuse(http.StatusUnsupportedMediaType, "unsupported_media_type", "The arguments are a body of application/json, in UTF-8.")
	}
	object, err := parseObject(body)
	if err != nil {
		return nil, refuse(http.StatusBadRequest, "invalid_request", "The body cannot be read: "+err.Error()+".")
	}
	for name, value := range object {
		if place := tool.place[name]; place != "" {
			return nil, refuse(http.StatusBadRequest, "invalid_request", "The body has an argument whose place is the "+place+".")
		}
		values[name] = value
	}
	return values, nil
}

// isJSON refuses another charset: who decodes the body once more, by that, would read something else than was hashed.
func isJSON(contentType string) bool {
	parts := strings.Split(strings.ToLower(contentType), ";")
	for _, parameter := range parts[1:] {
		name, value, _ := strings.Cut(strings.TrimSpace(parameter), "=")
		if strings.HasPrefix(name, "charset") && strings.Trim(value, `"`) != "utf-8" {
			return false
		}
	}
	return strings.TrimSpace(parts[0]) == "application/json"
}

func readBody(r *http.Request, began time.Time) ([]byte, error) {
	if err := oneFraming(r); err != nil {
		return nil, err
	}
	large := refuse(http.StatusRequestEntityTooLarge, "payload_too_large", "The body has more than 64 KiB.")
	if r.ContentLength > maxBody {
		return nil, large
	}
	limit(r, began.Add(bodyTime))
	body, err := io.ReadAll(io.LimitReader(r.Body, maxBody+1))
	limit(r, time.Time{})
	if os.IsTimeout(err) || time.Since(began) > bodyTime {
		return nil, refuse(http.StatusRequestTimeout, "request_timeout", "The body did not arrive in time.")
	}
	if err != nil {
		return nil, refuse(http.StatusBadRequest, "invalid_request", "The body cannot be read.")
	}
	if len(body) > maxBody {
		return nil, large
	}
	return body, nil
}

// answer is ERR-1 and ERR-2.
func answer(w http.ResponseWriter, err error) {
	refused, ok := err.(*Refused)
	if !ok {
		refused = refuse(http.StatusInternalServerError, "server_error", "")
	}
	if refused.Status == http.StatusUnauthorized {
		challenge := `DPoP algs="ES256"`
		if refused.Code != "missing_call_token" {
			challenge = `DPoP error="` + refused.Code + `", algs="ES256"`
		}
		w.Header().Set("WWW-Authenticate", challenge)
	}
	if refused.Status == http.StatusRequestTimeout || refused.Status == http.StatusRequestEntityTooLarge {
		w.Header().Set("Connection", "close")
	}
	text, _ := json.Marshal(map[string]any{"type": "about:blank", "title": http.StatusText(refused.Status), "status": refused.Status,
		"detail": refused.Detail, "code": refused.Code})
	w.Header().Set("Content-Type", "application/problem+json")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Content-Length", strconv.Itoa(len(text)))
	w.WriteHeader(refused.Status)
	_, _ = w.Write(text)
}

// run is GUARD-5: it runs the handler, and tells the authority what became of it, once.
func (g *Guard) run(w http.ResponseWriter, r *http.Request, handler http.Handler, call *Call) {
	seen := &seenWriter{ResponseWriter: w, bare: r.Method == http.MethodHead}
	var once sync.Once
	seen.tell = func(outcome string) { once.Do(func() { g.authority.report(call.ID, outcome) }) }
	ctx := context.WithValue(r.Context(), callKey{}, call)
	defer seen.tell("unknown") // a panic goes on to net/http, which ends the connection
	if ctx.Err() != nil {
		panic(http.ErrAbortHandler) // the client went away: nobody waits for what would be done
	}
	ended := make(chan struct{})
	defer close(ended)
	go func() {
		select {
		case <-ctx.Done():
			seen.tell("unknown")
		case <-ended:
		}
	}()
	handler.ServeHTTP(seen, r.WithContext(ctx))
	if ctx.Err() == nil {
		seen.end()
	}
}

// seenWriter sees what a handler answers. The last of an answer goes out once the outcome was told.
type seenWriter struct {
	http.ResponseWriter
	tell    func(outcome string)
	bare    bool // there is no content, whatever the handler writes
	status  int
	written int64
}

func (w *seenWriter) WriteHeader(status int) {
	if w.status == 0 && status >= 200 {
		w.status = status
		w.bare = w.bare || status == http.StatusNoContent || status == http.StatusNotModified
		if w.bare {
			w.tell(outcomeOf(status))
		}
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *seenWriter) Write(text []byte) (int, error) {
	if w.status == 0 {
		w.WriteHeader(http.StatusOK)
	}
	if length, said := w.length(); said && w.written+int64(len(text)) == length {
		w.tell(outcomeOf(w.status))
	}
	n, err := w.ResponseWriter.Write(text)
	w.written += int64(n)
	if err != nil && !w.bare {
		w.tell("unknown")
	}
	return n, err
}

func (w *seenWriter) Flush() {
	if flusher, ok := w.ResponseWriter.(http.Flusher); ok {
		if w.status == 0 {
			w.WriteHeader(http.StatusOK)
		}
		flusher.Flush()
	}
}

func (w *seenWriter) length() (int64, bool) {
	length, err := strconv.ParseInt(w.Header().Get("Content-Length"), 10, 64)
	return length, err == nil && !w.bare
}

// end is told that the handler has returned.
func (w *seenWriter) end() {
	if w.status == 0 {
		w.status = http.StatusOK // as net/http answers
	}
	if length, said := w.length(); said && length != w.written {
		w.tell("unknown") // net/http breaks the connection off
		return
	}
	w.tell(outcomeOf(w.status))
}

func outcomeOf(status int) string {
	switch {
	case status < 400:
		return "succeeded"
	case status < 500:
		return "failed"
	}
	return "unknown"
}
