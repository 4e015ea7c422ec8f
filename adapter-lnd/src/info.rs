//! What LND says of itself.

use crate::connect::Link;
use crate::convert::{features, node_id, unclear};
use crate::proto::lnrpc::{GetInfoRequest, GetInfoResponse};
use crate::warnings::Topic;
use hive_node::backend::{BackendError, NodeInfo};
use hive_types::{BlockHeight, Network, NodeId};

/// The oldest release that works: v0.20.0, of 2025. Earlier ones tell that a peer is online before it said `init`, when
/// it does not count as a link yet, and nothing after: fellows that dial this node would go unnoticed.
pub(crate) const LEAST_VERSION: Version = Version(0, 20);

/// The newest release that this was tried with.
const TRIED_VERSION: Version = Version(0, 21);

const CALL: &str = "/lnrpc.Lightning/GetInfo";

/// Major and minor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Version(u32, u32);

impl std::fmt::Display for Version {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "v{}.{}", self.0, self.1)
    }
}

impl Version {
    /// From `0.21.2-beta commit=v0.21.2-beta`.
    fn parse(text: &str) -> Option<Self> {
        let mut parts = text.trim_start_matches('v').split('.');
        Some(Self(
            parts.next()?.parse().ok()?,
            parts.next()?.parse().ok()?,
        ))
    }
}

/// What there is to say about a version that is not refused.
fn about_version(text: &str) -> Option<String> {
    match Version::parse(text) {
        Some(version) if version > TRIED_VERSION => Some(format!(
            "LND {text} is newer than {TRIED_VERSION}, which this agent was tried with; look for a newer agent"
        )),
        Some(_) => None,
        None => Some(format!(
            "LND calls its version {text:?}, which says nothing; {LEAST_VERSION} or later is needed"
        )),
    }
}

pub(crate) async fn ask(link: &Link) -> Result<GetInfoResponse, BackendError> {
    let said = link
        .ask(CALL, link.lightning().get_info(GetInfoRequest {}))
        .await?;
    // At each answer: LND may be upgraded while the agent runs.
    link.warnings
        .say(Topic::Version, about_version(&said.version));
    match Version::parse(&said.version) {
        Some(version) if version < LEAST_VERSION => Err(BackendError::Unfit(format!(
            "LND {} is too old; upgrade it to {LEAST_VERSION} or later",
            said.version
        ))),
        _ => Ok(said),
    }
}

pub(crate) fn own_id(said: &GetInfoResponse) -> Result<NodeId, BackendError> {
    node_id(&said.identity_pubkey)
}

/// The answer as backends give it.
pub(crate) fn as_info(said: &GetInfoResponse) -> Result<NodeInfo, BackendError> {
    let network = network(said)?;
    let addresses = said.uris.iter();
    Ok(NodeInfo {
        node_id: own_id(said)?,
        network,
        alias: said.alias.clone(),
        version: format!("LND {}", said.version),
        // LND calls its graph synced only once it has peers; what is opened needs those anyway.
        synced: said.synced_to_chain,
        height: BlockHeight::new(said.block_height),
        features: features(&said.features),
        addresses: addresses
            .filter_map(|uri| uri.split_once('@'))
            .map(|(_, address)| address.to_owned())
            .collect(),
    })
}

fn network(said: &GetInfoResponse) -> Result<Network, BackendError> {
    let chain = said.chains.first();
    let chain = chain.ok_or_else(|| unclear("the network", "not told"))?;
    chain.network.parse().map_err(|_| {
        BackendError::Unfit(format!(
            "LND is on {}, and fleets are on mainnet, testnet, testnet4, signet and regtest alone; point lnd.host at an \
             LND on one of these",
            chain.network
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::lnrpc::Chain;
    use hive_types::Network;

    #[test]
    fn versions_compare() {
        let parse = |text| Version::parse(text).unwrap();
        assert!(parse("0.17.5-beta") < LEAST_VERSION);
        assert!(parse("0.20.0-beta commit=v0.20.0-beta") == LEAST_VERSION);
        assert_eq!(about_version("0.21.2-beta commit=v0.21.2-beta"), None);
        assert!(about_version("0.99.0").unwrap().contains("newer"));
        assert!(about_version("nightly").unwrap().contains("says nothing"));
    }

    #[test]
    fn networks_and_addresses() {
        let id = "0324653eac434488002cc06bbfb7f10fe18991e35f9fe4302dbea6d2353dc0ab1c";
        let mut said = GetInfoResponse {
            identity_pubkey: id.into(),
            uris: vec![format!("{id}@[::1]:9735"), "nonsense".into()],
            chains: vec![Chain {
                network: "mainnet".into(),
            }],
            ..Default::default()
        };
        let info = as_info(&said).unwrap();
        assert_eq!(info.network, Network::Bitcoin);
        assert_eq!(info.addresses, ["[::1]:9735"]);
        said.chains[0].network = "simnet".into();
        let error = as_info(&said).unwrap_err().to_string();
        assert!(error.contains("LND is on simnet"), "{error}");
        assert!(
            error.contains("testnet4, signet") && !error.contains("report"),
            "{error}"
        );
        said.chains.clear();
        assert!(matches!(as_info(&said), Err(BackendError::Reply(_))));
    }
}
