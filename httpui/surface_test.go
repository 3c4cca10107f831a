package httpui

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"anteroom/httpui/words"
	"anteroom/node/desk/api"
)

var update = flag.Bool("update", false, "write testdata instead of comparing with it")

// TestConversations plays the requests in testdata, each on a connection of its
// own, and compares status and code or body with what is written there.
func TestConversations(t *testing.T) {
	for _, name := range []string{"hosts", "origins", "sockets", "paths", "bodies"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ts := newTest(t)
			lee := ts.signedIn()
			here := strings.NewReplacer("$cookie", lee.cookie.Name+"="+lee.cookie.Value, "$tab", lee.tab, "$hash", ts.assets.hash)
			script, err := os.ReadFile(filepath.Join("testdata", name+".txt"))
			if err != nil {
				t.Fatal(err)
			}
			for _, c := range parseConversation(t, string(script)) {
				resp := ts.ask(here.Replace(c.request))
				body, _ := io.ReadAll(resp.Body)
				got := strconv.Itoa(resp.StatusCode)
				var no struct {
					Code    string
					Message api.Message
				}
				json.Unmarshal(body, &no)
				switch {
				case strings.Contains(c.want, "{"):
					got += " " + string(body)
				case strings.Contains(c.want, " "):
					got += " " + no.Code
					if !strings.HasSuffix(words.English.Say(no.Message), ".") {
						t.Errorf("line %d: %v is no sentence", c.line, no.Message)
					}
				}
				if got != c.want {
					t.Errorf("line %d: %s\ngot  %s\nwant %s\n%s", c.line, c.request, got, c.want, body)
				}
				for header := range resp.Header {
					if strings.HasPrefix(header, "Access-Control-") {
						t.Errorf("line %d: the answer has %s", c.line, header)
					}
				}
			}
		})
	}
}

// conversation is a request and what must be answered: a status, perhaps with
// the code of the refusal or the whole body.
type conversation struct {
	line          int
	request, want string
}

// parseConversation reads conversations: comments begin with #, requests with
// anything else, answers with =>.
func parseConversation(t *testing.T, script string) (all []conversation) {
	t.Helper()
	var c conversation
	for i, line := range strings.Split(script, "\n") {
		want, end := strings.CutPrefix(line, "=> ")
		switch {
		case end:
			c.want, c.request = want, strings.TrimSuffix(c.request, "\n")
			all, c = append(all, c), conversation{}
		case c.request == "" && (line == "" || strings.HasPrefix(line, "#")):
		default:
			if c.request == "" {
				c.line = i + 1
			}
			c.request += line + "\n"
		}
	}
	if c.request != "" || len(all) == 0 {
		t.Fatal("the script ends in the middle of a conversation")
	}
	return all
}

// TestHeaders asks for every route with every method, by both hosts, with and
// without a session, and compares all headers of the answers with
// testdata/headers.txt: first what every answer says, then each way in which
// some answers differ, with the requests that are answered so.
func TestHeaders(t *testing.T) {
	ts := newTest(t)
	lee := ts.signedIn()
	blocks := blocks{}
	add := func(what, request string) {
		blocks.add(headerBlock(ts.ask(request), ts.assets.hash), what, "")
	}
	methods := []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"}
	routes := append([]*route{{pattern: "/nowhere"}}, ts.routes...)
	for _, site := range []string{local, public, "evil.example"} {
		for _, rt := range routes {
			path := strings.NewReplacer("{id}", anAppt, "{member}", aMember, "{hash}", ts.assets.hash, "{file...}", "main.js").Replace(rt.pattern)
			for _, who := range []string{"nobody", "Dr Lee"} {
				for _, method := range methods {
					if rt.pattern == "/api/signout" && method == "POST" && who == "Dr Lee" {
						continue // asked for at the end
					}
					request := fmt.Sprintf("%s %s\nHost: %s\n", method, path, site)
					if method == "POST" || rt.socket {
						scheme := "http://"
						if site == public {
							scheme = "https://"
						}
						request += "Origin: " + scheme + site + "\n"
					}
					if rt.socket && method == "GET" {
						request += "Connection: Upgrade\nUpgrade: websocket\nSec-WebSocket-Version: 13\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\nSec-WebSocket-Protocol: ar1\n"
					}
					if who == "Dr Lee" {
						request += fmt.Sprintf("Cookie: %s=%s\n%s: %s\n", lee.cookie.Name, lee.cookie.Value, tabHeader, lee.tab)
					}
					if method == "POST" {
						request += "Content-Type: application/json\n\n{}"
					}
					what := fmt.Sprintf("%s%s, %s:", siteName(site), rt.pattern, who)
					blocks.add(headerBlock(ts.ask(request), ts.assets.hash), what, method)
				}
			}
		}
	}
	post := "Host: " + local + "\nOrigin: http://" + local + "\nContent-Type: application/json\n"
	add("a sign-in", "POST /api/signin\n"+post+"\n"+fmt.Sprintf(`{"name":"","password":"%s"}`, leePassword))
	add("a body that is too large", "POST /api/signin\n"+post+"Content-Length: 65537\n")
	add("a form", "POST /api/signin\nHost: "+local+"\nOrigin: http://"+local+"\nContent-Type: text/plain\n\nx")
	add("a request of another site", "GET /\nHost: "+local+"\nSec-Fetch-Site: cross-site\n")
	add("too many headers", "GET /\nHost: "+local+"\n"+strings.Repeat("A: b\n", 101))
	add("a proxy", "GET /api/session\nHost: "+local+"\nX-Forwarded-For: 203.0.113.1\n")
	add("an old socket", "GET /ws/guest\nHost: "+local+"\nOrigin: http://"+local+"\n")
	add("a sign-out", "POST /api/signout\n"+post+fmt.Sprintf("Cookie: %s=%s\n%s: %s\n\n{}", lee.cookie.Name, lee.cookie.Value, tabHeader, lee.tab))
	for range freeTries {
		ts.ask("POST /api/signin\n" + post + "\n" + `{"name":"","password":"x"}`)
	}
	add("too many wrong passwords", "POST /api/signin\n"+post+"\n"+`{"name":"","password":"x"}`)

	compareGolden(t, "headers.txt", blocks.render())
}

// blocks is, by status and headers, what is answered so: a request's site,
// path and sender, and its methods.
type blocks map[string][]group

type group struct{ what, methods string }

func (b blocks) add(headers, what, method string) {
	groups := b[headers]
	if last := len(groups) - 1; last >= 0 && groups[last].what == what {
		groups[last].methods += " " + method
	} else {
		groups = append(groups, group{what, method})
	}
	b[headers] = groups
}

func siteName(host string) string {
	if host == local {
		return "localhost"
	}
	return host
}

// headerBlock is the status and all headers of an answer, without what is
// random or the time.
func headerBlock(resp *http.Response, hash string) string {
	var b strings.Builder
	fmt.Fprintln(&b, resp.Status)
	for name, values := range resp.Header {
		for i, v := range values {
			switch {
			case name == "Date":
				values[i] = "(now)"
			case name == "Content-Length":
				values[i] = "(n)"
			case name == "Set-Cookie":
				if name, rest, _ := strings.Cut(v, "="); !strings.HasPrefix(rest, ";") {
					_, attributes, _ := strings.Cut(rest, ";")
					values[i] = name + "=(token);" + attributes
				}
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(resp.Header)) {
		for _, v := range resp.Header[name] {
			fmt.Fprintf(&b, "%s: %s\n", name, strings.ReplaceAll(v, hash, "(hash)"))
		}
	}
	return b.String()
}

// render prints the lines that every block has, then each block's others.
func (b blocks) render() []byte {
	var common []string
	keys := slices.Sorted(maps.Keys(b))
	for line := range strings.Lines(keys[0]) {
		if !slices.ContainsFunc(keys, func(key string) bool { return !strings.Contains("\n"+key, "\n"+line) }) {
			common = append(common, line)
		}
	}
	var out bytes.Buffer
	fmt.Fprintf(&out, "# Every answer.\n%s", strings.Join(common, ""))
	for _, key := range keys {
		out.WriteString("\n\n")
		for line := range strings.Lines(key) {
			if !slices.Contains(common, line) {
				out.WriteString(line)
			}
		}
		out.WriteString("\n")
		for _, g := range b[key] {
			fmt.Fprintf(&out, "    %s\n", strings.TrimSpace(g.what+" "+g.methods))
		}
	}
	return out.Bytes()
}

func compareGolden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Equal(got, want) {
		return
	}
	gotLines, wantLines := strings.Split(string(got), "\n"), strings.Split(string(want), "\n")
	for i := range gotLines {
		if i >= len(wantLines) || gotLines[i] != wantLines[i] {
			wants := "the end"
			if i < len(wantLines) {
				wants = wantLines[i]
			}
			t.Fatalf("%s, line %d\ngot  %s\nwant %s\nrun the test with -update and read the difference", name, i+1, gotLines[i], wants)
		}
	}
	t.Fatalf("%s goes on after line %d", name, len(gotLines))
}
