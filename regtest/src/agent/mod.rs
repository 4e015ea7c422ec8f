//! The agent beside a node, as a process of its own: adapter-lnd beside LND, adapter-cln as lightningd's
//! plugin. Both run the adapters' own code; only the clock is the harness's.

mod clock;
mod fleet;

pub(crate) use clock::SPEED;
pub use clock::SharedClock;

use crate::failure::{Context, Outcome, ensure, wrong};
use crate::node::Lnd;
use crate::process::{Service, memory_kib, tail};
use crate::roles::{self, Script, pid_file};
use crate::wait;
use crate::world::World;
use hive_core::Reply;
use hive_node::control::{Client, CommandName};
use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The folder of an agent's store within its node's: what adapter-cln takes by itself.
const FOLDER: &str = "hive";

/// An agent beside a node, running or not.
#[derive(Debug)]
pub struct Agent {
    name: String,
    /// Of its store and its socket.
    folder: PathBuf,
    log: PathBuf,
    environment: BTreeMap<String, String>,
    script: PathBuf,
    /// Beside LND; a plugin is lightningd's child.
    running: Option<Service>,
}

impl Agent {
    /// Its name in this run, such as `lnd0's agent`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The folder of its store.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Its control socket.
    pub fn socket(&self) -> PathBuf {
        self.folder.join(hive_node::config::SOCKET_FILE_NAME)
    }

    /// Its log. A plugin's is its node's.
    pub fn log(&self) -> &Path {
        &self.log
    }

    /// The end of its log.
    pub fn tail(&self, lines: usize) -> String {
        tail(&self.log, lines)
    }

    /// Its process id, while it runs.
    pub fn process(&self) -> Option<u32> {
        let pid = self.pid()?;
        test_kill_process(pid).ok()?;
        u32::try_from(pid.as_raw_pid()).ok()
    }

    /// Its resident memory in KiB, while it runs.
    pub fn memory_kib(&self) -> Option<u64> {
        memory_kib(self.process()?)
    }

    fn pid(&self) -> Option<Pid> {
        let text = fs::read_to_string(pid_file(&self.script)).ok()?;
        Pid::from_raw(text.trim().parse().ok()?)
    }
}

/// Agents beside the world's nodes.
impl World {
    /// Puts an agent beside a node and starts it; `settings` are as in `hive.toml`, `limits.channel_max` say.
    ///
    /// # Errors
    /// When it does not come up.
    pub fn agent(&mut self, place: usize, settings: &[(&str, &str)]) -> Outcome {
        let node = self.node(place);
        let mut environment: BTreeMap<String, String> = settings
            .iter()
            .map(|(name, value)| (variable(name), (*value).to_owned()))
            .collect();
        let (folder, log) = match (node.as_lnd(), node.as_cln()) {
            (Some(lnd), _) => {
                let folder = node.folder().join(FOLDER);
                fs::create_dir_all(&folder).during(folder.display())?;
                self.beside_lnd(lnd, &folder, &mut environment)?;
                let log = node.folder().join("agent.log");
                (folder, log)
            }
            (None, Some(cln)) => (cln.network_folder().join(FOLDER), node.log()),
            (None, None) => return wrong("a node of neither kind"),
        };
        let agent = Agent {
            name: format!("{}'s agent", node.name()),
            script: node.folder().join("hive-agent"),
            folder,
            log,
            environment,
            running: None,
        };
        self.agents.insert(place, agent);
        self.start_agent(place)
    }

    /// What the agent beside an LND needs: LND's place and a macaroon of its own, baked with the permissions
    /// that the adapter itself asks for.
    fn beside_lnd(
        &self,
        lnd: &Lnd,
        folder: &Path,
        environment: &mut BTreeMap<String, String>,
    ) -> Outcome {
        let macaroon = folder.join("hive.macaroon");
        if !environment.contains_key(&variable("lnd.macaroon")) {
            lnd.bake(&self.permissions("autonomous")?, &macaroon)?;
        }
        let own = [
            ("data_dir", folder.display().to_string()),
            ("lnd.host", lnd.grpc()),
            ("lnd.cert", lnd.certificate().display().to_string()),
            ("lnd.macaroon", macaroon.display().to_string()),
        ];
        for (name, value) in own {
            environment.entry(variable(name)).or_insert(value);
        }
        Ok(())
    }

    /// The permissions of `adapter-lnd macaroon --mode <mode>`.
    ///
    /// # Errors
    /// When it names none.
    pub fn permissions(&self, mode: &str) -> Outcome<Vec<String>> {
        let clock = self.clock.to_string();
        let output = Command::new(&self.tools().own)
            .args([roles::LND_AGENT, &clock, "macaroon", "--mode", mode])
            .env_remove(SPEED)
            .env_remove(crate::tools::CACHE)
            .output()
            .during("adapter-lnd macaroon")?;
        let said = String::from_utf8_lossy(&output.stdout);
        let words = said.split_whitespace();
        let named: Vec<String> = words
            .filter(|word| word.starts_with("uri:/"))
            .map(str::to_owned)
            .collect();
        ensure(!named.is_empty(), || {
            format!(
                "no permissions: {said}{}",
                String::from_utf8_lossy(&output.stderr)
            )
        })?;
        Ok(named)
    }

    /// Starts the agent beside a node, and waits until it answers commands.
    ///
    /// # Errors
    /// When it does not come up.
    pub fn start_agent(&mut self, place: usize) -> Outcome {
        self.launch_agent(place)?;
        self.agent_answers(place)
    }

    /// As [`World::start_agent`], without waiting.
    ///
    /// # Errors
    /// When it can't be run.
    pub fn launch_agent(&mut self, place: usize) -> Outcome {
        let clock = self.clock.to_string();
        let (program, guard) = (self.tools().own.clone(), self.guard().clone());
        let is_lnd = self.node(place).as_lnd().is_some();
        let agent = self.agents.get_mut(&place).during("an agent")?;
        let role = if is_lnd {
            roles::LND_AGENT
        } else {
            roles::CLN_AGENT
        };
        let script = Script {
            program: &program,
            role: &[role, &clock],
            environment: &agent.environment,
        };
        script.write(&agent.script)?;
        if is_lnd {
            let mut command = Command::new(&agent.script);
            agent.running = Some(Service::start(
                &guard,
                &agent.name,
                &mut command,
                &agent.log,
            )?);
            return Ok(());
        }
        let script = agent.script.display().to_string();
        let node = self.node_mut(place);
        // As a line `plugin=` would: it comes back with the node.
        node.set_plugin(Some(&script));
        let params = json!({"subcommand": "start", "plugin": script});
        node.request("plugin", &params).map(drop)
    }

    /// Waits until the agent beside a node answers commands.
    ///
    /// # Errors
    /// When it does not, or its process has ended.
    pub fn agent_answers(&mut self, place: usize) -> Outcome {
        let name = self.agents.get(&place).during("an agent")?.name.clone();
        wait::until(format!("{name} answers"), || {
            let agent = self.agents.get_mut(&place).during("an agent")?;
            if let Some(Err(ended)) = agent.running.as_mut().map(Service::alive) {
                return Ok(Err(ended));
            }
            self.status(place).map(|_| Ok(()))
        })?
    }

    /// How fast the agents' clocks run.
    pub fn speed(&self) -> u32 {
        self.clock.speed()
    }

    /// Starts all agents again with faster clocks, or slower ones.
    ///
    /// # Errors
    /// When one does not come back.
    pub fn hasten(&mut self, speed: u32) -> Outcome {
        let places: Vec<usize> = self.agents.keys().copied().collect();
        for &place in &places {
            self.stop_agent(place)?;
        }
        self.clock = self.clock.at_speed(speed);
        for place in places {
            self.start_agent(place)?;
        }
        Ok(())
    }

    /// Waits until the agent beside an LND has ended by itself, and gives its exit status.
    ///
    /// # Errors
    /// When it goes on, or runs in lightningd's hands.
    pub fn agent_ends(&mut self, place: usize) -> Outcome<Option<i32>> {
        let agent = self.agents.get_mut(&place).during("an agent")?;
        let mut running = agent.running.take().during("an agent of its own")?;
        running.wait()
    }

    /// Stops an agent in order.
    ///
    /// # Errors
    /// When it had to be killed.
    pub fn stop_agent(&mut self, place: usize) -> Outcome {
        let agent = self.agents.get_mut(&place).during("an agent")?;
        if let Some(running) = agent.running.take() {
            return running.stop();
        }
        if agent.process().is_none() {
            return Ok(());
        }
        let (name, script) = (agent.name.clone(), agent.script.display().to_string());
        let node = self.node_mut(place);
        node.set_plugin(None);
        if node.process().is_some() {
            let params = json!({"subcommand": "stop", "plugin": script});
            node.request("plugin", &params)?;
        }
        self.gone(place, &name)
    }

    /// Kills an agent (SIGKILL). Its node goes on.
    ///
    /// # Errors
    /// When it does not run.
    pub fn kill_agent(&mut self, place: usize) -> Outcome {
        let agent = self.agents.get_mut(&place).during("an agent")?;
        if let Some(running) = agent.running.take() {
            running.kill();
            return Ok(());
        }
        let pid = agent.pid().during("the agent's process")?;
        kill_process(pid, Signal::KILL).during("killing the agent")?;
        let name = agent.name.clone();
        self.gone(place, &name)
    }

    fn gone(&self, place: usize, name: &str) -> Outcome {
        wait::until(format!("{name} is gone"), || {
            let agent = self.agents.get(&place).during("an agent")?;
            match agent.process() {
                None => Ok(()),
                Some(process) => wrong(format!("process {process} runs")),
            }
        })
    }

    /// The agent beside a node.
    ///
    /// # Panics
    /// When there is none: a mistake in the scenario.
    pub fn agent_at(&self, place: usize) -> &Agent {
        let agent = self.agents.get(&place);
        agent.expect("a scenario names agents that it added")
    }

    /// The agent of the same settings, to change them before it starts again.
    ///
    /// # Errors
    /// When there is none.
    pub fn set(&mut self, place: usize, name: &str, value: &str) -> Outcome {
        let agent = self.agents.get_mut(&place).during("an agent")?;
        agent.environment.insert(variable(name), value.to_owned());
        Ok(())
    }

    /// Takes a setting back.
    ///
    /// # Errors
    /// When there is no agent.
    pub fn unset(&mut self, place: usize, name: &str) -> Outcome {
        let agent = self.agents.get_mut(&place).during("an agent")?;
        agent.environment.remove(&variable(name));
        Ok(())
    }

    /// Gives an agent a command over its socket, as `hive` does, and returns the answer's JSON.
    ///
    /// # Errors
    /// What the agent says.
    pub fn call(&self, place: usize, command: CommandName, params: &Value) -> Outcome<Value> {
        let agent = self.agents.get(&place).during("an agent")?;
        let what = || format!("{} {command}", agent.name);
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .during(what())?;
        let answer = runtime.block_on(async {
            let mut client = Client::connect(&agent.socket()).await?;
            client.call(command, params).await
        });
        answer.during(what())
    }

    /// As [`World::call`], with the answer read.
    ///
    /// # Errors
    /// What the agent says.
    pub fn ask(&self, place: usize, command: CommandName, params: &Value) -> Outcome<Reply> {
        let answer = self.call(place, command, params)?;
        serde_json::from_value(answer).during(command)
    }
}

/// A setting's name in the environment.
fn variable(name: &str) -> String {
    format!("HIVE_{}", name.replace('.', "_").to_uppercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_have_names_that_the_configuration_knows() {
        let known: Vec<String> = hive_node::config::Config::keys()
            .iter()
            .map(|key| key.env())
            .collect();
        for name in [
            "data_dir",
            "lnd.host",
            "lnd.cert",
            "lnd.macaroon",
            "limits.channel_max",
        ] {
            assert!(known.contains(&variable(name)), "{name}");
        }
    }

    #[test]
    fn agents_without_process_are_not_running() {
        let folder = tempfile::tempdir().unwrap();
        let agent = Agent {
            name: "nobody".into(),
            folder: folder.path().into(),
            log: folder.path().join("log"),
            environment: BTreeMap::new(),
            script: folder.path().join("script"),
            running: None,
        };
        assert_eq!(agent.process(), None);
        fs::write(pid_file(&agent.script), format!("{}\n", std::process::id())).unwrap();
        assert_eq!(agent.process(), Some(std::process::id()));
        assert!(agent.memory_kib().is_some());
    }
}
