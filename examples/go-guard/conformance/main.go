// The site of tests/vectors/guard.json, in Go, behind the guard. It says where it is: `{"port": 4711}`.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"example.com/deputize/guard"
)

// site remembers which handlers ran, with what.
type site struct {
	mutex sync.Mutex
	ran   []map[string]any
}

func main() {
	var options struct {
		Issuer, Audience string
		Key              json.RawMessage
		Endpoints        map[string]string
		Schemas          map[string]map[string]any
		Now              int64 // the time that stands still, if not the real one
	}
	must(json.Unmarshal([]byte(os.Args[1]), &options))
	key, err := guard.ParseKey(options.Key)
	must(err)
	config := guard.Config{Issuer: options.Issuer, Audience: options.Audience, Key: key, Tools: map[string]guard.Tool{}}
	for name, endpoint := range options.Endpoints {
		config.Tools[name] = guard.Tool{Endpoint: endpoint, InputSchema: options.Schemas[name]}
	}
	if options.Now != 0 {
		config.Now = func() time.Time { return time.Unix(options.Now, 0) }
	}
	guarded, err := guard.New(config)
	must(err)

	here := &site{ran: []map[string]any{}}
	run := func(tools ...string) http.Handler { return guarded.Protect(http.HandlerFunc(here.run), tools...) }
	mux := http.NewServeMux()
	mux.Handle("/api/transfers", methods{"POST": run("transfer_money"), "GET": http.HandlerFunc(none)})
	mux.Handle("/api/accounts/", methods{"POST": run("pay_account"), "DELETE": run("close_account")})
	mux.Handle("/api/cards", methods{"POST": run("open_card", "close_card")})
	mux.Handle("/api/transactions", methods{"GET": run("list_transactions")})
	mux.Handle("/api/answers", methods{"POST": run("answer")})
	mux.Handle("/ran", methods{"GET": http.HandlerFunc(here.list)})
	if left := guarded.Unprotected(); len(left) > 0 {
		log.Fatal("no guard stands in front of ", strings.Join(left, ", "))
	}

	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(err)
	fmt.Printf("{\"port\": %d}\n", listener.Addr().(*net.TCPAddr).Port)
	must(guard.Serve(listener, mux))
}

func must(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

// methods is one address's handler for each method.
type methods map[string]http.Handler

func (m methods) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if handler := m[r.Method]; handler != nil {
		handler.ServeHTTP(w, r)
		return
	}
	http.Error(w, "There is nothing by this method.", http.StatusMethodNotAllowed)
}

func none(w http.ResponseWriter, r *http.Request) { answer(w, http.StatusOK, []string{}) }

func answer(w http.ResponseWriter, status int, value any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	must(json.NewEncoder(w).Encode(value))
}

func (s *site) list(w http.ResponseWriter, r *http.Request) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	answer(w, http.StatusOK, s.ran)
}

func (s *site) run(w http.ResponseWriter, r *http.Request) {
	call := guard.CallOf(r.Context())
	s.mutex.Lock()
	s.ran = append(s.ran, map[string]any{"tool": call.Tool, "arguments": call.Arguments})
	s.mutex.Unlock()
	switch how, _ := call.Arguments["how"].(string); how {
	case "raise":
		panic(errors.New("a mistake of the site"))
	case "stream", "broken":
		fmt.Fprint(w, "one")
		w.(http.Flusher).Flush()
		if how == "broken" {
			panic(errors.New("a mistake of the site"))
		}
		fmt.Fprint(w, "two")
	case "":
		answer(w, http.StatusOK, call.Arguments)
	default:
		status, err := strconv.Atoi(how)
		must(err)
		answer(w, status, call.Arguments)
	}
}
