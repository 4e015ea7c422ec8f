//! JSON over HTTP, to the nodes on this machine.

use crate::failure::{Context, Outcome, wrong};
use serde_json::Value;
use std::time::Duration;
use ureq::tls::TlsConfig;

/// How long a node may think about one request. Mining hundreds of blocks is one.
const TIMEOUT: Duration = Duration::from_secs(60);

/// The graph and the blocks of a test chain are far smaller.
const ANSWER_BYTES: u64 = 64 << 20;

/// A client that sends the same headers with each request.
#[derive(Debug)]
pub(crate) struct Http {
    agent: ureq::Agent,
    base: String,
    header: (&'static str, String),
}

impl Http {
    /// A client for addresses that begin with `base`.
    pub(crate) fn new(base: String, header: (&'static str, String)) -> Self {
        // The node is a child of this process, reached over loopback, and its certificate is made anew in
        // each run: there is nobody to be told apart from it.
        let tls = TlsConfig::builder().disable_verification(true).build();
        let config = ureq::Agent::config_builder()
            .tls_config(tls)
            .timeout_global(Some(TIMEOUT))
            .http_status_as_error(false)
            .proxy(None)
            .build();
        Self {
            agent: config.new_agent(),
            base,
            header,
        }
    }

    /// GET.
    pub(crate) fn get(&self, path: &str) -> Outcome<Value> {
        let address = format!("{}{path}", self.base);
        let request = self
            .agent
            .get(&address)
            .header(self.header.0, &self.header.1);
        answer(path, request.call())
    }

    /// DELETE.
    pub(crate) fn delete(&self, path: &str) -> Outcome<Value> {
        let address = format!("{}{path}", self.base);
        let request = self
            .agent
            .delete(&address)
            .header(self.header.0, &self.header.1);
        answer(path, request.call())
    }

    /// POST with a JSON body.
    pub(crate) fn post(&self, path: &str, body: &Value) -> Outcome<Value> {
        let address = format!("{}{path}", self.base);
        let request = self
            .agent
            .post(&address)
            .header(self.header.0, &self.header.1)
            .header("Content-Type", "application/json");
        answer(path, request.send(body.to_string()))
    }
}

/// The body as JSON, whatever the status: the nodes put their errors there. A stream of values gives its
/// last.
fn answer(
    path: &str,
    answered: Result<ureq::http::Response<ureq::Body>, ureq::Error>,
) -> Outcome<Value> {
    let mut answered = answered.during(path)?;
    let status = answered.status();
    let body = answered.body_mut().with_config().limit(ANSWER_BYTES);
    let text = body.read_to_string().during(path)?;
    let values = serde_json::Deserializer::from_str(&text).into_iter::<Value>();
    match values.last() {
        Some(Ok(value)) => Ok(value),
        _ => wrong(format!("{path}: {status}: {text}")),
    }
}
