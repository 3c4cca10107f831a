package httpui

import (
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"

	"golang.org/x/net/html"
)

const typed = "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8\n"

// navigated is what a browser says of an address that was typed.
const navigated = typed + "Sec-Fetch-Site: none\nSec-Fetch-Mode: navigate\nSec-Fetch-Dest: document\nSec-Fetch-User: ?1\n"

// TestPeopleGetNoJSON: whatever a person opens is a page with a title and a
// language, with the status that scripts get as well, and says what to do.
func TestPeopleGetNoJSON(t *testing.T) {
	ts := newTest(t)
	for range freeTries {
		ts.ask("POST /api/signin\nHost: " + local + "\nOrigin: http://" + local + "\nContent-Type: application/json\n\n" + `{"name":"","password":"x"}`)
	}
	const link, nothing = "Please open your appointment with its link.", "There is nothing at this address."
	for _, c := range []struct {
		request, host string
		status        int
		title         string
		home          bool
	}{
		{"GET /", public, 404, link, false},
		{"GET /J", public, 404, link, false},
		{"GET /j/", public, 404, link, false},
		{"GET /index.html", public, 404, link, false},
		{"GET /api/session", public, 404, link, false},
		{"GET /ws/guest", public, 403, link, false}, // a socket comes from a page of ours
		{"GET /static/0/style.css", public, 404, link, false},
		{"POST /j", public, 403, link, false},
		{"DELETE /j", public, 405, link, false},
		{"GET /j" + strings.Repeat("%20", 3), public, 404, link, false},
		{"GET /nothing", local, 404, nothing, true},
		{"GET /api/launch", local, 405, nothing, true},
		{"GET /api/desk", local, 401, nothing, true},
		{"PUT /", local, 405, nothing, true},
		{"GET /", "evil.example", 421, nothing, false},
		{"GET /j", "care.example.", 421, nothing, false},
	} {
		for _, as := range []string{typed, navigated} {
			resp := ts.ask(c.request + "\nHost: " + c.host + "\n" + as)
			body, _ := io.ReadAll(resp.Body)
			if resp.StatusCode != c.status || resp.Header.Get("Content-Type") != "text/html; charset=utf-8" {
				t.Errorf("%s at %s: %d %s, want %d", c.request, c.host, resp.StatusCode, resp.Header.Get("Content-Type"), c.status)
			}
			if !strings.HasPrefix(resp.Header.Get("Content-Security-Policy"), "default-src 'none'; script-src 'self'; style-src 'self'") {
				t.Errorf("%s: policy %q", c.request, resp.Header.Get("Content-Security-Policy"))
			}
			page := string(body)
			if !strings.Contains(page, "<title>"+c.title+"</title>") || strings.Contains(page, `href="/"`) != c.home ||
				strings.Contains(page, "CANARY-practice") != (c.status != 421) || strings.Contains(page, "{") {
				t.Errorf("%s at %s:\n%s", c.request, c.host, page)
			}
			if sheet := "/static/" + ts.assets.hash + "/style.css"; strings.Contains(page, "stylesheet") && !strings.Contains(page, sheet) {
				t.Errorf("%s: no style sheet of this version:\n%s", c.request, page)
			}
		}
	}
	// Scripts and sockets get what they can read.
	for _, as := range []string{"", "Accept: */*\n", "Accept: */*\nSec-Fetch-Mode: cors\nSec-Fetch-Dest: empty\nSec-Fetch-Site: same-origin\n", typed + "Sec-Fetch-Mode: websocket\n"} {
		for _, host := range []string{local, public} {
			if resp := ts.ask("GET /nothing\nHost: " + host + "\n" + as); resp.Header.Get("Content-Type") != "application/json" {
				t.Errorf("%q: %s", as, resp.Header.Get("Content-Type"))
			}
		}
	}
	// Another site's link to this computer's page is not followed, and a press of
	// the button is.
	resp := ts.ask("GET /\nHost: " + local + "\n" + strings.Replace(navigated, "none", "cross-site", 1))
	if body, _ := io.ReadAll(resp.Body); resp.StatusCode != 403 || !strings.Contains(string(body), "Another site led here") || !strings.Contains(string(body), `href="/"`) {
		t.Errorf("%d %s", resp.StatusCode, body)
	}
}

// TestRefusedPage is about the page as it is embedded: every one of its kinds is
// a whole document whose words come from nobody's request.
func TestRefusedPage(t *testing.T) {
	ts := newTest(t)
	dir, err := embedded.ReadFile("static/" + refusedFile)
	if err != nil {
		t.Fatal(err)
	}
	real := fstest.MapFS{refusedFile: {Data: dir}}
	if ts.assets.refused, err = newRefusedPage(real, ts.assets.base()); err != nil {
		t.Fatal(err)
	}
	here, there := ts.listeners[0].sites[local], ts.listeners[0].sites[public]
	titles := map[string]bool{}
	for _, r := range []*request{{}, {site: here}, {site: there}, {site: here, carried: true}} {
		for _, no := range []*refusal{errNoRoute, errElsewhere, errSignedOut, errTooLarge, notAllowed(get), tooMany(1, "x"), {status: 400}, {status: 431}, {status: 500}, {status: 503}} {
			r.Request, _ = http.NewRequest("GET", "/CANARY-path", nil)
			r.Header.Set("Accept", "text/html")
			w := newRecorder()
			ts.refuse(w, r, no)
			doc, err := html.Parse(strings.NewReader(w.Body.String()))
			if err != nil {
				t.Fatal(err)
			}
			var title, heading, lang string
			paragraphs := 0
			for n := range doc.Descendants() {
				if n.Type != html.ElementNode {
					continue
				}
				switch n.Data {
				case "title":
					title = n.FirstChild.Data
				case "h1":
					heading = n.FirstChild.Data
				case "p":
					paragraphs++
				case "html":
					for _, a := range n.Attr {
						if a.Key == "lang" {
							lang = a.Val
						}
					}
				}
			}
			if title == "" || title != heading || lang != "en" || paragraphs == 0 || w.Code != no.status || strings.Contains(w.Body.String(), "CANARY-path") ||
				strings.Contains(w.Body.String(), "stylesheet") != (r.site != nil) {
				t.Errorf("%d:\n%s", no.status, w.Body)
			}
			titles[title] = true
		}
	}
	if len(titles) != 6 {
		t.Errorf("titles %v", titles)
	}

	// All its words are the catalogue's: in no language it has no plain letter.
	for _, r := range []*request{{}, {site: here}, {site: there}} {
		r.Request, _ = http.NewRequest("GET", "/?words=pseudo", nil)
		r.Header.Set("Accept", "text/html")
		w := newRecorder()
		ts.refuse(w, r, errNoRoute)
		doc, err := html.Parse(strings.NewReader(w.Body.String()))
		if err != nil {
			t.Fatal(err)
		}
		for n := range doc.Descendants() {
			if n.Type == html.TextNode && n.Data != "CANARY-practice" && regexp.MustCompile(`[A-Za-z]`).MatchString(n.Data) {
				t.Errorf("%q is not from the catalogue", n.Data)
			}
		}
	}
}
