package guard

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"math"
	"sort"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// Strict JSON (JSON-1, JSON-2) and its canonical form (RFC 8785): encoding/json takes the last of two equal members, takes half a surrogate pair
// for U+FFFD, and writes numbers and the order of members in a way of its own.

const (
	maxDepth   = 64
	maxInteger = 1<<53 - 1
)

var errJSON = errors.New("this is not strict JSON")

type parser struct {
	text  []byte
	at    int
	depth int
}

func parseJSON(text []byte) (any, error) {
	if !utf8.Valid(text) {
		return nil, errJSON
	}
	p := &parser{text: text}
	value, err := p.value()
	if err != nil {
		return nil, err
	}
	if p.space(); p.at != len(text) {
		return nil, errJSON
	}
	return value, nil
}

func parseObject(text []byte) (map[string]any, error) {
	value, err := parseJSON(text)
	if err != nil {
		return nil, err
	}
	object, ok := value.(map[string]any)
	if !ok {
		return nil, errors.New("this is not a JSON object")
	}
	return object, nil
}

func (p *parser) space() {
	for p.at < len(p.text) && strings.IndexByte(" \t\r\n", p.text[p.at]) >= 0 {
		p.at++
	}
}

func (p *parser) take(literal string) bool {
	if !bytes.HasPrefix(p.text[p.at:], []byte(literal)) {
		return false
	}
	p.at += len(literal)
	return true
}

func (p *parser) value() (any, error) {
	p.space()
	switch {
	case p.take("null"):
		return nil, nil
	case p.take("true"):
		return true, nil
	case p.take("false"):
		return false, nil
	case p.take(`"`):
		return p.rest()
	case p.take("["):
		return p.list()
	case p.take("{"):
		return p.object()
	}
	return p.number()
}

func (p *parser) number() (any, error) {
	start := p.at
	for p.at < len(p.text) && strings.IndexByte("+-.0123456789Ee", p.text[p.at]) >= 0 {
		p.at++
	}
	return parseNumber(string(p.text[start:p.at]))
}

func parseNumber(literal string) (any, error) {
	if !isNumber(literal) {
		return nil, errJSON
	}
	number, err := strconv.ParseFloat(literal, 64)
	if err != nil {
		return nil, errors.New("there is no such number")
	}
	if size := math.Abs(number); size == math.Trunc(size) && size > maxInteger && size < 1e21 {
		return nil, errors.New("an integer beyond 2^53-1 loses digits")
	}
	return number, nil
}

// isNumber is the grammar of RFC 8259 §6, which is narrower than that of strconv.
func isNumber(s string) bool {
	digits := func() bool {
		length := 0
		for length < len(s) && s[length] >= '0' && s[length] <= '9' {
			length++
		}
		s = s[length:]
		return length > 0
	}
	s = strings.TrimPrefix(s, "-")
	if strings.HasPrefix(s, "0") {
		s = s[1:]
	} else if !digits() {
		return false
	}
	if strings.HasPrefix(s, ".") {
		if s = s[1:]; !digits() {
			return false
		}
	}
	if strings.HasPrefix(s, "e") || strings.HasPrefix(s, "E") {
		if s = s[1:]; strings.HasPrefix(s, "+") || strings.HasPrefix(s, "-") {
			s = s[1:]
		}
		if !digits() {
			return false
		}
	}
	return s == ""
}

// rest reads a text behind its first quotation mark.
func (p *parser) rest() (string, error) {
	var text strings.Builder
	for p.at < len(p.text) {
		c := p.text[p.at]
		p.at++
		switch {
		case c == '"':
			return text.String(), nil
		case c < 0x20:
			return "", errJSON
		case c != '\\':
			text.WriteByte(c)
		default:
			if p.at == len(p.text) {
				return "", errJSON
			}
			c = p.text[p.at]
			p.at++
			if c == 'u' {
				r, ok := p.escaped()
				if !ok {
					return "", errJSON
				}
				text.WriteRune(r)
				continue
			}
			which := strings.IndexByte(`"\/bfnrt`, c)
			if which < 0 {
				return "", errJSON
			}
			text.WriteByte("\"\\/\b\f\n\r\t"[which])
		}
	}
	return "", errJSON
}

func (p *parser) escaped() (rune, bool) {
	first, ok := p.unit()
	if !ok || !utf16.IsSurrogate(first) {
		return first, ok
	}
	if !p.take(`\u`) {
		return 0, false
	}
	second, ok := p.unit()
	r := utf16.DecodeRune(first, second)
	return r, ok && r != utf8.RuneError
}

func (p *parser) unit() (rune, bool) {
	if p.at+4 > len(p.text) {
		return 0, false
	}
	var unit rune
	for _, c := range p.text[p.at : p.at+4] {
		digit := strings.IndexByte("0123456789abcdef", c|0x20)
		if digit < 0 || (digit < 10 && c != "0123456789"[digit]) {
			return 0, false
		}
		unit = unit<<4 | rune(digit)
	}
	p.at += 4
	return unit, true
}

func (p *parser) deeper() error {
	if p.depth++; p.depth > maxDepth {
		return errors.New("this JSON is too deep")
	}
	return nil
}

func (p *parser) list() (any, error) {
	if err := p.deeper(); err != nil {
		return nil, err
	}
	list := []any{}
	if p.space(); p.take("]") {
		p.depth--
		return list, nil
	}
	for {
		value, err := p.value()
		if err != nil {
			return nil, err
		}
		list = append(list, value)
		p.space()
		if p.take("]") {
			p.depth--
			return list, nil
		}
		if !p.take(",") {
			return nil, errJSON
		}
	}
}

func (p *parser) object() (any, error) {
	if err := p.deeper(); err != nil {
		return nil, err
	}
	object := map[string]any{}
	if p.space(); p.take("}") {
		p.depth--
		return object, nil
	}
	for {
		if p.space(); !p.take(`"`) {
			return nil, errJSON
		}
		name, err := p.rest()
		if err != nil {
			return nil, err
		}
		if _, twice := object[name]; twice {
			return nil, errors.New("a member is there twice")
		}
		if p.space(); !p.take(":") {
			return nil, errJSON
		}
		value, err := p.value()
		if err != nil {
			return nil, err
		}
		object[name] = value
		p.space()
		if p.take("}") {
			p.depth--
			return object, nil
		}
		if !p.take(",") {
			return nil, errJSON
		}
	}
}

// canonical is RFC 8785 of what parseJSON reads.
func canonical(value any) string {
	var text strings.Builder
	writeCanonical(&text, value)
	return text.String()
}

func writeCanonical(text *strings.Builder, value any) {
	switch value := value.(type) {
	case nil:
		text.WriteString("null")
	case bool:
		text.WriteString(strconv.FormatBool(value))
	case float64:
		text.WriteString(canonicalNumber(value))
	case string:
		writeCanonicalText(text, value)
	case []any:
		text.WriteByte('[')
		for i, item := range value {
			if i > 0 {
				text.WriteByte(',')
			}
			writeCanonical(text, item)
		}
		text.WriteByte(']')
	case map[string]any:
		names := make([]string, 0, len(value))
		for name := range value {
			names = append(names, name)
		}
		sort.Slice(names, func(i, j int) bool { return lessUTF16(names[i], names[j]) })
		text.WriteByte('{')
		for i, name := range names {
			if i > 0 {
				text.WriteByte(',')
			}
			writeCanonicalText(text, name)
			text.WriteByte(':')
			writeCanonical(text, value[name])
		}
		text.WriteByte('}')
	}
}

func lessUTF16(a, b string) bool {
	x, y := utf16.Encode([]rune(a)), utf16.Encode([]rune(b))
	for i := 0; i < len(x) && i < len(y); i++ {
		if x[i] != y[i] {
			return x[i] < y[i]
		}
	}
	return len(x) < len(y)
}

func canonicalNumber(number float64) string {
	if number == 0 {
		return "0"
	}
	if size := math.Abs(number); size >= 1e-6 && size < 1e21 {
		return strconv.FormatFloat(number, 'f', -1, 64)
	}
	text := strconv.FormatFloat(number, 'e', -1, 64)
	// Go writes two digits of an exponent at least, ECMAScript one.
	if end := len(text) - 2; text[end] == '0' && (text[end-1] == '-' || text[end-1] == '+') {
		text = text[:end] + text[end+1:]
	}
	return text
}

func writeCanonicalText(text *strings.Builder, value string) {
	text.WriteByte('"')
	for i := 0; i < len(value); i++ {
		c := value[i]
		if which := strings.IndexByte("\"\\\b\f\n\r\t", c); which >= 0 {
			text.WriteByte('\\')
			text.WriteByte(`"\bfnrt`[which])
		} else if c < 0x20 {
			text.WriteString(`\u00`)
			text.WriteByte("0123456789abcdef"[c>>4])
			text.WriteByte("0123456789abcdef"[c&15])
		} else {
			text.WriteByte(c)
		}
	}
	text.WriteByte('"')
}

// digest is HASH-1: `args_s256` of an object.
func digest(value any) string {
	sum := sha256.Sum256([]byte(canonical(value)))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}
