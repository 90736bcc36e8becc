// SPDX-License-Identifier: Apache-2.0

// The servers in Go: a goroutine for each connection, and net/http. One processor unless the
// environment says otherwise.
//
//	server_go echo|http [-port=N]
package main

import (
	"flag"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"runtime"
)

const bufferBytes = 512

// io.Copy would splice between the sockets, which costs more for messages of this size.
func echo(conn net.Conn) {
	defer conn.Close()
	buffer := make([]byte, bufferBytes)
	for {
		count, err := conn.Read(buffer)
		if err != nil {
			return
		}
		if _, err := conn.Write(buffer[:count]); err != nil {
			return
		}
	}
}

func serveEcho(listener net.Listener) error {
	for {
		conn, err := listener.Accept()
		if err != nil {
			return err
		}
		go echo(conn)
	}
}

var body = []byte("Hello, World!")

func hello(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/plain")
	w.Write(body)
}

func serveHTTP(listener net.Listener) error {
	mux := http.NewServeMux()
	mux.HandleFunc("/", hello)
	return http.Serve(listener, mux)
}

func main() {
	services := map[string]func(net.Listener) error{"echo": serveEcho, "http": serveHTTP}
	if len(os.Args) < 2 || services[os.Args[1]] == nil {
		log.Fatal("usage: server_go echo|http [-port=N]")
	}
	flags := flag.NewFlagSet(os.Args[0], flag.ExitOnError)
	port := flags.Int("port", 0, "listen on 127.0.0.1:N; 0 picks a port")
	flags.Parse(os.Args[2:])
	if os.Getenv("GOMAXPROCS") == "" {
		runtime.GOMAXPROCS(1)
	}
	listener, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", *port))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("port %d\n", listener.Addr().(*net.TCPAddr).Port)
	log.Fatal(services[os.Args[1]](listener))
}
