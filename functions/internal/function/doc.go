// Package function is what the four functions have in common: what the template
// and Lambda tell them in their environment, the version that was built, the
// correlation of an invocation, the traces of their calls to AWS, and the names their
// errors have for Step Functions.
//
// It may import shared packages. It is the only package that reads the environment.
package function
