package httpui

import (
	"bytes"
	"fmt"
	"html/template"
	"io/fs"
	"net/http"
	"strings"

	"anteroom/httpui/words"
)

// A refusedPage is what a person sees where a page's script would get a
// refusal as JSON: one sentence of what is so, and one of what to do.
type refusedPage struct {
	Lang, Dir   string
	Title, Todo string
	Home        string // on the button to the page of this computer; empty: there is none
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
	catalogue := words.English
	if inPseudo(r) {
		catalogue = s.assets.pseudoWords
	}
	page := refusedPage{Lang: catalogue.Language, Dir: catalogue.Dir, Styled: r.site != nil}
	title, todo, home := whyRefused(r, no)
	page.Title, page.Todo = catalogue.Say(sentence(title)), catalogue.Say(sentence(todo))
	if home {
		page.Home = catalogue.Say(sentence("page.refused.open"))
	}
	if r.site != nil {
		if info, err := s.backend.As("").Info(r.Context()); err == nil {
			page.Practice = info.Practice
		}
	}
	return page
}

// whyRefused returns the codes of what is so and of what to do, and whether the
// page of this computer is offered.
func whyRefused(r *request, no *refusal) (title, todo string, home bool) {
	here := r.site != nil && !r.site.public && !r.carried
	switch {
	case r.site == nil:
		return "page.refused.nowhere", "page.refused.nowhere.todo", false
	case no.status == http.StatusTooManyRequests:
		return "page.refused.too-many", "page.refused.too-many.todo", false
	case no.status >= http.StatusInternalServerError:
		return "page.refused.problem", "page.refused.problem.todo", false
	case here && no == errElsewhere:
		return "page.refused.other-site", "page.refused.other-site.todo", true
	case here:
		return "page.refused.nowhere", "page.refused.nowhere-here.todo", true
	case no.status == http.StatusBadRequest || no.status == http.StatusRequestHeaderFieldsTooLarge:
		return "page.refused.damaged", "page.refused.damaged.todo", false
	}
	return "page.refused.no-link", "page.refused.no-link.todo", false
}
