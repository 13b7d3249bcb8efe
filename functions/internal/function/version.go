package function

// version is set by the build: -ldflags '-X .../functions/internal/function.version=...'.
var version string

// Version returns the version that was built, as git describe names it, or "unknown" where
// it was built without one.
func Version() string {
	if version == "" {
		return "unknown"
	}
	return version
}
