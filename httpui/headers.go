package httpui

import "net/http"

// permissions is everything that a page of ours may use, and most of what it
// may not. Only Chromium obeys it: depth, not a promise.
const permissions = "camera=(self), microphone=(self), display-capture=(self), autoplay=(self), fullscreen=(self), " +
	"screen-wake-lock=(self), speaker-selection=(self), publickey-credentials-get=(self), publickey-credentials-create=(self), " +
	"geolocation=(), usb=(), serial=(), hid=(), bluetooth=(), midi=(), payment=(), accelerometer=(), gyroscope=(), " +
	"magnetometer=(), idle-detection=(), browsing-topics=()"

// setHeaders sets what every answer says (SECURITY.md, "Every answer"), whatever its
// route, method and status. at is nil if the request was for no site of ours.
// Nothing in them comes from the request.
func setHeaders(h http.Header, at *site) {
	h.Set("Content-Security-Policy", policy(at, ""))
	h.Set("Permissions-Policy", permissions)
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Embedder-Policy", "require-corp")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Origin-Agent-Cluster", "?1")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("X-Robots-Tag", "noindex, nofollow, noarchive")
	h.Set("Cache-Control", "no-store")
	h.Set("Integrity-Policy", "blocked-destinations=(script)")
	if at != nil && at.hsts {
		h.Set("Strict-Transport-Security", "max-age=31536000; includeSubDomains")
	}
}

// policy is the content security policy. importMap is the hash of a page's
// import map, the one inline script that may stand in it: it runs nothing, and
// carries the integrity of every module, which Integrity-Policy demands.
func policy(at *site, importMap string) string {
	scripts, sockets := "'self'", "'self'"
	if importMap != "" {
		scripts += " '" + importMap + "'"
	}
	if at != nil && at.sockets != "" {
		sockets += " " + at.sockets
	}
	return "default-src 'none'; script-src " + scripts + "; style-src 'self'; img-src 'self' blob:; media-src 'self' blob:; " +
		"font-src 'self'; connect-src " + sockets + "; worker-src 'self'; manifest-src 'self'; form-action 'none'; base-uri 'none'; " +
		"frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types lit-html"
}
