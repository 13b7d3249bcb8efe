// Package g2a is a client for G2A's integration APIs: the catalogue, the order
// from its creation to its key, the access token, and the webhooks G2A sends.
//
// Money is an exact decimal with its currency, credentials and product keys are
// of type Secret, and every failure is an *Error that errors.Is can tell apart.
// A call that charges or reveals is never repeated by this package when its
// outcome is not known: that is for the caller to decide, who can ask for the
// order's details.
//
// Sources of the rules named in the comments: G2A's public "Developers API"
// documentation, its official PHP client with what the maintainers of that say
// in its discussions, and answers observed on G2A's sandbox.
package g2a
