package httpui

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"crypto/sha512"
	"embed"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"html/template"
	"io/fs"
	"net/http"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"anteroom/httpui/words"
	"anteroom/node/desk/api"
)

// embedded is the page, exactly as written but for its words. There is no way
// to serve other files instead.
//
//go:embed static
var embedded embed.FS

// placeholder is how the attributes of a page refer to assets; the server
// writes the hash of all of them behind it. Modules import each other by
// relative URLs, so everything that a page loads is of one version.
const placeholder = `"/static/`

// contentTypes is what is served; a file of another kind is not found.
var contentTypes = map[string]string{
	".js":          "text/javascript; charset=utf-8",
	".css":         "text/css; charset=utf-8",
	".json":        "application/json",
	".txt":         "text/plain; charset=utf-8",
	".svg":         "image/svg+xml",
	".png":         "image/png",
	".ico":         "image/x-icon",
	".woff2":       "font/woff2",
	".webmanifest": "application/manifest+json",
	".mp3":         "audio/mpeg",
	".ogg":         "audio/ogg",
	".wav":         "audio/wav",
}

// assets is the files under static/, read once.
type assets struct {
	hash      string // of all names and contents
	files     map[string]asset
	pages     map[string]asset // by file name, ready to be sent
	pseudo    map[string]asset // the same in no language, to test that no word is missed
	refused   *template.Template
	importMap string // hash of the pages' import map, as a policy source

	pseudoWords *words.Catalogue
}

type asset struct {
	contentType string
	body        []byte
	gzipped     []byte // nil if that is no smaller
}

// newAssets reads the files of dir, among which index.html, guest.html and
// refused.html must be.
func newAssets(dir fs.FS) (*assets, error) {
	a := &assets{files: map[string]asset{}, pages: map[string]asset{}, pseudo: map[string]asset{}, pseudoWords: words.English.Pseudo()}
	sum := sha256.New()
	integrity := map[string]string{} // of modules, by path under static/

	// WalkDir goes in lexical order.
	err := fs.WalkDir(dir, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		body, err := fs.ReadFile(dir, name)
		if err != nil {
			return err
		}
		fmt.Fprintf(sum, "%s\n%d\n", name, len(body))
		sum.Write(body)
		ext := path.Ext(name)
		if ct, ok := contentTypes[ext]; ok {
			a.files[name] = newAsset(ct, body)
		}
		if ext == ".js" {
			digest := sha512.Sum384(body)
			integrity[name] = "sha384-" + base64.StdEncoding.EncodeToString(digest[:])
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read pages: %w", err)
	}
	a.hash = hex.EncodeToString(sum.Sum(nil)[:16])

	importMap, err := a.newImportMap(integrity)
	if err != nil {
		return nil, fmt.Errorf("write import map: %w", err)
	}
	digest := sha256.Sum256(importMap)
	a.importMap = "sha256-" + base64.StdEncoding.EncodeToString(digest[:])
	for _, name := range []string{"index.html", "guest.html"} {
		page, err := newPage(dir, name, a.base(), importMap, integrity)
		if err != nil {
			return nil, fmt.Errorf("make page %s: %w", name, err)
		}
		a.pages[name] = withWords(page, words.English, said[name])
		a.pseudo[name] = withWords(page, a.pseudoWords, said[name])
	}
	a.refused, err = newRefusedPage(dir, a.base())
	return a, err
}

// base is the path under which the files are served.
func (a *assets) base() string { return "/static/" + a.hash + "/" }

// newImportMap returns the import map that tells a browser what every module
// must hash to, whichever way it is imported.
func (a *assets) newImportMap(integrity map[string]string) ([]byte, error) {
	byURL := map[string]string{}
	for name, digest := range integrity {
		byURL[a.base()+name] = digest
	}
	return json.Marshal(map[string]any{"integrity": byURL}) // sorted, and "<" is escaped
}

// newAsset returns body with its compressed form. Nothing that is compressed
// here holds both a secret and what somebody else chose.
func newAsset(contentType string, body []byte) asset {
	var b bytes.Buffer
	z, _ := gzip.NewWriterLevel(&b, gzip.BestCompression) // fails for other levels only
	z.Write(body)
	z.Close()
	if b.Len() >= len(body) {
		return asset{contentType, body, nil}
	}
	return asset{contentType, body, b.Bytes()}
}

// newPage returns a page as it is sent: with the assets' hash, and with the
// import map in front of everything that could load a module. After it come all
// modules of the page, which a browser would otherwise find one import at a time.
func newPage(dir fs.FS, name, base string, importMap []byte, integrity map[string]string) ([]byte, error) {
	page, err := fs.ReadFile(dir, name)
	if err != nil {
		return nil, err
	}
	const head = "<head>"
	if bytes.Count(page, []byte(head)) != 1 {
		return nil, fmt.Errorf("it must have one %s", head)
	}
	var modules []string
	for _, entry := range entryModule.FindAllSubmatch(page, -1) {
		if modules, err = withImports(dir, string(entry[1]), modules); err != nil {
			return nil, err
		}
	}
	page = bytes.ReplaceAll(page, []byte(placeholder), []byte(`"`+base))
	var b bytes.Buffer
	fmt.Fprintf(&b, `%s<script type="importmap">%s</script>`, head, importMap)
	for _, m := range modules {
		fmt.Fprintf(&b, `<link rel="modulepreload" href="%s%s" integrity="%s">`, base, m, integrity[m])
	}
	return bytes.Replace(page, []byte(head), b.Bytes(), 1), nil
}

// said is which messages each page needs: a guest's has none of the staff's.
var said = map[string][]string{
	"index.html": {"call.", "desk.", "doctor.", "input.", "list.", "page.desk.", "refusal."},
	"guest.html": {"call.", "guest.", "list.", "page.guest."},
}

// placed is how a page names its language, and the messages that stand in it
// before a module runs.
var placed = regexp.MustCompile(`\{\{(lang|dir|[a-z]+(?:[.-][a-z]+)+)\}\}`)

// withWords writes the catalogue's messages of those prefixes into a page, as
// data that its modules read, and where the page names one, the message itself.
func withWords(page []byte, catalogue *words.Catalogue, prefixes []string) asset {
	page = placed.ReplaceAllFunc(page, func(name []byte) []byte {
		switch code := string(name[2 : len(name)-2]); code {
		case "lang":
			return []byte(catalogue.Language)
		case "dir":
			return []byte(catalogue.Dir)
		default:
			return []byte(template.HTMLEscapeString(catalogue.Say(api.NewMessage(code, nil))))
		}
	})
	const end = "</head>"
	data := slices.Concat([]byte(`<script type="application/json" id="words">`), catalogue.Page(prefixes...), []byte("</script>"+end))
	return newAsset("text/html; charset=utf-8", bytes.Replace(page, []byte(end), data, 1))
}

// How a page names its modules, and a module those that it imports.
var (
	entryModule  = regexp.MustCompile(`<script type="module" src="/static/([^"]+)">`)
	moduleImport = regexp.MustCompile(`(?m)^(?:import |(?:import|export)\b[^;']* from )'(\.[^']+)'`)
)

// withImports appends to modules the module of that name and what it imports,
// each once.
func withImports(dir fs.FS, name string, modules []string) ([]string, error) {
	if slices.Contains(modules, name) {
		return modules, nil
	}
	body, err := fs.ReadFile(dir, name)
	if err != nil {
		return nil, err
	}
	modules = append(modules, name)
	for _, m := range moduleImport.FindAllSubmatch(body, -1) {
		if modules, err = withImports(dir, path.Join(path.Dir(name), string(m[1])), modules); err != nil {
			return nil, fmt.Errorf("import of %s: %w", name, err)
		}
	}
	return modules, nil
}

// inPseudo reports whether the page is to speak no language.
func inPseudo(r *request) bool { return r.URL.RawQuery == "words=pseudo" }

// page serves one of the pages.
func (s *Server) page(name string) handler {
	return func(w http.ResponseWriter, r *request) error {
		body := s.assets.pages[name]
		if inPseudo(r) {
			body = s.assets.pseudo[name]
		}
		w.Header().Set("Content-Security-Policy", policy(r.site, s.assets.importMap))
		body.send(w, r)
		return nil
	}
}

// asset serves a file. Its URL changes when any file does, so it may be kept
// for ever.
func (s *Server) asset(w http.ResponseWriter, r *request) error {
	file, ok := s.assets.files[r.PathValue("file")]
	if !ok || r.PathValue("hash") != s.assets.hash {
		return errNoRoute
	}
	w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
	file.send(w, r)
	return nil
}

// send writes the asset in the form that the browser asks for.
func (a asset) send(w http.ResponseWriter, r *request) {
	body := a.body
	if a.gzipped != nil {
		w.Header().Set("Vary", "Accept-Encoding")
		if acceptsGzip(r.Header.Get("Accept-Encoding")) {
			w.Header().Set("Content-Encoding", "gzip")
			body = a.gzipped
		}
	}
	send(w, a.contentType, body)
}

// acceptsGzip reads an Accept-Encoding as browsers write it (RFC 9110, 12.5.3);
// one with weights is answered in plain.
func acceptsGzip(header string) bool {
	for coding := range strings.SplitSeq(header, ",") {
		if strings.TrimSpace(coding) == "gzip" {
			return true
		}
	}
	return false
}

// card serves the peer card.
func (s *Server) card(w http.ResponseWriter, r *request) error {
	card, err := s.as(r).Card(r.Context())
	if err != nil {
		return err
	}
	send(w, "text/plain; charset=utf-8", []byte(card))
	return nil
}

// send writes a whole answer; to a HEAD, net/http sends its headers alone.
func send(w http.ResponseWriter, contentType string, body []byte) {
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.Write(body) // a browser that has gone is no news
}
