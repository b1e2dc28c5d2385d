//go:build linux

package lab

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httputil"
	"net/netip"
	"strings"
	"time"
)

// aptHosts are where Debian's packages come from, as the machines' sources.list
// names them.
var aptHosts = map[string]bool{"deb.debian.org": true, "security.debian.org": true}

// aptProxyConf tells apt of a proxy (apt.conf(5)).
const aptProxyConf = "/etc/apt/apt.conf.d/90lab-proxy"

// AllowApt lets the container's apt fetch Debian's packages, and nothing else:
// an HTTP proxy on the lab's network, which knows Debian's hosts alone. It lasts
// until the lab is closed.
func (c *Container) AllowApt(ctx context.Context) error {
	address, err := c.lab.aptProxy()
	if err != nil {
		return err
	}
	_, err = c.Exec(ctx, "sh", "-c", fmt.Sprintf(`echo 'Acquire::http::Proxy "http://%s";' >%s`, address, aptProxyConf))
	return err
}

// aptProxy starts a proxy that is seen from the lab's network and goes out
// through the host's.
func (l *Lab) aptProxy() (netip.AddrPort, error) {
	var listener net.Listener
	err := l.within(func() (err error) {
		listener, err = new(net.ListenConfig).Listen(context.Background(), "tcp", netip.AddrPortFrom(lanIPv4.Addr(), 0).String())
		return err
	})
	if err != nil {
		return netip.AddrPort{}, fmt.Errorf("starting the lab's proxy for apt: %w", err)
	}
	server := &http.Server{Handler: http.HandlerFunc(forwardApt), ReadHeaderTimeout: 10 * time.Second}
	l.mu.Lock()
	l.undo = append(l.undo, server.Close)
	l.mu.Unlock()
	go func() {
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			l.log("the lab's proxy for apt: %v", err)
		}
	}()
	return listener.Addr().(*net.TCPAddr).AddrPort(), nil
}

// forwardApt passes a request on whose line names the whole address (RFC 9112,
// section 3.2.2).
func forwardApt(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet || !aptHosts[strings.ToLower(r.URL.Host)] {
		http.Error(w, "only Debian's packages", http.StatusForbidden)
		return
	}
	proxy := httputil.ReverseProxy{Rewrite: func(p *httputil.ProxyRequest) { p.Out.Host = p.Out.URL.Host }}
	proxy.ServeHTTP(w, r)
}
