package guard

import (
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Tool is what the policy says of a tool: where it is done (ENDPOINT-1), and the schema by which an address is read.
type Tool struct {
	Endpoint    string         `json:"endpoint"`
	InputSchema map[string]any `json:"input_schema"`
}

// endpoint is where a tool is done.
type endpoint struct {
	method string
	parts  []part
	types  map[string][]string // of each argument: what it may be, and of a list what its items are
	place  map[string]string   // of each argument that is not in the body: path or query
	whole  bool                // whether path and query have all that the schema names
}

type part struct{ literal, argument string }

var endpointForm = regexp.MustCompile(`^(GET|POST|PUT|PATCH|DELETE) (?:https?://[^/]+)?(/[^{?]*(?:\{[A-Za-z0-9_.$-]+\}[^{?]*)*?)(?:\{\?([^}]+)\})?$`)

func parseEndpoint(name string, tool Tool) (*endpoint, error) {
	form := endpointForm.FindStringSubmatch(tool.Endpoint)
	if form == nil {
		return nil, fmt.Errorf("%s: %q is no endpoint", name, tool.Endpoint)
	}
	e := &endpoint{method: form[1], types: map[string][]string{}, place: map[string]string{}}
	properties, _ := tool.InputSchema["properties"].(map[string]any)
	for argument, schema := range properties {
		e.types[argument] = typeOf(schema)
		if e.method == http.MethodGet {
			e.place[argument] = "query"
		}
	}
	for _, text := range strings.Split(form[2], "/")[1:] {
		if strings.HasPrefix(text, "{") && strings.HasSuffix(text, "}") {
			argument := text[1 : len(text)-1]
			e.parts, e.place[argument] = append(e.parts, part{argument: argument}), "path"
		} else {
			e.parts = append(e.parts, part{literal: text})
		}
	}
	if form[3] != "" {
		for _, argument := range strings.Split(form[3], ",") {
			e.place[argument] = "query"
		}
	}
	e.whole = len(e.place) > 0
	for argument := range properties {
		e.whole = e.whole && e.place[argument] != ""
	}
	for argument, place := range e.place {
		types := e.types[argument]
		if len(types) == 0 || (place == "path" && len(types) > 1) {
			return nil, fmt.Errorf("%s: %q cannot stand in the %s: its schema does not say how it is written there", name, argument, place)
		}
	}
	return e, nil
}

func typeOf(schema any) []string {
	object, _ := schema.(map[string]any)
	switch kind, _ := object["type"].(string); kind {
	case "string", "integer", "number", "boolean":
		return []string{kind}
	case "array":
		if items := typeOf(object["items"]); len(items) == 1 {
			return []string{kind, items[0]}
		}
	}
	return nil
}

// arguments are those in the address, each at its own place; those of the body are for the caller to read.
func (e *endpoint) arguments(method string, address *url.URL) (map[string]any, *Refused) {
	if method == http.MethodHead {
		method = http.MethodGet
	}
	if method != e.method {
		return nil, refuse(http.StatusMethodNotAllowed, "method_not_allowed", "This address is for "+e.method+".")
	}
	segments := strings.Split(address.EscapedPath(), "/")[1:]
	if len(segments) != len(e.parts) {
		return nil, refuse(http.StatusNotFound, "not_found", "There is nothing at this address.")
	}
	arguments := map[string]any{}
	for i, part := range e.parts {
		segment, err := url.PathUnescape(segments[i])
		if err != nil || (part.argument == "" && segment != part.literal) {
			return nil, refuse(http.StatusNotFound, "not_found", "There is nothing at this address.")
		}
		if part.argument == "" {
			continue
		}
		if !mayStandInPath(segment) {
			return nil, refuse(http.StatusBadRequest, "invalid_arguments", "This cannot stand in a path.")
		}
		value, ok := decode(segment, e.types[part.argument][0])
		if !ok {
			return nil, refuse(http.StatusBadRequest, "invalid_arguments", "An argument in the path is not of its type.")
		}
		arguments[part.argument] = value
	}
	return arguments, e.query(address.RawQuery, arguments)
}

// mayStandInPath is ENDPOINT-2.
func mayStandInPath(text string) bool {
	if text == "" || text == "." || text == ".." || strings.ContainsAny(text, `/\%?#;`) || !utf8.ValidString(text) {
		return false
	}
	return strings.IndexFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }) < 0
}

// query is GUARD-2. Not net/url's ParseQuery: that takes a name without "=" for an empty text, and passes over what it does not like.
func (e *endpoint) query(text string, arguments map[string]any) *Refused {
	unread := refuse(http.StatusBadRequest, "invalid_request", "This query cannot be read.")
	if text == "" {
		return nil
	}
	values := map[string][]string{}
	for _, pair := range strings.Split(text, "&") {
		before, after, found := strings.Cut(pair, "=")
		name, err := url.QueryUnescape(before)
		value, otherwise := url.QueryUnescape(after)
		if !found || err != nil || otherwise != nil || !utf8.ValidString(name+value) || strings.IndexFunc(pair, beyondASCII) >= 0 {
			return unread
		}
		values[name] = append(values[name], value)
	}
	for name, list := range values {
		if e.place[name] != "query" {
			if e.method == http.MethodGet {
				return refuse(http.StatusBadRequest, "invalid_arguments", "The tool has no argument of a name in the query.")
			}
			return refuse(http.StatusBadRequest, "invalid_request", "The query has what is no argument there.")
		}
		types := e.types[name]
		decoded := []any{}
		for _, text := range list {
			value, ok := decode(text, types[len(types)-1])
			if !ok {
				return refuse(http.StatusBadRequest, "invalid_arguments", "An argument in the query is not of its type.")
			}
			decoded = append(decoded, value)
		}
		if len(types) == 2 {
			arguments[name] = decoded
		} else if len(list) == 1 {
			arguments[name] = decoded[0]
		} else {
			return refuse(http.StatusBadRequest, "invalid_arguments", "An argument stands in the query twice.")
		}
	}
	return nil
}

func beyondASCII(r rune) bool { return r > unicode.MaxASCII }

// decode reads what stands in an address by the type that the schema says: what JSON would write, and a text as itself.
func decode(text, kind string) (any, bool) {
	switch kind {
	case "string":
		return text, true
	case "boolean":
		return text == "true", text == "true" || text == "false"
	case "integer":
		if strings.ContainsAny(text, ".eE") {
			return nil, false
		}
	}
	value, err := parseNumber(text)
	return value, err == nil
}
