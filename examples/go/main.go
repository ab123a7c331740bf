// Puts, gets and rotates a secret, and reads the reason of an error. Its identity comes from the Workload API.
package main

// #region imports

import (
	"context"
	"crypto/rand"
	_ "embed"
	"errors"
	"flag"
	"fmt"
	"log"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/google/uuid"
	"github.com/spiffe/go-spiffe/v2/spiffegrpc/grpccredentials"
	"github.com/spiffe/go-spiffe/v2/spiffeid"
	"github.com/spiffe/go-spiffe/v2/spiffetls/tlsconfig"
	"github.com/spiffe/go-spiffe/v2/workloadapi"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/status"

	cofferv1 "example.com/coffer-client/gen/coffer/v1"
)

//go:embed service-config.json
var serviceConfig string

// #endregion

// #region main

func main() {
	path := flag.String("path", "shop/api/db", "the secret")
	every := flag.Duration("every", time.Second, "the pause between two rotations")
	timeout := flag.Duration("timeout", 30*time.Second, "the time limit of each rotation")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *path, *every, *timeout); err != nil && ctx.Err() == nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, path string, every, timeout time.Duration) error {
	conn, closeSource, err := dial(ctx, os.Getenv("COFFER_ADDR"), os.Getenv("COFFER_SERVER_ID"))
	if err != nil {
		return err
	}
	defer closeSource()
	defer conn.Close()
	secrets := cofferv1.NewSecretsClient(conn)
	within := func(step func(context.Context, cofferv1.SecretsClient, string) error) error {
		ctx, cancel := context.WithTimeout(ctx, timeout)
		defer cancel()
		return step(ctx, secrets, path)
	}
	for err = within(create); err == nil && ctx.Err() == nil; err = within(rotate) {
		time.Sleep(every)
	}
	return err
}

func create(ctx context.Context, secrets cofferv1.SecretsClient, path string) error {
	created, err := put(ctx, secrets, &cofferv1.PutRequest{Path: path, Data: map[string]string{"user": "app"}})
	if err != nil {
		return err
	}
	fmt.Println("put", created.GetPath())
	_, err = get(ctx, secrets, path+"/missing")
	fmt.Println("error", status.Code(err), reason(err))
	return nil
}

// rotate reads the secret, and replaces its password.
func rotate(ctx context.Context, secrets cofferv1.SecretsClient, path string) error {
	got, err := get(ctx, secrets, path)
	if err != nil {
		return err
	}
	fmt.Println("get", got.GetData()["user"])
	data := map[string]string{"user": "app", "password": rand.Text()}
	_, err = put(ctx, secrets, &cofferv1.PutRequest{Path: path, Data: data, ExpectedVersion: &got.Version})
	return err
}

// #endregion

// #region dial

// dial verifies that the server has this SPIFFE ID. Each handshake takes the newest SVID and bundle of the source.
func dial(ctx context.Context, address, serverID string) (*grpc.ClientConn, func() error, error) {
	id, err := spiffeid.FromString(serverID)
	if err != nil {
		return nil, nil, err
	}
	source, err := workloadapi.NewX509Source(ctx)
	if err != nil {
		return nil, nil, err
	}
	mtls := grpccredentials.MTLSClientCredentials(source, source, tlsconfig.AuthorizeID(id))
	conn, err := grpc.NewClient(address,
		grpc.WithTransportCredentials(mtls),
		grpc.WithDefaultServiceConfig(serviceConfig),
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: time.Minute, Timeout: 20 * time.Second}))
	if err != nil {
		return nil, nil, errors.Join(err, source.Close())
	}
	return conn, source.Close, nil
}

// #endregion

// #region reason

// reason returns the reason of Coffer's google.rpc.ErrorInfo, or "" for an error that is not Coffer's.
func reason(err error) string {
	for _, detail := range status.Convert(err).Details() {
		if info, ok := detail.(*errdetails.ErrorInfo); ok && info.GetDomain() == "coffer" {
			return info.GetReason()
		}
	}
	return ""
}

// #endregion

// #region repeat

// repeat makes a call again if its connection broke. The retry policy of the service config does the same, but
// not for a call whose response headers have arrived. The call must change nothing, or have a request_id.
func repeat[Response any](call func() (Response, error)) (Response, error) {
	for attempt := 1; ; attempt++ {
		response, err := call()
		if status.Code(err) != codes.Unavailable || attempt == 5 {
			return response, err
		}
		time.Sleep(100 * time.Millisecond << attempt)
	}
}

func get(ctx context.Context, secrets cofferv1.SecretsClient, path string) (*cofferv1.GetResponse, error) {
	return repeat(func() (*cofferv1.GetResponse, error) {
		return secrets.Get(ctx, &cofferv1.GetRequest{Path: path})
	})
}

// #endregion

// #region put

// put makes a change. With its request_id, the server applies it once, and each attempt gets the same answer.
func put(ctx context.Context, secrets cofferv1.SecretsClient, request *cofferv1.PutRequest) (*cofferv1.PutResponse, error) {
	request.RequestId = uuid.NewString()
	return repeat(func() (*cofferv1.PutResponse, error) { return secrets.Put(ctx, request) })
}

// #endregion
