// Package adsum is a small client of Adsum. What it decides stands in session.go, messages.go, roster.go and member.go, without a
// socket or a clock; this file connects it: one stream after another, each on a connection of its own.
package adsum

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"math"
	random "math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"time"

	pb "adsum.example/gen/adsum/v1"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/status"
)

const (
	connectWithin = 5 * time.Second // from dialling to Welcome
	leaveWithin   = 2 * time.Second // from Leave to the end of the stream
	stableAfter   = 2 * time.Second // how long a connection must have lived for the next attempt to be made at once
	firstCeiling  = 200 * time.Millisecond
	lastCeiling   = 10 * time.Second
	maxMessage    = 32 << 20 // bytes: a delta isn't cut into chunks, and may tell every member of a large lobby anew
)

// violation ends a stream because its server said what no server may say.
type violation struct{ error }

// Client keeps a session connected.
type Client struct {
	target      string
	credentials credentials.TransportCredentials
	mutex       sync.Mutex // of session and emit
	session     *Session
	emit        func(Event)
	wake        chan struct{} // there may be something to write
	notBefore   time.Time     // when a draining server wants the next attempt at the soonest
}

// New dials nothing yet. emit gets the events, one after another; while it waits, so does the client.
func New(target string, credentials credentials.TransportCredentials, session *Session, emit func(Event)) *Client {
	return &Client{target: strings.TrimSpace(target), credentials: credentials, session: session, emit: emit,
		wake: make(chan struct{}, 1)}
}

// Audience takes the host from what the user dialled: HOST, HOST:PORT, [V6]:PORT or V6. It is what a proof is made for.
func Audience(target string) (string, error) {
	host, port := strings.TrimSpace(target), "0"
	if inner, ok := strings.CutPrefix(host, "["); ok {
		var rest string
		if host, rest, ok = strings.Cut(inner, "]"); !ok || rest != "" && rest[0] != ':' {
			return "", fmt.Errorf("%q is not HOST:PORT", target)
		}
		if rest != "" {
			port = rest[1:]
		}
	} else if strings.Count(host, ":") == 1 {
		host, port, _ = strings.Cut(host, ":")
	}
	host = strings.TrimSuffix(strings.ToLower(host), ".")
	// ParseUint takes ASCII digits alone: no sign, no space.
	if _, err := strconv.ParseUint(port, 10, 16); err != nil || host == "" || strings.ContainsAny(host, "/ \t\r\n") {
		return "", fmt.Errorf("%q is not HOST:PORT", target)
	}
	return host, nil
}

// Do lets f use the session, tells what followed, and lets the writer look.
func (c *Client) Do(f func(*Session)) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	f(c.session)
	for _, event := range c.session.Events {
		c.emit(event)
	}
	c.session.Events = nil
	select {
	case c.wake <- struct{}{}:
	default: // it will look anyway
	}
}

// Run keeps the session connected until ctx is done, and then leaves. An error is the server's refusal for good.
func (c *Client) Run(ctx context.Context) error {
	ceiling := time.Duration(0)
	for {
		liveSince, err := c.stream(ctx)
		if ctx.Err() != nil {
			c.Do(func(s *Session) { s.Close("left") })
			return nil
		}
		refusal, wait := judge(err)
		if refusal != "" {
			c.Do(func(s *Session) { s.Close(refusal) })
			return err
		}
		switch {
		case liveSince.IsZero() || errors.As(err, new(violation)):
			ceiling = max(ceiling, firstCeiling)
		case time.Since(liveSince) >= stableAfter:
			ceiling = 0
		}
		// A random delay, or all clients of a server that starts again would come at once.
		wait = max(wait, time.Until(c.notBefore)) + time.Duration(random.Float64()*float64(ceiling))
		ceiling = min(max(2*ceiling, firstCeiling), lastCeiling)
		cause := cmp.Or(status.Convert(err).Message(), status.Code(err).String())
		c.Do(func(s *Session) { s.Lost(cause, wait) })
		select {
		case <-time.After(wait):
		case <-ctx.Done():
		}
	}
}

// stream holds one stream, from dialling to its end. It tells since when the list was live, and why the stream has ended.
func (c *Client) stream(leaving context.Context) (liveSince time.Time, err error) {
	ctx, cancel := context.WithCancelCause(context.Background())
	// What ends a stream from our side: no Welcome in time, then silence, whatever TCP believes; the server's wish; our own.
	silence := time.AfterFunc(connectWithin, func() { cancel(errors.New("nothing heard for too long")) })
	move := time.AfterFunc(math.MaxInt64, func() { cancel(errors.New("the server is stopping")) })
	stop := context.AfterFunc(leaving, func() {
		c.Do((*Session).Leave)
		time.AfterFunc(leaveWithin, func() { cancel(leaving.Err()) })
	})
	var writer sync.WaitGroup
	defer func() {
		if cause := context.Cause(ctx); cause != nil {
			err = cause // it tells more than the "canceled" that gRPC says then
		}
		stop()
		silence.Stop()
		move.Stop()
		cancel(nil)
		writer.Wait() // or it might take the next stream's requests
	}()

	// A connection of its own for each stream: one that is dead without knowing it would swallow the next attempt too.
	conn, err := grpc.NewClient("dns:///"+c.target, grpc.WithTransportCredentials(c.credentials),
		grpc.WithDisableServiceConfig(), grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxMessage)))
	if err != nil {
		return liveSince, err
	}
	defer conn.Close()
	stream, err := pb.NewLobbyServiceClient(conn).Presence(ctx)
	if err != nil {
		return liveSince, err
	}
	nonce := make([]byte, 32)
	rand.Read(nonce) // never fails
	var hello *pb.PresenceRequest
	c.Do(func(s *Session) { hello = s.Dial(nonce) })
	writer.Go(func() { c.write(ctx, stream, hello) })
	for {
		response, err := stream.Recv()
		if err != nil {
			return liveSince, err
		}
		c.Do(func(s *Session) {
			wasAwaited := s.Roster.IsAwaited
			err = s.Receive(response)
			// While a list is awaited only its chunks are signs of life.
			if s.stage == welcomed && (!wasAwaited || !s.Roster.IsAwaited || response.GetSnapshot() != nil || response.GetWelcome() != nil) {
				silence.Reset(s.Lease)
			}
			if s.isLive && liveSince.IsZero() {
				liveSince = time.Now()
			}
			if response.GetDraining() != nil {
				c.notBefore = time.Now().Add(s.Drain)
				move.Reset(s.Drain)
			}
		})
		if err != nil {
			return liveSince, violation{fmt.Errorf("the server sent %w", err)}
		}
	}
}

// write is the only one that writes on the stream. If it can't, the reader knows why.
func (c *Client) write(ctx context.Context, stream pb.LobbyService_PresenceClient, next *pb.PresenceRequest) {
	for stream.Send(next) == nil {
		for next = nil; next == nil; {
			c.mutex.Lock()
			next = c.session.Take()
			c.mutex.Unlock()
			if next == nil {
				select {
				case <-c.wake:
				case <-ctx.Done():
					return
				}
			}
		}
	}
}

// mayRetry holds the reasons behind which presence.proto says "retry", and the two that only cost the session.
var mayRetry = map[string]bool{"HANDSHAKE_TIMEOUT": true, "CHALLENGE_EXPIRED": true, "LOBBY_FULL": true, "TOO_MANY_LOBBIES": true,
	"TOO_MANY_SESSIONS": true, "TOO_MANY_STREAMS": true, "TOO_MANY_REQUESTS": true, "SLOW_READER": true, "LEASE_EXPIRED": true,
	"DRAINING": true, "STORE_UNAVAILABLE": true, "INTERNAL": true, "SESSION_UNKNOWN": true, "BAD_TOKEN": true}

// judge reads the end of a stream: the reason for which the server refuses for good, or the least delay before the next attempt.
func judge(err error) (refusal string, wait time.Duration) {
	canRetry := false
	for _, detail := range status.Convert(err).Details() {
		switch detail := detail.(type) {
		case *errdetails.ErrorInfo:
			if detail.Domain == "adsum" {
				refusal = detail.Reason
			}
		case *errdetails.RetryInfo:
			canRetry, wait = true, min(max(detail.RetryDelay.AsDuration(), 0), time.Minute)
		}
	}
	if _, isKnown := pb.Reason_value["REASON_"+refusal]; mayRetry[refusal] || canRetry && !isKnown {
		refusal = ""
	}
	return refusal, wait
}
