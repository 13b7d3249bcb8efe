// Package storetest gives tests the engines that items are kept in: minidyn, which
// runs in the process, and DynamoDB Local, AWS's own.
//
// It imports package servertest; only tests import it.
package storetest
