//! Puts and gets a secret, and reads the reason of an error. Its identity comes from the Workload API.

use std::{collections::HashMap, error::Error, sync::Arc, time::Duration};

use hyper_util::rt::TokioIo;
use spiffe::X509Source;
use spiffe_rustls::{authorizer, mtls_client};
use spiffe_rustls_tokio::TlsConnector;
use tokio::net::TcpStream;
use tonic::{Code, Response, Status, transport::Channel, transport::Endpoint, transport::Uri};
use tonic_types::StatusExt;
use uuid::Uuid;

use coffer::{GetRequest, GetResponse, PutRequest, PutResponse, secrets_client::SecretsClient};

mod coffer {
    tonic::include_proto!("coffer.v1");
}

// #region channel
/// Verifies that the server has this SPIFFE ID. Each handshake takes the newest SVID and bundle of the source.
async fn connect(address: &str, server_id: &str) -> Result<Channel, Box<dyn Error>> {
    let config = mtls_client(X509Source::new().await?)
        .authorize(authorizer::exact([server_id])?)
        .with_alpn_protocols([b"h2"])
        .build()?;
    let tls = Arc::new(TlsConnector::new(Arc::new(config)));
    let connector = tower::service_fn(move |uri: Uri| {
        let tls = tls.clone();
        async move {
            let host = uri.host().unwrap_or_default().to_owned();
            let socket = TcpStream::connect((host.as_str(), uri.port_u16().unwrap_or(443))).await?;
            let (stream, _server) = tls.connect(host.try_into()?, socket).await?;
            Ok::<_, Box<dyn Error + Send + Sync>>(TokioIo::new(stream))
        }
    });
    let endpoint = Endpoint::from_shared(format!("https://{address}"))?
        .timeout(Duration::from_secs(30))
        .http2_keep_alive_interval(Duration::from_secs(60))
        .keep_alive_timeout(Duration::from_secs(20));
    Ok(endpoint.connect_with_connector_lazy(connector))
}
// #endregion

// #region reason
/// The reason of Coffer's google.rpc.ErrorInfo; None for an error that is not Coffer's.
fn reason(status: &Status) -> Option<String> {
    status.get_details_error_info().filter(|info| info.domain == "coffer").map(|info| info.reason)
}
// #endregion

// #region retry
/// Makes a call again if its connection broke. tonic has no retry policy. The call must change nothing, or have a
/// request_id.
async fn repeat<T>(call: impl AsyncFn() -> Result<Response<T>, Status>) -> Result<T, Status> {
    let mut attempt = 1;
    loop {
        match call().await {
            Err(status) if is_broken(&status) && attempt < 5 => {
                tokio::time::sleep(Duration::from_millis(100 << attempt)).await;
                attempt += 1;
            }
            outcome => return outcome.map(Response::into_inner),
        }
    }
}

async fn get(secrets: &SecretsClient<Channel>, path: &str) -> Result<GetResponse, Status> {
    let request = GetRequest { path: path.into(), ..Default::default() };
    repeat(async || secrets.clone().get(request.clone()).await).await
}

/// Makes a change. With its request_id, the server applies it once, and each attempt gets the same answer.
async fn put(secrets: &SecretsClient<Channel>, request: PutRequest) -> Result<PutResponse, Status> {
    let request = PutRequest { request_id: Uuid::new_v4().into(), ..request };
    repeat(async || secrets.clone().put(request.clone()).await).await
}

/// A call whose connection breaks fails with one of these codes. UNKNOWN and CANCELLED then have no reason.
fn is_broken(status: &Status) -> bool {
    status.code() == Code::Unavailable
        || matches!(status.code(), Code::Unknown | Code::Cancelled) && reason(status).is_none()
}
// #endregion

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let channel = connect(&std::env::var("COFFER_ADDR")?, &std::env::var("COFFER_SERVER_ID")?).await?;
    let secrets = SecretsClient::new(channel);
    let path = "shop/api/db";

    let data = HashMap::from([("user".into(), "app".into())]);
    let created = put(&secrets, PutRequest { path: path.into(), data, ..Default::default() }).await?;
    println!("put {}", created.path);

    if let Err(status) = get(&secrets, &format!("{path}/missing")).await {
        println!("error {:?} {}", status.code(), reason(&status).unwrap_or_default());
    }

    loop {
        println!("get {}", get(&secrets, path).await?.data["user"]);
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}
