package httpui

import (
	"bytes"
	"fmt"
	"html/template"
	"io/fs"
	"net/http"
	"strings"
)

// A refusedPage is what a person sees where a page's script would get a
// refusal as JSON: one sentence of what is so, and one of what to do.
type refusedPage struct {
	Title, Todo string
	Home        bool   // offers the page of this computer
	Practice    string // its name, which its card tells everybody
	Styled      bool   // the style sheets are served at the same host
}

// refusedFile is the page as a template.
const refusedFile = "refused.html"

func newRefusedPage(dir fs.FS, base string) (*template.Template, error) {
	text, err := fs.ReadFile(dir, refusedFile)
	if err != nil {
		return nil, fmt.Errorf("make page: %w", err)
	}
	text = bytes.ReplaceAll(text, []byte(placeholder), []byte(`"`+base))
	page, err := template.New(refusedFile).Parse(string(text))
	if err != nil {
		return nil, fmt.Errorf("make page: %w", err)
	}
	return page, nil
}

// navigation reports whether a person asks, and not a page's script: browsers
// say so, and those that are too old for that ask for HTML first of all.
func navigation(r *http.Request) bool {
	if mode, dest := r.Header.Get("Sec-Fetch-Mode"), r.Header.Get("Sec-Fetch-Dest"); mode != "" || dest != "" {
		return mode == "navigate" || dest == "document"
	}
	return strings.Contains(strings.ToLower(r.Header.Get("Accept")), "text/html")
}

// refuse answers with no, in the form that whoever asks can read.
func (s *Server) refuse(w http.ResponseWriter, r *request, no *refusal) {
	if !navigation(r.Request) {
		writeRefusal(w, no)
		return
	}
	var b bytes.Buffer
	if err := s.assets.refused.Execute(&b, s.refusedPage(r, no)); err != nil {
		panic(err) // the template and its fields are of one version
	}
	for name, values := range no.header {
		w.Header()[name] = values
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(no.status)
	w.Write(b.Bytes()) // a browser that has gone is no news
}

// refusedPage puts no into words.
func (s *Server) refusedPage(r *request, no *refusal) refusedPage {
	if r.site == nil {
		return refusedPage{
			Title: "There is nothing at this address.",
			Todo:  "Open the link in the message from your practice just as it is. If that does not help, please call the practice.",
		}
	}
	page := refusedPage{Styled: true}
	if info, err := s.backend.As("").Info(r.Context()); err == nil {
		page.Practice = info.Practice
	}
	here := !r.site.public && !r.carried
	switch {
	case no.status == http.StatusTooManyRequests:
		page.Title = "There were too many tries in a short time."
		page.Todo = "Wait a minute, then load this page again."
	case no.status >= http.StatusInternalServerError:
		page.Title = "The practice’s computer has a problem, or is restarting."
		page.Todo = "Load this page again in a moment. If it takes longer than a few minutes, please call the practice."
	case here && no == errElsewhere:
		page.Title = "Another site led here, so Anteroom did not open."
		page.Todo = "If you want to go to Anteroom, open it with the button."
		page.Home = true
	case here:
		page.Title = "There is nothing at this address."
		page.Todo = "Open Anteroom with the button."
		page.Home = true
	case no.status == http.StatusBadRequest || no.status == http.StatusRequestHeaderFieldsTooLarge:
		page.Title = "This page cannot be opened in this way."
		page.Todo = "Load it again. If that does not help, please call the practice: its web server may have to be set up differently."
	default:
		page.Title = "Please open your appointment with its link."
		page.Todo = "You find the link in the message from your practice. If it does not open, copy all of it into the address bar of your browser. If you have no link, please call the practice."
	}
	return page
}
