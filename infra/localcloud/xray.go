package localcloud

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
)

// startXRay plays the X-Ray daemon: segments that the functions send become lines
// of xray.log. It gives the address to send them to.
func (c *Cloud) startXRay(ctx context.Context) (address string, err error) {
	if err := os.MkdirAll(c.localPath("logs"), 0o750); err != nil {
		return "", fmt.Errorf("making the folder of the logs: %w", err)
	}
	file, err := os.Create(c.localPath("logs", "xray.log"))
	if err != nil {
		return "", fmt.Errorf("opening the log of traces: %w", err)
	}
	var listening net.ListenConfig
	connection, err := listening.ListenPacket(ctx, "udp", "127.0.0.1:0")
	if err != nil {
		_ = file.Close()
		return "", fmt.Errorf("opening a port for traces: %w", err)
	}
	var done sync.WaitGroup
	done.Go(func() {
		if err := copySegments(file, connection); err != nil {
			c.options.Log.Printf("xray.log gets no more traces: %v", err)
		}
	})
	c.closers = append(c.closers, func() {
		_ = connection.Close()
		done.Wait()
		_ = file.Close()
	})
	return connection.LocalAddr().String(), nil
}

// copySegments writes segments until the connection is closed. A packet is a line
// that names the format, and a segment. What is neither is left out.
func copySegments(file io.Writer, connection net.PacketConn) error {
	packet := make([]byte, 64<<10)
	for {
		n, _, err := connection.ReadFrom(packet)
		if errors.Is(err, net.ErrClosed) {
			return nil
		}
		if err != nil {
			return err
		}
		_, segment, _ := bytes.Cut(packet[:n], []byte("\n"))
		var line bytes.Buffer
		if json.Compact(&line, segment) != nil {
			continue
		}
		line.WriteByte('\n')
		if _, err := file.Write(line.Bytes()); err != nil {
			return err
		}
	}
}
