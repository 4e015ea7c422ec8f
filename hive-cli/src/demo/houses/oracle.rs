//! An oracle that is dead, and one at whose address somebody else answers.

use super::impostor::{Answer, Asked, Impostor};
use super::{Dweller, Findings, House, Street};
use crate::demo::report::Trials;
use crate::demo::setting::{self, Wishes};
use crate::demo::stage::Stage;
use crate::demo::trials::pending;
use crate::failure::Failure;
use hive_core::ActionState;
use hive_node::config::OracleConfig;
use hive_node::control::CommandName as C;
use hive_policy::signature::Secret;
use hive_policy::{LimitSettings, Mode};
use hive_types::{Action, ActionId, Millis, NodeId, Sat};
use serde_json::json;
use std::collections::BTreeSet;
use std::net::TcpListener;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Capacity of every channel that is proposed.
const CHANNEL: Sat = Sat::new(1_000_000);

/// What the node has on chain: no proposal fails for want of money.
const WALLET: Sat = Sat::new(40_000_000);

/// Channels that the node may plan beyond what is asked about.
const SPARE: u32 = 3;

/// Time in which an approval has long come to a funding.
const SETTLING: Millis = Millis::from_secs(600);

/// What a dead oracle does.
const DEAD: [Answer; 3] = [Answer::Hangs, Answer::HangsUp, Answer::Breaks];

/// What a lying one does, beside the truth at first. The truth shows that a yes is taken.
const LIES: [Answer; 9] = [
    Answer::Approves,
    Answer::Replayed,
    Answer::OtherSecret,
    Answer::Unsigned,
    Answer::OtherNonce,
    Answer::Larger,
    Answer::Prose,
    Answer::Redirects,
    Answer::Huge,
];

/// One node that asks a server that never answers as it should.
pub(super) fn dead(street: &Street<'_>) -> Result<Option<Findings>, Failure> {
    ask(street, "hugo", &DEAD, async |stage, trials, asked| {
        let seen = Seen::now(stage, asked).await?;
        let (name, count) = (&stage.members[0].name, seen.answers.len());
        let left_alone = seen.is_left_alone(count) && seen.funded.is_empty() && seen.permits == 0;
        let by_hand = approve_one(stage).await;
        let held = count >= DEAD.len() && left_alone && by_hand == 1;
        let how = format!(
            "{name} asked {count} times and heard nothing, a hang-up and an error: {} of {count} wait for the operator, {} channels; then the operator approved one: {by_hand} channel",
            seen.waiting.len(),
            seen.funded.len(),
        );
        trials.end("dead_oracle", held, how);
        Ok(())
    })
}

/// One node that asks a server where somebody else answers.
pub(super) fn lying(street: &Street<'_>) -> Result<Option<Findings>, Failure> {
    ask(street, "igor", &LIES, async |stage, trials, asked| {
        let seen = Seen::now(stage, asked).await?;
        let (name, count) = (&stage.members[0].name, seen.answers.len());
        let approved = seen.answered(Answer::Approves);
        let opened = opened(stage, &approved)?;
        let only_approved = approved.len() == 1 && opened.len() == 1 && opened == seen.funded;
        let lies = count.saturating_sub(approved.len());
        let held = count >= LIES.len() && only_approved && seen.is_left_alone(lies);
        let how = format!(
            "{name} asked {count} times: one honest yes, {lies} forged, replayed, inflated or meaningless ones; {} wait for the operator, {} channel, by the honest yes",
            seen.waiting.len(),
            seen.funded.len(),
        );
        trials.end("lying_oracle", held, how);
        Ok(())
    })
}

/// A node in oracle mode whose limits would allow all that it plans, and a server at its oracle's address.
fn ask(
    street: &Street<'_>,
    name: &'static str,
    answers: &[Answer],
    look: impl AsyncFnOnce(&mut Stage, &mut Trials, &Mutex<Asked>) -> Result<(), Failure>,
) -> Result<Option<Findings>, Failure> {
    let (world, node, graph) = setting::lone_node(name, street.seed, WALLET)?;
    let listener = TcpListener::bind(("127.0.0.1", 0))?;
    listener.set_nonblocking(true)?;
    let secret = Secret::new(setting::seed_of("oracle", street.seed).to_vec());
    let secret = secret.map_err(|error| Failure::Internal(error.to_string()))?;
    let endpoint = format!("http://{}/decide", listener.local_addr()?).parse();
    let endpoint = endpoint.map_err(|error| Failure::Internal(format!("{error}")))?;
    let slots = u32::try_from(answers.len())
        .unwrap_or(u32::MAX)
        .saturating_add(SPARE);
    let mut wishes = Wishes::usual(&graph);
    wishes.capital = Sat::new(CHANNEL.get() * u64::from(slots));
    wishes.slots = slots;
    wishes.limits = LimitSettings {
        capital_per_day: wishes.capital,
        opens_per_day: slots,
        channel_min: CHANNEL,
        // So that twice the amount would be within the limits.
        channel_max: Sat::new(2 * CHANNEL.get()),
        ..wishes.limits
    };
    wishes.mode = Mode::Oracle;
    wishes.oracle = Some(OracleConfig {
        endpoint,
        secret: secret.clone(),
    });
    let dweller = Dweller { name, node, wishes };
    House::new(street, world, &[dweller])?.play(async |stage, trials| {
        let (server, asked) = Impostor::new(listener, secret, answers.to_vec())?;
        let server = tokio::spawn(server.serve());
        let text = format!("-- {name} asks an oracle at whose address somebody else answers");
        stage.story.tell(&text);
        stage.found(0).await?;
        let all_asked = async || held(&asked).answered.len() >= answers.len();
        stage.until(Millis::from_hours(2), all_asked).await;
        stage.pause(SETTLING).await;
        let looked = look(stage, trials, &asked).await;
        server.abort();
        looked
    })
}

/// What became of the questions.
struct Seen {
    answers: Vec<(ActionId, Answer)>,
    genuine: usize,
    /// Proposals that wait for the operator.
    waiting: BTreeSet<ActionId>,
    /// Channels that the node funded.
    funded: BTreeSet<NodeId>,
    /// Lines of the audit log that say that the operator decides.
    fallbacks: usize,
    /// Permits in the audit log.
    permits: usize,
}

impl Seen {
    async fn now(stage: &Stage, asked: &Mutex<Asked>) -> Result<Self, Failure> {
        let member = &stage.members[0];
        let waiting = pending(member).await.into_values().collect();
        let rows = match member.store() {
            Some(store) => store.audit(1_000)?,
            None => Vec::new(),
        };
        let about = |subject: &str| {
            rows.iter()
                .filter(|row| row.entry.subject == subject)
                .count()
        };
        let (fallbacks, permits) = (about("oracle"), about("permit"));
        let funded = {
            let world = stage.ground.world();
            let own = world
                .fundings()
                .iter()
                .filter(|one| one.opener == member.node);
            own.map(|one| one.target).collect()
        };
        let asked = held(asked);
        Ok(Self {
            answers: asked.answered.clone(),
            genuine: asked.genuine,
            waiting,
            funded,
            fallbacks,
            permits,
        })
    }

    /// Actions whose question was answered so.
    fn answered(&self, answer: Answer) -> BTreeSet<ActionId> {
        let answers = self.answers.iter().filter(|(_, given)| *given == answer);
        answers.map(|(id, _)| *id).collect()
    }

    /// Whether so many questions came signed and came to nothing: each of them waits for the operator,
    /// and the log says so.
    fn is_left_alone(&self, count: usize) -> bool {
        let approved = self.answered(Answer::Approves);
        let mut others = self.answers.iter().filter(|(id, _)| !approved.contains(id));
        let all_wait = others.all(|(id, _)| self.waiting.contains(id));
        all_wait && self.fallbacks == count && self.genuine == self.answers.len()
    }
}

/// The operator approves one of those that wait; channels that come of it.
async fn approve_one(stage: &Stage) -> usize {
    let waiting = pending(&stage.members[0]).await;
    let Some((target, id)) = waiting.into_iter().next() else {
        return 0;
    };
    let params = json!({"id": id.to_string()});
    // Refused or not: the chain tells.
    let _ = stage.members[0].call(C::HiveApprove, params).await;
    let is_open = async || stage.funded(0) > 0;
    stage.until(SETTLING, is_open).await;
    stage.funded_to(0, &target)
}

/// Targets of actions of the store that are done.
fn opened(stage: &Stage, ids: &BTreeSet<ActionId>) -> Result<BTreeSet<NodeId>, Failure> {
    let Some(store) = stage.members[0].store() else {
        return Ok(BTreeSet::new());
    };
    let actions = store.load()?.actions.into_iter();
    let done = actions.filter(|one| ids.contains(&one.id) && one.state == ActionState::Done);
    let targets = done.filter_map(|one| match one.action() {
        Action::Open(open) => Some(open.target),
        _ => None,
    });
    Ok(targets.collect())
}

/// Whole after every statement.
fn held(asked: &Mutex<Asked>) -> MutexGuard<'_, Asked> {
    asked.lock().unwrap_or_else(PoisonError::into_inner)
}
