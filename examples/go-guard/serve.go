package guard

import (
	"bytes"
	"context"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"
)

// A request with a length and chunks has two readings. net/http takes one of them and says nothing of the other: the length is gone before
// any handler is called. So Serve looks at what came over the wire. Where a handler runs under another server, HTTP/1.1 requests in chunks
// are refused at protected handlers.

const maxHead = 64 << 10 // DOOR-1

// Serve serves handler on listener as http.Serve does, over HTTP/1.1.
func Serve(listener net.Listener, handler http.Handler) error {
	server := &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    maxHead,
		ConnContext:       func(ctx context.Context, c net.Conn) context.Context { return context.WithValue(ctx, connKey{}, c) },
		ConnState: func(c net.Conn, state http.ConnState) {
			if seen, ok := c.(*seenConn); ok && state == http.StateIdle {
				seen.forget()
			}
		},
	}
	return server.Serve(seenListener{listener})
}

type connKey struct{}

type seenListener struct{ net.Listener }

func (l seenListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &seenConn{Conn: c}, nil
}

// seenConn remembers what has come since the last request ended.
type seenConn struct {
	net.Conn
	mutex sync.Mutex
	head  []byte
}

func (c *seenConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.mutex.Lock()
	defer c.mutex.Unlock()
	if room := maxHead + 8<<10 - len(c.head); room > 0 && n > 0 {
		if n < room {
			room = n
		}
		c.head = append(c.head, p[:room]...)
	}
	return n, err
}

func (c *seenConn) forget() {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	c.head = nil
}

// oneFraming refuses a request in chunks unless its own head was seen, and names no length.
func oneFraming(r *http.Request) error {
	if r.ProtoMajor != 1 || len(r.TransferEncoding) == 0 {
		return nil
	}
	refused := refuse(http.StatusBadRequest, "invalid_request", "The length of the body has two readings.")
	c, ok := r.Context().Value(connKey{}).(*seenConn)
	if !ok {
		return refused
	}
	c.mutex.Lock()
	defer c.mutex.Unlock()
	lines := bytes.Split(bytes.TrimLeft(c.head, "\r\n"), []byte("\n"))
	// net/http reads one byte ahead while a handler runs, so the first of a request may have come before the last one had ended.
	want, first := r.Method+" "+r.RequestURI+" "+r.Proto, strings.TrimSuffix(string(lines[0]), "\r")
	if !strings.HasSuffix(want, first) || len(want)-len(first) > 1 {
		return refused
	}
	for _, line := range lines[1:] {
		if line = bytes.TrimSuffix(line, []byte("\r")); len(line) == 0 {
			return nil
		}
		if name := bytes.TrimSpace(bytes.SplitN(line, []byte(":"), 2)[0]); strings.EqualFold(string(name), "Content-Length") {
			return refused
		}
	}
	return refused
}

// limit sets until when a body may be read. Under another server its ReadTimeout does.
func limit(r *http.Request, until time.Time) {
	if c, ok := r.Context().Value(connKey{}).(*seenConn); ok {
		_ = c.SetReadDeadline(until)
	}
}
