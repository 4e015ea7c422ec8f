//! Configuration: a TOML file, the environment (`HIVE_*`) and flags. A flag counts before the
//! environment, the environment before the file. A name that no setting has is an error, for a limit
//! with a slip in its name would be no limit.

/// The keys of one table of settings, and the function that fills a struct's fields from them.
macro_rules! table {
    ($table:literal, $filled:ty; $($name:ident: $read:expr, $about:literal;)*) => {
        /// The keys of this table.
        pub(super) const KEYS: &[Key] = &[
            $(Key { name: concat!($table, stringify!($name)), about: $about },)*
        ];

        fn fill(settings: &Settings, filled: &mut $filled) -> Result<(), ConfigError> {
            $(if let Some(value) = settings.read(concat!($table, stringify!($name)), $read)? {
                filled.$name = value;
            })*
            Ok(())
        }
    };
}

mod fleet;
mod limits;
mod lnd;
mod offer;
mod planner;
mod servers;
mod settings;
mod values;

pub use fleet::FleetConfig;
pub use lnd::LndConfig;
pub use servers::OracleConfig;
pub use settings::{ConfigError, Key};

use crate::backend::NodeInfo;
use crate::http::HttpConfig;
use crate::log::LogConfig;
use crate::webhook::WebhookConfig;
use hive_planner::PlannerConfig;
use hive_policy::{Limits, Mode};
use hive_types::limits::STORE_BYTES;
use hive_types::{Capabilities, Constraint};
use settings::{CONFIG_FILE, Settings};
use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use values::flag;

/// The file that is read from the data folder when no other is named.
pub const CONFIG_FILE_NAME: &str = "hive.toml";

/// The agent's name and version, as its manifest shows them.
pub const SOFTWARE: &str = concat!("hive ", env!("CARGO_PKG_VERSION"));

/// The socket's name within the data folder.
pub const SOCKET_FILE_NAME: &str = "hive.sock";

/// Keys besides the limits.
const GENERAL: &[Key] = &[
    Key {
        name: "data_dir",
        about: "folder of the store, the control socket and the configuration file",
    },
    Key {
        name: "control_socket",
        about: "path of the control socket, under 100 characters",
    },
    Key {
        name: "store_max_mb",
        about: "size that the store may grow to, in MiB",
    },
    Key {
        name: "mode",
        about: "who decides about spending: advisor, autonomous or oracle",
    },
    Key {
        name: "dry_run",
        about: "true: everything is checked and said, and nothing is spent or changed",
    },
    Key {
        name: "log.format",
        about: "how a log line looks: text or json",
    },
    Key {
        name: "log.filter",
        about: "what is logged: a level, or target=level, separated by commas",
    },
    Key {
        name: "log.file",
        about: "file that log lines are appended to; the standard error stream without it",
    },
];

/// Every setting.
static KEYS: std::sync::LazyLock<Vec<Key>> = std::sync::LazyLock::new(|| {
    let tables = [
        GENERAL,
        fleet::KEYS,
        limits::KEYS,
        lnd::KEYS,
        offer::KEYS,
        planner::KEYS,
        servers::KEYS,
    ];
    tables.concat()
});

/// How an agent runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Folder of the store.
    pub data_dir: PathBuf,
    /// Path of the control socket.
    pub control_socket: PathBuf,
    /// Bytes that the store may grow to.
    pub store_bytes: u64,
    /// Who decides about spending when the store is new; later the operator's last word counts.
    pub mode: Mode,
    /// Whether everything is checked and said but nothing that moves money or changes a fee is done.
    pub dry_run: bool,
    /// What the operator allows.
    pub limits: Limits,
    /// What fellows are told, and what is done towards them.
    pub fleet: FleetConfig,
    /// What the member is willing to open.
    pub offer: Constraint,
    /// How plans are made.
    pub planner: PlannerConfig,
    /// How webhook and oracle are reached.
    pub http: HttpConfig,
    /// Who is told of events.
    pub webhook: Option<WebhookConfig>,
    /// Who is asked in oracle mode.
    pub oracle: Option<OracleConfig>,
    /// How the LND beside it is reached; other nodes are not asked for it.
    pub lnd: LndConfig,
    /// Logging.
    pub log: LogConfig,
}

impl Config {
    /// Everything at its default, in this folder.
    pub fn in_folder(data_dir: &Path) -> Self {
        Self {
            data_dir: data_dir.into(),
            control_socket: data_dir.join(SOCKET_FILE_NAME),
            store_bytes: STORE_BYTES,
            mode: Mode::default(),
            dry_run: false,
            limits: Limits::default(),
            fleet: FleetConfig::default(),
            offer: offer::within(&Limits::default()),
            planner: PlannerConfig::default(),
            http: HttpConfig::default(),
            webhook: None,
            oracle: None,
            lnd: LndConfig::default(),
            log: LogConfig::default(),
        }
    }

    /// Every setting that [`Config::load`] takes.
    pub fn keys() -> &'static [Key] {
        &KEYS
    }

    /// Reads the configuration. `default_dir` is the data folder where nothing names another.
    ///
    /// The file is the one that the flag `config` or the variable `HIVE_CONFIG` names, else
    /// `hive.toml` in the data folder, which may be missing.
    ///
    /// # Errors
    /// [`ConfigError`]: one line that says where the fault is and what to write instead.
    pub fn load(
        default_dir: &Path,
        environment: &BTreeMap<String, String>,
        flags: &BTreeMap<String, String>,
    ) -> Result<Self, ConfigError> {
        let mut above = Settings::default();
        above.add_env(&KEYS, environment)?;
        above.add_flags(&KEYS, flags)?;
        let folder = above.get("data_dir")?.unwrap_or(default_dir.to_path_buf());
        let named = flags.get(CONFIG_FILE).or(environment.get("HIVE_CONFIG"));
        let mut settings = Settings::default();
        let path = named.map_or_else(|| folder.join(CONFIG_FILE_NAME), PathBuf::from);
        match std::fs::read_to_string(&path) {
            Ok(text) => settings.add_file(&KEYS, &path, &text)?,
            Err(reason) if reason.kind() == ErrorKind::NotFound && named.is_none() => {}
            Err(reason) => {
                let reason = reason.to_string();
                return Err(ConfigError::File { path, reason });
            }
        }
        settings.add_env(&KEYS, environment)?;
        settings.add_flags(&KEYS, flags)?;
        Self::from_settings(&settings, default_dir)
    }

    /// The state machine's settings, with what the node says of itself.
    pub fn for_machine(&self, info: &NodeInfo) -> hive_core::Config {
        let own = &self.fleet.addresses;
        hive_core::Config {
            node_id: info.node_id,
            network: info.network,
            software: SOFTWARE.into(),
            addresses: if own.is_empty() { &info.addresses } else { own }.clone(),
            capabilities: Capabilities::from_features(&info.features),
            limits: self.limits.clone(),
            mode: self.mode,
            planner: self.planner,
            constraint: self.offer,
            plan_interval: self.fleet.plan_interval,
            sharing: self.fleet.sharing.clone(),
            oracle_secret: self.oracle.as_ref().map(|oracle| oracle.secret.clone()),
            dry_run: self.dry_run,
            manage_fees: self.fleet.manage_fees,
        }
    }

    fn from_settings(settings: &Settings, default_dir: &Path) -> Result<Self, ConfigError> {
        let folder = settings.read("data_dir", path)?;
        let mut config = Self::in_folder(&folder.unwrap_or(default_dir.to_path_buf()));
        config.limits = limits::read(settings)?;
        config.fleet = fleet::read(settings)?;
        limits::check_corridors(&config.limits, config.fleet.manage_fees)?;
        config.offer = offer::read(settings, &config.limits)?;
        config.planner = planner::read(settings)?;
        config.lnd = lnd::read(settings)?;
        if let Some(dry_run) = settings.read("dry_run", flag)? {
            config.dry_run = dry_run;
        }
        if let Some(socket) = settings.read("control_socket", path)? {
            config.control_socket = socket;
        }
        if let Some(bytes) = settings.read("store_max_mb", mebibytes)? {
            config.store_bytes = bytes;
        }
        if let Some(mode) = settings.read("mode", mode)? {
            config.mode = mode;
        }
        if let Some(format) = settings.get("log.format")? {
            config.log.format = format;
        }
        if let Some(filter) = settings.read("log.filter", filter)? {
            config.log.filter = filter;
        }
        config.log.file = settings.read("log.file", path)?;
        servers::read(settings, &mut config)?;
        Ok(config)
    }
}

fn path(text: &str) -> Result<PathBuf, String> {
    match text {
        "" => Err("a path is expected".into()),
        text => Ok(text.into()),
    }
}

fn mebibytes(text: &str) -> Result<u64, String> {
    let count = text.parse::<u32>().ok().filter(|count| *count >= 16);
    count
        .map(|count| u64::from(count) << 20)
        .ok_or_else(|| "a whole number from 16 is expected".into())
}

fn mode(text: &str) -> Result<Mode, String> {
    match text {
        "advisor" => Ok(Mode::Advisor),
        "autonomous" => Ok(Mode::Autonomous),
        "oracle" => Ok(Mode::Oracle),
        _ => Err("advisor, autonomous or oracle is expected".into()),
    }
}

fn filter(text: &str) -> Result<String, String> {
    let parsed = tracing_subscriber::EnvFilter::try_new(text);
    parsed
        .map(|_| text.to_owned())
        .map_err(|reason| format!("{reason}; write a level such as info, or target=level"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::LogFormat;
    use hive_planner::routes::SenderModel;
    use hive_types::{ActionKind, Msat, Ppm, Sat};

    fn load(text: &str, env: &[(&str, &str)], flags: &[(&str, &str)]) -> Result<Config, String> {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(CONFIG_FILE_NAME), text).unwrap();
        let map = |pairs: &[(&str, &str)]| {
            let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
            pairs.iter().map(owned).collect()
        };
        let config = Config::load(folder.path(), &map(env), &map(flags));
        config.map_err(|error| error.to_string())
    }

    #[test]
    fn nothing_given_spends_nothing() {
        let config = load("", &[], &[]).unwrap();
        assert_eq!(config.mode, Mode::Advisor);
        assert_eq!(config.limits, Limits::default());
        assert_eq!(config.control_socket, config.data_dir.join("hive.sock"));
    }

    #[test]
    fn reads_every_place_in_order() {
        let text = "mode = 'autonomous'\n[limits]\nbudget_per_day = 20_000\n\
                    opted_out_kinds = ['open', 'probe']\nrebalance_fee = '5msat'\n[log]\nformat = 'json'";
        let env = [
            ("HIVE_LIMITS_BUDGET_PER_DAY", "30000sat"),
            ("HIVE_MODE", "advisor"),
        ];
        let config = load(text, &env, &[("limits-budget-per-day", "40000")]).unwrap();
        assert_eq!(config.limits.budget_per_day, Sat::new(40_000));
        assert_eq!(config.limits.rebalance_fee, Msat::new(5));
        assert_eq!(config.mode, Mode::Advisor);
        assert_eq!(config.log.format, LogFormat::Json);
        let kinds = config.limits.opted_out_kinds.iter().copied();
        assert_eq!(
            kinds.collect::<Vec<_>>(),
            [ActionKind::Open, ActionKind::Probe]
        );
        // The folder and its file may come from different places.
        let moved = load(
            "mode = 'autonomous'",
            &[("HIVE_DATA_DIR", "/elsewhere")],
            &[],
        )
        .unwrap();
        assert_eq!(moved.data_dir, Path::new("/elsewhere"));
        assert_eq!(moved.mode, Mode::Advisor, "/elsewhere has no file");
    }

    #[test]
    fn what_fellows_are_told_and_offered() {
        let (peer, channel) = (format!("02{}", "ab".repeat(32)), "cd".repeat(32));
        let text = format!(
            "[fleet]\naddresses = ['a.onion:9735']\nmanage_fees = false\nhidden = ['{peer}']\n\
             coarse = ['812x3x1', '{channel}']\nplan_minutes = 30\n[offer]\nslots = 1\n[planner]\nstrictly_unique = true\nrates = [50, 10]\nsender = 'ldk'"
        );
        let config = load(&text, &[], &[]).unwrap();
        let of = |text: &str| text.parse::<hive_core::ChannelRef>().unwrap();
        let told = [
            (of(&peer), hive_proto::Sharing::Hidden),
            (of("812x3x1"), hive_proto::Sharing::Coarse),
            (of(&channel), hive_proto::Sharing::Coarse),
        ];
        assert_eq!(config.fleet.sharing, told.into());
        assert_eq!(
            config.fleet.plan_interval,
            hive_types::Millis::from_secs(1_800)
        );
        assert_eq!(config.offer.slots, 1);
        assert_eq!(config.offer.channel_max, config.limits.channel_max);
        assert!(config.planner.strictly_unique && !config.fleet.manage_fees);
        assert_eq!(config.planner.rates.values(), [Ppm::new(10), Ppm::new(50)]);
        assert_eq!(config.planner.sender, SenderModel::Ldk);
    }

    #[test]
    fn every_name_is_there_once_in_each_form() {
        let keys = Config::keys();
        let names: std::collections::BTreeSet<_> = keys.iter().map(|key| key.name).collect();
        let env: std::collections::BTreeSet<_> = keys.iter().map(Key::env).collect();
        let flags: std::collections::BTreeSet<_> = keys.iter().map(Key::flag).collect();
        assert_eq!([names.len(), env.len(), flags.len()], [keys.len(); 3]);
    }

    #[test]
    fn bad_values_are_refused_in_one_line() {
        let wrong = [
            (
                "[limits]\nbudget_per_day = -1",
                "limits.budget_per_day = \"-1\"",
            ),
            (
                "[limits]\nbudget_per_day = '5msat'",
                "not a whole number of sat",
            ),
            (
                "[limits]\nbudget_per_day = 1.5",
                "limits.budget_per_day = \"1.5\"",
            ),
            ("[limits]\nbudget_per_day = 1", "cost_per_action"),
            (
                "[limits]\nopens_per_day = 4294967296",
                "from 0 to 4294967295",
            ),
            ("[limits]\nopted_out_kinds = ['close']", "none of open"),
            (
                "[limits]\nopted_out_channels = ['1x2']",
                "not a short channel id",
            ),
            (
                "[limits]\npolicy_base_min = 5\npolicy_base_max = 4",
                "policy_base_min must not be above policy_base_max",
            ),
            (
                "[limits]\npolicy_rate_min = 1",
                "set fleet.manage_fees to false",
            ),
            ("[limits]\nopted_out_peers = ['02ab']", "66 hex digits"),
            ("mode = 'oracel'", "advisor, autonomous or oracle"),
            ("store_max_mb = 1", "from 16"),
            ("[fleet]\naddresses = ['nowhere']", "host:port"),
            ("[fleet]\nplan_minutes = 0", "from 1"),
            ("[fleet]\nmanage_fees = 'maybe'", "true or false"),
            ("[offer]\nchannel_max = 90000000", "limits.channel_max"),
            ("[planner]\npayback_days = 0", "from 1"),
            ("[planner]\ndemand = 'merchant'", "uniform or capacity"),
            ("[planner]\nsender = 'me'", "lnd, ldk or fee"),
            ("[planner]\npayments = 99", "from 100 to 2000000"),
            (
                "[planner]\nrates = [1, 2, 3, 4, 5, 6, 7, 8, 9]",
                "at most eight",
            ),
            ("[planner]\nturnover = 1", "from 10000"),
            ("[planner]\npush_outside_hops = 5", "from 1 to 4"),
            ("data_dir = ''", "a path is expected"),
            ("[log]\nformat = 'xml'", "text or json"),
            ("[log]\nfilter = 'hive=loud'", "write a level"),
            (
                "[limit]\nbudget_per_day = 1",
                "did you mean limits.budget_per_day?",
            ),
            ("mode = 1\nmode = 2", "line 2"),
        ];
        for (text, expected) in wrong {
            let error = load(text, &[], &[]).unwrap_err();
            assert!(error.contains(expected), "{text}: {error}");
            assert!(
                error.contains("hive.toml") || error.contains(" but "),
                "{error}"
            );
            assert!(!error.contains('\n'), "{error}");
        }
    }

    #[test]
    fn a_named_file_must_be_there() {
        let error = load("", &[], &[("config", "/nowhere/hive.toml")]).unwrap_err();
        assert!(error.starts_with("/nowhere/hive.toml: "), "{error}");
    }
}
