// Package localcloudtest is what tests share that run the functions' real binaries in a
// local cloud.
//
// It imports nothing of the project; only tests import it.
package localcloudtest
