package httpui

import (
	"net/http"
	"time"

	"anteroom/node/desk/api"
)

// tabHeader carries a tab's token. Cookies are shared between all programs that
// listen on one computer and all of a browser's tabs; this is shared with none.
const tabHeader = "X-Anteroom-Tab"

// devicePath is where a browser says that it is known: nobody else on this
// computer hears it by being visited.
const devicePath = "/api/signin"

// browser is what a request tells of who makes it.
func (r *request) browser() api.Browser {
	b := api.Browser{Session: r.token, Network: limitPrefix(addrOf(r.RemoteAddr))}
	if cookies := r.CookiesNamed(r.site.device); len(cookies) == 1 {
		b.Device = cookies[0].Value
	}
	return b
}

// sessionCookie returns the session cookie of r; "" if there is not exactly
// one. Another program on this computer can plant a second one.
func sessionCookie(r *request) string {
	if cookies := r.CookiesNamed(r.site.cookie); len(cookies) == 1 {
		return cookies[0].Value
	}
	return ""
}

// setSessionCookie gives the browser its cookie, for as long as it runs; an
// empty token takes it away.
func setSessionCookie(w http.ResponseWriter, at *site, token string) {
	cookie := &http.Cookie{
		Name:     at.cookie,
		Value:    token,
		Path:     "/",
		Secure:   at.secure,
		HttpOnly: true,
		SameSite: http.SameSiteStrictMode,
	}
	if token == "" {
		cookie.MaxAge = -1
	}
	http.SetCookie(w, cookie)
}

// setDeviceCookie gives the browser what it is known by from now on.
func setDeviceCookie(w http.ResponseWriter, at *site, token string) {
	http.SetCookie(w, &http.Cookie{
		Name:     at.device,
		Value:    token,
		Path:     devicePath,
		MaxAge:   int(api.DeviceLife / time.Second),
		Secure:   at.secure,
		HttpOnly: true,
		SameSite: http.SameSiteStrictMode,
	})
}
