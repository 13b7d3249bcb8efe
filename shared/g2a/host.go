package g2a

import (
	"errors"
	"net/netip"
	"net/url"
	"regexp"
	"strconv"
	"strings"
)

const (
	sandboxHost = "sandboxapi.g2a.com"
	liveHost    = "api.g2a.com"
	liveWebHost = "www.g2a.com"
)

// hostEnv is the environment that each of G2A's hosts belongs to.
var hostEnv = map[string]Env{sandboxHost: Sandbox, liveHost: Live, liveWebHost: Live}

// host is where requests go, in the one form in which hosts are compared and called. Two
// that lead to the same server must not differ, or a sandbox could be taken to live.
type host struct {
	name string // lower-case ASCII, no dot at the end; IPv6 in brackets
	port string // "" is 443
}

// hostNamePattern is a domain name or an IPv4 address.
var hostNamePattern = regexp.MustCompile(`^[a-z0-9_-]+(\.[a-z0-9_-]+)*$`)

// readHost reads the host of a URL.
func readHost(u *url.URL) (host, error) {
	name := u.Hostname()
	if strings.ContainsFunc(name, func(c rune) bool { return c > '~' }) {
		// net/http folds letters and dots of other scripts to ASCII when it connects.
		return host{}, errors.New("has a host that is not ASCII")
	}
	name = strings.TrimSuffix(strings.ToLower(name), ".")
	if address, err := netip.ParseAddr(name); err == nil && address.Is6() && address.Zone() == "" {
		name = "[" + address.String() + "]"
	} else if !hostNamePattern.MatchString(name) {
		return host{}, errors.New("has no valid host")
	}
	if u.Port() == "" {
		return host{name: name}, nil
	}
	port, err := strconv.ParseUint(u.Port(), 10, 16)
	switch {
	case err != nil || port == 0:
		return host{}, errors.New("has no valid port")
	case port == 443:
		return host{name: name}, nil
	}
	return host{name: name, port: strconv.FormatUint(port, 10)}, nil
}

// String returns the host as it stands in a URL.
func (h host) String() string {
	if h.port == "" {
		return h.name
	}
	return h.name + ":" + h.port
}
