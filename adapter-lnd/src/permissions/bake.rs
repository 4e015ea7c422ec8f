//! The line that bakes the least macaroon.

use super::capability::Capability;
use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::Path;

/// LND's root key for the agent's macaroons alone, the number of the message type: to delete it ends them all,
/// copied ones too. Those under LND's own key, 0, can't be ended.
const ROOT_KEY: u16 = hive_types::limits::MESSAGE_TYPE;

/// What to bake for. In advisor mode nothing is spent unasked, so that nothing needs to be spendable.
pub(crate) fn for_mode(
    is_autonomous: bool,
    further: &BTreeSet<Capability>,
) -> BTreeSet<Capability> {
    let base: &[Capability] = match is_autonomous {
        true => &Capability::ALL,
        false => &[Capability::Member, Capability::Fees],
    };
    base.iter().chain(further).copied().collect()
}

/// The command whose line bakes a macaroon with one more capability, and with all that are there. Which ones these are
/// is known once LND was asked.
pub(crate) fn command(wanted: Option<Capability>, there: Option<&BTreeSet<Capability>>) -> String {
    let all: BTreeSet<Capability> = there.into_iter().flatten().copied().chain(wanted).collect();
    let base = for_mode(false, &BTreeSet::new());
    let further: Vec<&str> = all.difference(&base).map(|one| one.name()).collect();
    let (most, flags) = (Capability::ALL.len() - base.len(), further.join(","));
    let command = match further.len() {
        0 => "`adapter-lnd macaroon`".to_owned(),
        count if count == most => "`adapter-lnd macaroon --mode autonomous`".to_owned(),
        _ => format!("`adapter-lnd macaroon --allow {flags}`"),
    };
    match there {
        Some(_) => command,
        None => format!("{command}, with the `--mode` and `--allow` of the last one besides,"),
    }
}

/// Every call of these, once, in order.
pub(crate) fn uris(capabilities: &BTreeSet<Capability>) -> BTreeSet<&'static str> {
    let calls = capabilities
        .iter()
        .flat_map(|capability| capability.calls().iter().chain(capability.extras()));
    calls.map(|call| call.method).collect()
}

/// The line, what it allows, and what that means.
pub(crate) fn text(capabilities: &BTreeSet<Capability>, file: &Path) -> String {
    let mut text = String::from("# The macaroon lets the agent:\n");
    let mut line = |words: std::fmt::Arguments<'_>| {
        // A text takes whatever is written to it.
        let _ = text.write_fmt(words);
    };
    for capability in capabilities {
        line(format_args!(
            "#  {:9} {}\n",
            capability.name(),
            capability.about()
        ));
    }
    for capability in capabilities {
        if let Some(warning) = capability.warning() {
            line(format_args!(
                "# WARNING {}: {warning}.\n",
                capability.name()
            ));
        }
    }
    let left = Capability::ALL
        .into_iter()
        .filter(|one| !capabilities.contains(one));
    for capability in left {
        let (name, about) = (capability.name(), capability.about());
        line(format_args!(
            "# Not in it: {about}. Add `--allow {name}` for that.\n"
        ));
    }
    line(format_args!(
        "# Keep it from others: chmod 600 {}\n",
        file.display()
    ));
    line(format_args!(
        "# To end every macaroon that was baked so: lncli deletemacaroonid {ROOT_KEY}\n"
    ));
    line(format_args!(
        "lncli bakemacaroon --root_key_id {ROOT_KEY} --save_to {}",
        file.display()
    ));
    for uri in uris(capabilities) {
        line(format_args!(" uri:{uri}"));
    }
    line(format_args!("\n"));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn baked(is_autonomous: bool, further: &[Capability]) -> String {
        let further = further.iter().copied().collect();
        text(
            &for_mode(is_autonomous, &further),
            Path::new("/d/hive.macaroon"),
        )
    }

    #[test]
    fn advisors_can_spend_nothing() {
        let text = baked(false, &[]);
        let line = text.lines().last().unwrap();
        assert!(line.starts_with(
            "lncli bakemacaroon --root_key_id 48865 --save_to /d/hive.macaroon uri:/"
        ));
        for spending in ["OpenChannel", "SendToRouteV2", "AddInvoice", "SendCoins"] {
            assert!(!line.contains(spending), "{spending}");
        }
        assert!(line.contains("uri:/lnrpc.Lightning/UpdateChannelPolicy"));
        assert!(text.contains("--allow open"), "{text}");
    }

    #[test]
    fn each_spending_permission_bears_its_warning() {
        let text = baked(true, &[]);
        for name in ["open", "rebalance", "probe"] {
            assert!(text.contains(&format!("# WARNING {name}: ")), "{text}");
        }
        let line = text.lines().last().unwrap();
        let words: Vec<&str> = line.split(' ').skip(6).collect();
        assert!(words.iter().all(|word| word.starts_with("uri:/")), "{line}");
        assert_eq!(words.len(), words.iter().collect::<BTreeSet<_>>().len());
        assert!(!line.contains("CloseChannel"), "{line}");
        assert!(line.contains("uri:/lnrpc.Lightning/DeletePayment"));
    }

    #[test]
    fn one_more_adds_its_calls_alone() {
        let (without, with) = (
            for_mode(false, &BTreeSet::new()),
            for_mode(false, &[Capability::Open].into()),
        );
        let more: Vec<_> = uris(&with).difference(&uris(&without)).copied().collect();
        let calls = Capability::Open.calls().iter();
        let expected: Vec<_> = calls.chain(Capability::Open.extras()).collect();
        let expected: Vec<_> = expected.iter().map(|call| call.method).collect();
        assert_eq!(more, expected);
    }

    #[test]
    fn the_command_adds_what_is_wanted_and_keeps_what_is_there() {
        use Capability::{Fees, Member, Open, Probe, Rebalance};
        let plain = BTreeSet::from([Member, Fees]);
        let some = BTreeSet::from([Member, Fees, Probe]);
        let most = BTreeSet::from([Member, Rebalance, Probe]);
        for (wanted, there, expected) in [
            (Some(Fees), Some(&plain), "`adapter-lnd macaroon`"),
            (
                Some(Open),
                Some(&plain),
                "`adapter-lnd macaroon --allow open`",
            ),
            (
                Some(Open),
                Some(&some),
                "`adapter-lnd macaroon --allow open,probe`",
            ),
            (
                Some(Member),
                Some(&some),
                "`adapter-lnd macaroon --allow probe`",
            ),
            (
                Some(Open),
                Some(&most),
                "`adapter-lnd macaroon --mode autonomous`",
            ),
        ] {
            assert_eq!(command(wanted, there), expected);
        }
        assert!(command(Some(Open), None).contains("of the last one"));
    }
}
