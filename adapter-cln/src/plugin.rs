//! The plugin: what lightningd is told of it, and the agent's life within it.

use crate::backend::{ClnBackend, ClnNode};
use crate::commands::{self, Door};
use crate::events::{Events, TOPICS};
use crate::input::Watched;
use crate::limits::STOP_PATIENCE;
use crate::logs;
use crate::options::{self, Given, Home};
use crate::output::{Answers, Level, LogLines};
use crate::version::{self, Judgement};
use cln_plugin::{Builder, ConfiguredPlugin, Plugin, RpcMethodBuilder};
use hive_node::clock::Clock;
use hive_node::config::Config;
use hive_node::control::ControlError;
use hive_node::{Agent, AgentError};
use hive_types::BootId;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::io::AsyncRead;
use tokio::sync::watch;

/// The variable by which lightningd tells plugins its version.
const VERSION_VARIABLE: &str = "LIGHTNINGD_VERSION";

/// Makes the clock of an agent for each boot of it.
pub type ClockFactory = Arc<dyn Fn(BootId) -> Arc<dyn Clock> + Send + Sync>;

/// What the handlers of commands and notifications share.
#[derive(Clone)]
struct State {
    events: Events,
    door: Arc<Mutex<Door>>,
    stop: watch::Sender<bool>,
    /// What the operator gave, as changed since.
    given: Arc<Mutex<Given>>,
    config: watch::Sender<Arc<Config>>,
    home: Arc<Home>,
    environment: Arc<BTreeMap<String, String>>,
}

/// A lock's value is whole after every statement.
fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

type Configured<R> = ConfiguredPlugin<State, Watched<R>, Answers>;

/// Runs the plugin until lightningd stops it or is gone.
pub(crate) async fn run<R>(
    input: R,
    (answers, lines): (Answers, LogLines),
    environment: BTreeMap<String, String>,
    clock: ClockFactory,
) -> ExitCode
where
    R: AsyncRead + Send + Unpin + 'static,
{
    let (ended, mut gone) = watch::channel(false);
    let built = build(Watched::new(input, ended), answers);
    let configured = match built.configure().await {
        Ok(Some(configured)) => configured,
        // lightningd --help wants the manifest alone.
        Ok(None) => return ExitCode::SUCCESS,
        Err(reason) => {
            lines.put(Level::Error, format!("no plugin handshake: {reason}"));
            lines.flush();
            return ExitCode::FAILURE;
        }
    };
    match prepare(&configured, environment, &lines) {
        Ok((state, config)) => live(configured, state, config, clock, &mut gone, &lines).await,
        Err(reason) => {
            // lightningd shows its reason for going on without the plugin to those who debug it only.
            lines.put(Level::Warn, format!("The Hive does not start: {reason}"));
            lines.flush();
            let told = configured.disable(&reason).await;
            lines.flush();
            told.map_or(ExitCode::FAILURE, |()| ExitCode::SUCCESS)
        }
    }
}

/// Options, commands and notifications, for the manifest.
fn build<R>(input: Watched<R>, answers: Answers) -> Builder<State, Watched<R>, Answers>
where
    R: AsyncRead + Send + Unpin + 'static,
{
    let mut builder = Builder::new(input, answers)
        .dynamic()
        .with_logging(false)
        .setconfig_callback(|plugin: Plugin<State>, params| async move {
            set(plugin.state(), &params)
                .map_err(|reason| answer_error("bad_option", &reason, "see the plugin's options"))
        })
        .subscribe("shutdown", |plugin: Plugin<State>, _| {
            plugin.state().stop.send_replace(true);
            async { Ok(()) }
        });
    for option in options::offered() {
        builder = builder.option(option.option());
    }
    for topic in TOPICS {
        builder = builder.subscribe(topic, move |plugin: Plugin<State>, params| {
            // Here and not in the future: futures of two notifications may run in any order.
            plugin.state().events.notify(topic, &params);
            async { Ok(()) }
        });
    }
    for rpc in commands::rpcs() {
        let handler = move |plugin: Plugin<State>, params: Value| async move {
            let door = held(&plugin.state().door).clone();
            let answer = commands::run(door, rpc.command, &params).await;
            answer.map_err(|error| cln_plugin::anyhow!(error))
        };
        let method = RpcMethodBuilder::new(rpc.name, handler)
            .description(rpc.about)
            .usage(&rpc.usage);
        builder = builder.rpcmethod_from_builder(method);
    }
    builder
}

fn answer_error(code: &str, reason: &str, what_to_do: &str) -> cln_plugin::Error {
    let error = ControlError::new(code, reason, what_to_do);
    cln_plugin::anyhow!(commands::failure(commands::INVALID_PARAMS, &error))
}

/// Everything that can be wrong before lightningd is told that the plugin runs.
fn prepare<R>(
    configured: &Configured<R>,
    environment: BTreeMap<String, String>,
    lines: &LogLines,
) -> Result<(State, watch::Receiver<Arc<Config>>), String>
where
    R: AsyncRead + Send + Unpin + 'static,
{
    if let Some(version) = environment.get(VERSION_VARIABLE) {
        match version::judge(version) {
            Judgement::Fine => {}
            Judgement::Untried(text) => lines.put(Level::Warn, text),
            Judgement::TooOld(reason) => return Err(reason),
        }
    }
    let home = Home::new(&configured.configuration());
    let given = options::given(|name| configured.option_str(name).ok().flatten());
    let config = options::load(&home, &environment, &given)?;
    match &config.log.file {
        Some(_) => hive_node::log::init(&config.log).map_err(|error| error.to_string())?,
        None => logs::install(&config.log.filter, lines.clone()),
    }
    let (config, changes) = watch::channel(Arc::new(config));
    let state = State {
        events: Events::new(),
        door: Arc::new(Mutex::new(Door::Starting)),
        stop: watch::Sender::new(false),
        given: Arc::new(Mutex::new(given)),
        config,
        home: Arc::new(home),
        environment: Arc::new(environment),
    };
    Ok((state, changes))
}

/// `setconfig`: checked as a whole before anything changes.
fn set(state: &State, params: &Value) -> Result<Value, String> {
    let name = params.get("config").and_then(Value::as_str);
    let name = name.ok_or_else(|| "no option is named".to_owned())?;
    let value = params.get("val").and_then(Value::as_str);
    let mut kept = held(&state.given);
    let given = options::changed(&kept, name, value)?;
    let config = options::load(&state.home, &state.environment, &given)?;
    *kept = given;
    state.config.send_replace(Arc::new(config));
    tracing::info!(option = name, "changed; the agent starts again with it");
    Ok(json!({}))
}

/// From the answer to `init` to the end.
async fn live<R>(
    configured: Configured<R>,
    state: State,
    config: watch::Receiver<Arc<Config>>,
    clock: ClockFactory,
    gone: &mut watch::Receiver<bool>,
    lines: &LogLines,
) -> ExitCode
where
    R: AsyncRead + Send + Unpin + 'static,
{
    let node = ClnNode {
        rpc_path: state.home.rpc.clone(),
        gossip_store: state.home.folder.join("gossip_store"),
    };
    let backend = Arc::new(ClnBackend::new(node, state.events.clone()));
    let plugin = match configured.start(state.clone()).await {
        Ok(plugin) => plugin,
        Err(reason) => {
            lines.put(Level::Error, format!("lightningd is gone: {reason}"));
            lines.flush();
            return ExitCode::FAILURE;
        }
    };
    let life = Life {
        backend,
        state: state.clone(),
        clock,
    };
    let mut living = tokio::spawn(life.run(config));
    let mut stop = state.stop.subscribe();
    // An error of either means that its sender is gone, which is the end too.
    tokio::select! {
        _ = stop.wait_for(|stop| *stop) => {}
        _ = gone.wait_for(|gone| *gone) => {}
        _ = plugin.join() => {}
    }
    state.stop.send_replace(true);
    let patience = Duration::from_millis(STOP_PATIENCE.get());
    if tokio::time::timeout(patience, &mut living).await.is_err() {
        lines.put(
            Level::Warn,
            "the agent takes too long to stop; leaving as it is".into(),
        );
    }
    lines.flush();
    ExitCode::SUCCESS
}

/// The agent, again and again: each change of options is a new start of it.
struct Life {
    backend: Arc<ClnBackend>,
    state: State,
    clock: ClockFactory,
}

impl Life {
    async fn run(self, mut configs: watch::Receiver<Arc<Config>>) {
        let mut stop = self.state.stop.subscribe();
        while !*stop.borrow() {
            let config = configs.borrow_and_update().clone();
            let mut until = configs.clone();
            let over = async {
                tokio::select! {
                    _ = stop.wait_for(|stop| *stop) => {}
                    _ = until.changed() => {}
                }
            };
            let mut over = Box::pin(over);
            self.enter(Door::Starting);
            let ended = tokio::select! {
                () = &mut over => continue,
                agent = self.start(&config) => match agent {
                    Ok(agent) => self.live(agent, &mut over).await,
                    Err(error) => Err(error),
                },
            };
            if let Err(reason) = ended {
                tracing::error!(%reason, "the agent does not run");
                self.enter(Door::Closed(reason));
                over.await;
            }
        }
        self.enter(Door::Closed("the plugin is stopping".into()));
    }

    async fn start(&self, config: &Config) -> Result<Agent, String> {
        let (backend, clock) = (self.backend.clone(), self.clock.clone());
        let agent = Agent::start(config, backend, |boot| clock(boot)).await;
        agent.map_err(|error: AgentError| error.to_string())
    }

    async fn live(&self, agent: Agent, over: impl Future<Output = ()>) -> Result<(), String> {
        self.state.events.begin_anew();
        self.enter(Door::Open(agent.calls()));
        let ended = agent.run(over).await;
        ended.map_err(|error| error.to_string())
    }

    fn enter(&self, door: Door) {
        *held(&self.state.door) = door;
    }
}

#[cfg(test)]
#[path = "plugin_tests.rs"]
mod tests;
