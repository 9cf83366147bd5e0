package guard

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
)

const chunked = "POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n%s\r\n2\r\n{}\r\n0\r\n\r\n"

// On one connection, what is said before and after tells nothing of the request at hand.
func TestALengthBesideChunksIsSeen(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error)
	go func() {
		served <- Serve(listener, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if err := oneFraming(r); err != nil {
				http.Error(w, err.Error(), http.StatusBadRequest)
			}
		}))
	}()
	c, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	answers := bufio.NewReader(c)
	for i, each := range []struct {
		sent   string
		status int
	}{
		{fmt.Sprintf(chunked, ""), 200},
		{"POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n{}", 200},
		{fmt.Sprintf(chunked, ""), 200},
		{fmt.Sprintf(chunked, "Content-Length: 2\r\n"), 400},
		{fmt.Sprintf(chunked, ""), 200},
		{strings.ReplaceAll(fmt.Sprintf(chunked, "cONTENT-lENGTH: 2\r\n"), "\r\n", "\n"), 400},
	} {
		if _, err := fmt.Fprint(c, each.sent); err != nil {
			t.Fatal(err)
		}
		answer, err := http.ReadResponse(answers, nil)
		if err != nil {
			t.Fatal(i, err)
		}
		if answer.StatusCode != each.status {
			t.Error(i, answer.Status)
		}
		for n := answer.ContentLength; n > 0; n-- {
			_, _ = answers.ReadByte()
		}
	}
	listener.Close()
	c.Close()
	if err := <-served; !errors.Is(err, net.ErrClosed) {
		t.Error(err)
	}
}

// Of a head that came with the request before it nobody knows how it began.
func TestAHeadThatWasNotSeenIsNotPassed(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	go func() {
		_ = Serve(listener, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if err := oneFraming(r); err != nil {
				http.Error(w, err.Error(), http.StatusBadRequest)
			}
		}))
	}()
	c, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	fmt.Fprint(c, "GET /b HTTP/1.1\r\nHost: a\r\n\r\n"+fmt.Sprintf(chunked, "Content-Length: 2\r\n"))
	answers := bufio.NewReader(c)
	for _, status := range []int{200, 400} {
		answer, err := http.ReadResponse(answers, nil)
		if err != nil || answer.StatusCode != status {
			t.Fatal(answer, err)
		}
	}
}
