//! btcd's JSON-RPC.

use crate::failure::{Context, Failure, Outcome};
use crate::http::Http;
use data_encoding::BASE64;
use serde_json::{Value, json};
use std::path::PathBuf;

/// Where btcd listens and what opens it.
#[derive(Clone, Debug)]
pub(crate) struct Access {
    /// `host:port`.
    pub(crate) address: String,
    pub(crate) user: String,
    pub(crate) password: String,
    /// Its self-signed certificate: LND speaks to btcd over TLS only.
    pub(crate) certificate: PathBuf,
}

/// What answers calls as btcd does.
pub(crate) trait Rpc {
    /// The result of a call.
    ///
    /// # Errors
    /// What the chain's node says.
    fn call(&self, method: &str, params: &Value) -> Result<Value, Failure>;
}

/// A client.
#[derive(Debug)]
pub(crate) struct BtcdRpc {
    http: Http,
}

impl BtcdRpc {
    pub(crate) fn new(access: &Access) -> Self {
        let secret = format!("{}:{}", access.user, access.password);
        let basic = format!("Basic {}", BASE64.encode(secret.as_bytes()));
        let base = format!("https://{}", access.address);
        let http = Http::new(base, ("Authorization", basic));
        Self { http }
    }
}

impl Rpc for BtcdRpc {
    fn call(&self, method: &str, params: &Value) -> Outcome<Value> {
        let request = json!({"jsonrpc": "1.0", "id": 1, "method": method, "params": params});
        let answer = self.http.post("", &request).during(method)?;
        match (answer.get("error"), answer.get("result")) {
            (None | Some(Value::Null), Some(result)) => Ok(result.clone()),
            (Some(error), _) if !error.is_null() => {
                let message = error.get("message").and_then(Value::as_str);
                let words = format!("{method}: {}", message.unwrap_or("an error without words"));
                Err(Failure::Wrong(words))
            }
            _ => Err(Failure::Wrong(format!("{method}: no answer: {answer}"))),
        }
    }
}
