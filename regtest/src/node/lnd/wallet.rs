//! An LND whose wallet someone makes and opens, as operators do.

use super::{Lnd, said};
use crate::failure::{Outcome, ensure};
use crate::http::Http;
use crate::node::json::{list, text};
use crate::wait;
use data_encoding::BASE64;
use serde_json::json;

impl Lnd {
    /// From its first start on, its wallet has this password: it is made by [`Lnd::create_wallet`] and opened at
    /// each later start by [`Lnd::unlock`].
    pub fn set_password(&mut self, password: &str) {
        self.password = Some(password.into());
    }

    /// Makes the wallet of an LND that was launched.
    ///
    /// # Errors
    /// When it does not come so far.
    pub fn create_wallet(&self) -> Outcome {
        self.reaches("NON_EXISTING")?;
        let bare = self.without_macaroon();
        let path = "/v1/genseed";
        let seed = said(path, bare.get(path)?)?;
        let request = json!({
            "wallet_password": self.password(),
            "cipher_seed_mnemonic": list(&seed, "cipher_seed_mnemonic"),
        });
        let path = "/v1/initwallet";
        said(path, bare.post(path, &request)?).map(drop)
    }

    /// Opens the wallet of an LND that was launched.
    ///
    /// # Errors
    /// When it refuses.
    pub fn unlock(&self) -> Outcome {
        self.reaches("LOCKED")?;
        let path = "/v1/unlockwallet";
        let request = json!({"wallet_password": self.password()});
        said(path, self.without_macaroon().post(path, &request)?).map(drop)
    }

    /// Waits until a launched LND is so far: `NON_EXISTING`, `LOCKED`, `RPC_ACTIVE` (without its chain),
    /// `SERVER_ACTIVE`.
    ///
    /// # Errors
    /// When it never is.
    pub fn reaches(&self, state: &str) -> Outcome {
        let bare = self.without_macaroon();
        wait::until(format!("{} is {state}", self.name), || {
            let answer = bare.get("/v1/state")?;
            let at = text(&answer, "state")?;
            ensure(at == state, || at.to_owned())
        })
    }

    fn password(&self) -> String {
        BASE64.encode(self.password.as_deref().unwrap_or_default().as_bytes())
    }

    /// What needs no permission.
    fn without_macaroon(&self) -> Http {
        let base = format!("http://127.0.0.1:{}", self.ports.rest);
        Http::new(base, ("Accept", "application/json".into()))
    }
}
