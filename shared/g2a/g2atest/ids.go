package g2atest

import (
	"fmt"
	"strings"
)

// randomHex is n random words, 16 hexadecimal digits each.
func (s *Simulator) randomHex(n int) string {
	var text strings.Builder
	for range n {
		fmt.Fprintf(&text, "%016x", s.options.Rand.Uint64())
	}
	return text.String()
}

// randomUUID is a random id in the form of a version 4 UUID.
func (s *Simulator) randomUUID() string {
	high, low := s.options.Rand.Uint64(), s.options.Rand.Uint64()
	return fmt.Sprintf("%08x-%04x-4%03x-%04x-%012x", high>>32, high>>16&0xffff, high&0xfff, low>>48&0x3fff|0x8000, low&0xffffffffffff)
}

// randomOrderID is 14 digits, as G2A's are. It is random, not counted, so that
// the ids of two runs against one database differ.
func (s *Simulator) randomOrderID() string {
	return fmt.Sprintf("8%013d", s.options.Rand.Uint64()%10_000_000_000_000)
}

// randomProductKey cannot be taken for one that works.
func (s *Simulator) randomProductKey() string {
	digits := strings.ToUpper(s.randomHex(1))
	return fmt.Sprintf("FAKE-%s-%s-%s", digits[:5], digits[5:10], digits[10:15])
}
