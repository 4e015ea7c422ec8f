//! The settings of an agent as options of the node: `limits.budget_per_day` is
//! `hive-limits-budget-per-day`.
//!
//! Most can be changed while the plugin runs (`setconfig`): the agent stops in order and starts again with
//! the new configuration, which is checked first. What names files is read once.

use crate::events::host_port;
use cln_plugin::messages::Configuration;
use cln_plugin::options::{StringConfigOption, Value};
use hive_node::config::{Config, ConfigError};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// In front of every option.
const PREFIX: &str = "hive-";

/// The setting that names the configuration file.
const FILE: &str = "config";

/// The folder of the store within the node's folder of its network.
const FOLDER: &str = "hive";

/// Settings that name places: another one is another agent, and takes a new start of the plugin.
const FIXED: [&str; 5] = [FILE, "data-dir", "control-socket", "log-file", "log-format"];

/// What is given, by the name of the flag without dashes in front.
pub(crate) type Given = BTreeMap<String, String>;

/// One option as lightningd shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Offered {
    pub(crate) name: String,
    about: String,
    is_dynamic: bool,
}

impl Offered {
    /// For the manifest. All are texts: the configuration's own errors say more than lightningd's.
    pub(crate) fn option(&self) -> StringConfigOption<'_> {
        let option = StringConfigOption::new_str_no_default(&self.name, &self.about);
        match self.is_dynamic {
            true => option.dynamic(),
            false => option,
        }
    }

    /// The name of the flag that this option is.
    fn flag(&self) -> &str {
        self.name.strip_prefix(PREFIX).unwrap_or(&self.name)
    }
}

/// Every option.
pub(crate) fn offered() -> Vec<Offered> {
    let file = (FILE.to_owned(), "the agent's configuration file");
    let keys = Config::keys().iter().map(|key| {
        let flag = key.flag();
        (flag.trim_start_matches('-').to_owned(), key.about)
    });
    std::iter::once(file)
        .chain(keys)
        .map(|(flag, about)| Offered {
            name: format!("{PREFIX}{flag}"),
            about: format!("The Hive: {about}"),
            is_dynamic: !FIXED.contains(&flag.as_str()),
        })
        .collect()
}

/// What the operator gave, asked of lightningd's answer by name.
pub(crate) fn given(value: impl Fn(&str) -> Option<Value>) -> Given {
    let offered = offered();
    let given = offered.iter().filter_map(|option| {
        let value = value(&option.name)?;
        let text = value.as_str()?.to_owned();
        Some((option.flag().to_owned(), text))
    });
    given.collect()
}

/// The same with one option changed, as `setconfig` asks.
///
/// # Errors
/// Where there is no such option, in one line.
pub(crate) fn changed(given: &Given, name: &str, value: Option<&str>) -> Result<Given, String> {
    let known = offered().into_iter().find(|option| option.name == name);
    let option = known.ok_or_else(|| format!("{name} is no option of this plugin"))?;
    if !option.is_dynamic {
        return Err(format!(
            "{name} can't change while the plugin runs; write it into the node's configuration and restart the plugin"
        ));
    }
    let mut given = given.clone();
    match value {
        Some(value) => given.insert(option.flag().to_owned(), value.to_owned()),
        None => given.remove(option.flag()),
    };
    Ok(given)
}

/// What the node said of itself when it started the plugin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Home {
    /// The node's folder of its network.
    pub(crate) folder: PathBuf,
    /// Its RPC socket.
    pub(crate) rpc: PathBuf,
    /// Its SOCKS5 proxy, as a setting.
    proxy: Option<String>,
}

impl Home {
    /// From lightningd's `init`.
    pub(crate) fn new(init: &Configuration) -> Self {
        let folder = PathBuf::from(&init.lightning_dir);
        let proxy = init.proxy.as_ref().map(|proxy| {
            let port = u64::try_from(proxy.port).unwrap_or_default();
            format!("socks5://{}", host_port(&proxy.address, port))
        });
        let rpc = folder.join(&init.rpc_file);
        Self { folder, rpc, proxy }
    }

    /// Where the store lies unless the operator named another folder.
    fn data_dir(&self) -> PathBuf {
        self.folder.join(FOLDER)
    }
}

/// The configuration. The node's proxy is taken for HTTP unless the operator named one for the agent.
///
/// # Errors
/// One line that says what to change.
pub(crate) fn load(
    home: &Home,
    environment: &BTreeMap<String, String>,
    given: &Given,
) -> Result<Config, String> {
    let loaded = read(home, environment, given);
    loaded.map_err(|error| {
        if let ConfigError::File { path, reason } = &error {
            let path = path.display();
            return format!("{path}: {reason}; name a readable file with {PREFIX}{FILE}");
        }
        let text = error.to_string();
        // The operator knows the option, not the flag.
        let option = text
            .strip_prefix("--")
            .map(|rest| format!("{PREFIX}{rest}"));
        option.unwrap_or(text)
    })
}

fn read(
    home: &Home,
    environment: &BTreeMap<String, String>,
    given: &Given,
) -> Result<Config, ConfigError> {
    let folder: &Path = &home.data_dir();
    let alone = Config::load(folder, environment, given);
    let is_set = alone
        .as_ref()
        .is_ok_and(|config| config.http.proxy.is_some());
    match &home.proxy {
        Some(proxy) if !is_set && !given.contains_key("proxy") => {
            let mut with_proxy = given.clone();
            with_proxy.insert("proxy".into(), proxy.clone());
            Config::load(folder, environment, &with_proxy)
        }
        _ => alone,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hive_policy::Mode;

    fn home(folder: &Path) -> Home {
        Home {
            folder: folder.into(),
            rpc: folder.join("lightning-rpc"),
            proxy: None,
        }
    }

    fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        pairs.iter().map(owned).collect()
    }

    #[test]
    fn every_setting_is_an_option_and_few_need_a_new_start() {
        let offered = offered();
        assert_eq!(offered.len(), Config::keys().len() + 1);
        let named = |name: &str| offered.iter().find(|one| one.name == name).unwrap();
        assert!(named("hive-limits-budget-per-day").is_dynamic);
        assert!(named("hive-mode").is_dynamic);
        for fixed in FIXED {
            assert!(!named(&format!("hive-{fixed}")).is_dynamic, "{fixed}");
        }
        for one in &offered {
            assert!(one.name.starts_with("hive-") && !one.about.is_empty());
            assert_eq!(one.option().name(), one.name);
        }
    }

    #[test]
    fn options_reach_the_configuration() {
        let folder = tempfile::tempdir().unwrap();
        let home = home(folder.path());
        let given = given(|name| match name {
            "hive-mode" => Some(Value::String("autonomous".into())),
            "hive-limits-budget-per-day" => Some(Value::String("77000".into())),
            _ => None,
        });
        let config = load(&home, &map(&[]), &given).unwrap();
        assert_eq!(config.mode, Mode::Autonomous);
        assert_eq!(config.limits.budget_per_day.get(), 77_000);
        assert_eq!(config.data_dir, folder.path().join("hive"));
        let wrong = changed(&given, "hive-mode", Some("oracel")).unwrap();
        let error = load(&home, &map(&[]), &wrong).unwrap_err();
        assert!(error.starts_with("hive-mode = "), "{error}");
        assert!(error.contains("advisor, autonomous or oracle"), "{error}");
        assert!(!error.contains('\n'));
        let missing = map(&[("config", "/nowhere/hive.toml")]);
        let error = load(&home, &map(&[]), &missing).unwrap_err();
        assert!(
            error.ends_with("name a readable file with hive-config"),
            "{error}"
        );
        let back = changed(&given, "hive-mode", None).unwrap();
        let config = load(&home, &map(&[]), &back).unwrap();
        assert_eq!(config.mode, Mode::Advisor);
        let fixed = changed(&given, "hive-data-dir", Some("/x")).unwrap_err();
        assert!(fixed.contains("restart the plugin"), "{fixed}");
        assert!(changed(&given, "hive-nonsense", None).is_err());
    }

    #[test]
    fn the_nodes_proxy_is_taken_unless_another_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let mut home = home(folder.path());
        let proxy = |home: &Home, given: &[(&str, &str)]| {
            let config = load(home, &map(&[]), &map(given)).unwrap();
            config.http.proxy.map(|proxy| format!("{proxy:?}"))
        };
        assert_eq!(proxy(&home, &[]), None);
        home.proxy = Some("socks5://127.0.0.1:9050".into());
        let of_node = proxy(&home, &[]).unwrap();
        assert!(of_node.contains("127.0.0.1"), "{of_node}");
        let own = proxy(&home, &[("proxy", "socks5://10.0.0.1:1080")]).unwrap();
        assert!(own.contains("10.0.0.1"), "{own}");
        std::fs::create_dir(folder.path().join("hive")).unwrap();
        let file = folder.path().join("hive/hive.toml");
        std::fs::write(&file, "proxy = 'socks5://10.0.0.2:1080'").unwrap();
        let own = proxy(&home, &[]).unwrap();
        assert!(own.contains("10.0.0.2"), "{own}");
    }

    #[test]
    fn the_way_to_the_node_comes_from_init() {
        let init = serde_json::json!({
            "lightning-dir": "/home/op/.lightning/regtest", "rpc-file": "lightning-rpc", "startup": true,
            "network": "regtest", "feature_set": {}, "always_use_proxy": true,
            "proxy": {"type": "ipv6", "address": "::1", "port": 9050}
        });
        let home = Home::new(&serde_json::from_value(init).unwrap());
        assert_eq!(
            home.rpc,
            Path::new("/home/op/.lightning/regtest/lightning-rpc")
        );
        assert_eq!(home.proxy.as_deref(), Some("socks5://[::1]:9050"));
    }
}
