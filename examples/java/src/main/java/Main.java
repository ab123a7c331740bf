import com.coffer.v1.GetRequest;
import com.coffer.v1.PutRequest;
import com.coffer.v1.PutResponse;
import com.coffer.v1.SecretsGrpc;
import com.google.protobuf.InvalidProtocolBufferException;
import com.google.rpc.ErrorInfo;
import io.grpc.ManagedChannel;
import io.grpc.StatusRuntimeException;
import io.grpc.netty.GrpcSslContexts;
import io.grpc.netty.NettyChannelBuilder;
import io.grpc.protobuf.StatusProto;
import io.netty.handler.ssl.SslContext;
import io.spiffe.provider.SpiffeKeyManager;
import io.spiffe.provider.SpiffeTrustManager;
import io.spiffe.spiffeid.SpiffeId;
import io.spiffe.workloadapi.DefaultX509Source;
import io.spiffe.workloadapi.X509Source;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.TimeUnit;
import javax.net.ssl.SSLException;

/** Puts and gets a secret, and reads the reason of an error. Its identity comes from the Workload API. */
public final class Main {
  // #region service-config
  private static final Map<String, ?> SERVICE_CONFIG =
      Map.of(
          "methodConfig",
          List.of(
              Map.of(
                  "name", List.of(
                      Map.of("service", "coffer.v1.Secrets", "method", "Get"),
                      Map.of("service", "coffer.v1.Secrets", "method", "BatchGet"),
                      Map.of("service", "coffer.v1.Secrets", "method", "List"),
                      Map.of("service", "coffer.v1.Secrets", "method", "Describe"),
                      Map.of("service", "coffer.v1.Secrets", "method", "Put")),
                  "timeout", "30s",
                  "waitForReady", true,
                  "retryPolicy", Map.of(
                      "maxAttempts", 5.0,
                      "initialBackoff", "0.1s",
                      "maxBackoff", "2s",
                      "backoffMultiplier", 2.0,
                      "retryableStatusCodes", List.of("UNAVAILABLE"))),
              Map.of(
                  "name", List.of(Map.of("service", "coffer.v1.Secrets")),
                  "timeout", "30s",
                  "waitForReady", true)));

  // #endregion

  // #region channel
  /** Verifies that the server has this SPIFFE ID. Each handshake takes the newest SVID and bundle of the source. */
  static ManagedChannel open(X509Source source, String address, SpiffeId serverId) throws SSLException {
    SslContext tls =
        GrpcSslContexts.forClient()
            .keyManager(new SpiffeKeyManager(source))
            .trustManager(new SpiffeTrustManager(source, () -> Set.of(serverId)))
            .protocols("TLSv1.3")
            .build();
    return NettyChannelBuilder.forTarget(address)
        .sslContext(tls)
        .defaultServiceConfig(SERVICE_CONFIG)
        .keepAliveTime(60, TimeUnit.SECONDS)
        .keepAliveTimeout(20, TimeUnit.SECONDS)
        .build();
  }

  // #endregion

  // #region reason
  /** The reason of Coffer's google.rpc.ErrorInfo, or "" for an error that is not Coffer's. */
  static String reason(StatusRuntimeException error) throws InvalidProtocolBufferException {
    for (var detail : StatusProto.fromThrowable(error).getDetailsList()) {
      if (!detail.is(ErrorInfo.class)) continue;
      ErrorInfo info = detail.unpack(ErrorInfo.class);
      if (info.getDomain().equals("coffer")) return info.getReason();
    }
    return "";
  }

  // #endregion

  // #region put
  /** Makes a change. With its request_id, the server applies it once, however often the retry policy repeats it. */
  static PutResponse put(SecretsGrpc.SecretsBlockingStub secrets, String path, Map<String, String> data) {
    String requestId = UUID.randomUUID().toString();
    return secrets.put(
        PutRequest.newBuilder().setPath(path).putAllData(data).setRequestId(requestId).build());
  }

  // #endregion

  public static void main(String[] arguments) throws Exception {
    String path = "shop/api/db";
    SpiffeId serverId = SpiffeId.parse(System.getenv("COFFER_SERVER_ID"));
    try (X509Source source = DefaultX509Source.newSource()) {
      ManagedChannel channel = open(source, System.getenv("COFFER_ADDR"), serverId);
      var secrets = SecretsGrpc.newBlockingStub(channel);
      try {
        System.out.println("put " + put(secrets, path, Map.of("user", "app")).getPath());
        try {
          secrets.get(GetRequest.newBuilder().setPath(path + "/missing").build());
        } catch (StatusRuntimeException error) {
          System.out.println("error " + error.getStatus().getCode() + " " + reason(error));
        }
        for (; ; Thread.sleep(1000)) {
          var got = secrets.get(GetRequest.newBuilder().setPath(path).build());
          System.out.println("get " + got.getDataOrThrow("user"));
        }
      } finally {
        channel.shutdownNow();
      }
    }
  }
}
