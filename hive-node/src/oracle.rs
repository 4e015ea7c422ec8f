//! The way to the oracle: the operator's program that is asked before something is done.
//!
//! A question goes out as one signed POST and brings one short answer, or the reason why there is
//! none. What of an answer counts, the state machine judges ([`hive_policy::oracle`]): here is only
//! the way there and back, and nothing that happens on it is a yes.

use crate::clock::Clock;
use crate::config::OracleConfig;
use crate::http::{Endpoint, HttpClient, HttpConfig, ParseProxyError, Post};
use hive_core::OracleAnswer;
use hive_policy::oracle::DecisionPacket;
use hive_policy::signature::{Secret, sign};
use std::fmt;
use std::sync::Arc;

/// Asks one server.
#[derive(Clone)]
pub struct Oracle {
    client: HttpClient,
    endpoint: Endpoint,
    secret: Secret,
    clock: Arc<dyn Clock>,
}

impl Oracle {
    /// The oracle of a configuration, with the clock whose time its questions bear.
    ///
    /// # Errors
    /// [`ParseProxyError`] for a proxy that can't be used.
    pub fn new(
        config: &OracleConfig,
        http: &HttpConfig,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, ParseProxyError> {
        Ok(Self {
            client: HttpClient::new(http)?,
            endpoint: config.endpoint.clone(),
            secret: config.secret.clone(),
            clock,
        })
    }

    /// The answer as it came, or why there is none. Ends in bounded time whatever the server does.
    pub(crate) async fn ask(&self, packet: &DecisionPacket) -> Result<OracleAnswer, String> {
        let body = serde_json::to_vec(packet).map_err(|error| error.to_string())?;
        let post = Post {
            signature: sign(self.secret.as_bytes(), self.clock.now().wall, &body),
            key: packet.nonce.to_string(),
            body,
        };
        let answer = self.client.post(&self.endpoint, post).await;
        let answer = answer.map_err(|error| error.to_string())?;
        Ok(OracleAnswer {
            body: answer.body,
            signature: answer.signature.unwrap_or_default(),
        })
    }
}

impl fmt::Debug for Oracle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Oracle({})", self.endpoint)
    }
}
