//! What the driver guarantees, against a scripted node and a scripted machine.
#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use hive_core::{Change, ChangeSet, Command, Done, Output};
use hive_node::backend::{ActError, BackendError, BackendEvent, Reconciled};
use hive_node::control::CommandName;
use hive_node::driver::DriverError;
use hive_types::Millis;
use hive_types::limits::{BACKEND_RETRY_MAX, OBSERVE_SPACING, OUTBOX_FRAMES, OUTBOX_LIFETIME};
use std::sync::Arc;
use support::{
    Seen, Setup, acting, done, eventually, id, meta, node, open_permit, permit, send, snapshot,
    stored,
};
use tokio::sync::Semaphore;

#[tokio::test]
async fn outputs_start_after_what_is_persisted_before_them() {
    let run = Setup::new().start(|id, _| {
        vec![
            meta("first", b"1"),
            send(2, b"a"),
            meta("second", b"2"),
            send(3, b"b"),
            done(id),
        ]
    });
    run.call(CommandName::HiveStatus).await.unwrap();
    let both = || run.node.seen().len() == 2;
    eventually("both frames go out", both).await;
    for seen in run.node.seen() {
        let Seen::Sent(to, _, names) = seen else {
            panic!("{seen:?}");
        };
        let needed = if to == node(2) { "first" } else { "second" };
        assert!(names.contains(&needed.to_owned()), "{names:?}");
    }
    run.stop().await.0.unwrap();
}

#[tokio::test]
async fn t64_nothing_happens_after_a_persist_that_failed() {
    let run = Setup::bounded(400_000).start(|id_, _| {
        vec![
            meta("fits", b"1"),
            meta("too_big", &[0; 1_000_000]),
            send(2, b"never"),
            Output::Connect {
                to: node(3),
                addresses: vec![],
            },
            acting(1),
            Output::Act {
                id: id(1),
                permit: permit(1),
            },
            meta("after", b"1"),
            done(id_),
        ]
    });
    let error = run.call(CommandName::HiveInit).await.unwrap_err();
    assert_eq!(error.code, "store_full");
    assert!(error.what_to_do.contains("free some space"), "{error}");
    // It stays up to say so, and the log can still be read.
    let error = run.call(CommandName::HiveStatus).await.unwrap_err();
    assert_eq!(error.code, "store_full");
    let log = run.call(CommandName::HiveLog).await.unwrap();
    assert_eq!(log["rows"], serde_json::json!([]));
    assert!(!run.inputs().iter().any(|input| input.contains("Status")));
    let (ended, node, store) = run.stop().await;
    assert!(matches!(ended, Err(DriverError::Store(_))), "{ended:?}");
    assert_eq!(node.seen(), []);
    let meta = store.load().unwrap().meta;
    assert_eq!(meta, [("fits".to_owned(), b"1".to_vec())]);
}

#[tokio::test]
async fn t09_a_dead_link_makes_nobody_wait() {
    let setup = Setup::new();
    let dead = node(2);
    setup.node.dead.lock().unwrap().insert(dead);
    let run = setup.start(|id, command| match command {
        Command::Status => {
            let many = (0..OUTBOX_FRAMES).map(|_| send(2, b"old"));
            let others = (3..9).map(|peer| send(peer, b"news"));
            many.chain(others).chain([done(id)]).collect()
        }
        _ => vec![send(2, b"fresh"), done(id)],
    });
    run.call(CommandName::HiveStatus).await.unwrap();
    for peer in 3..9 {
        let got = || run.node.sent_to(node(peer)) == [b"news"];
        eventually("the others get theirs", got).await;
    }
    assert!(run.node.sent_to(dead).is_empty());
    // The link comes back after its frames' time: what waited is gone, what is new goes out.
    run.node.dead.lock().unwrap().clear();
    run.clock.advance(OUTBOX_LIFETIME);
    run.call(CommandName::HiveMembers).await.unwrap();
    let fresh = || run.node.sent_to(dead) == [b"fresh"];
    eventually("the fresh frame alone goes out", fresh).await;
    run.stop().await.0.unwrap();
}

#[tokio::test]
async fn t09_what_waits_for_a_slow_link_is_bounded_and_in_order() {
    let setup = Setup::new();
    let (slow, link) = (node(2), Arc::new(Semaphore::new(0)));
    setup.node.slow.lock().unwrap().insert(slow, link.clone());
    let run = setup.start(|id, command| match command {
        Command::Status => {
            let numbers = (0..1_000u32).map(|number| send(2, &number.to_be_bytes()));
            numbers.chain([done(id)]).collect()
        }
        _ => vec![send(2, b"last"), done(id)],
    });
    run.call(CommandName::HiveStatus).await.unwrap();
    link.add_permits(2_000);
    let idle = || link.available_permits() < 2_000;
    eventually("the link takes frames", idle).await;
    // One frame may be under way besides those that wait.
    let drained = || run.node.sent_to(slow).len() >= OUTBOX_FRAMES;
    eventually("all that waited goes out", drained).await;
    run.call(CommandName::HiveMembers).await.unwrap();
    let last = || {
        run.node
            .sent_to(slow)
            .last()
            .is_some_and(|frame| frame == b"last")
    };
    eventually("new frames follow", last).await;
    let mut sent = run.node.sent_to(slow);
    sent.pop();
    assert!(
        (OUTBOX_FRAMES..=OUTBOX_FRAMES + 1).contains(&sent.len()),
        "{}",
        sent.len()
    );
    let numbers = (0u32..).map(|number| number.to_be_bytes().to_vec());
    assert!(numbers.zip(&sent).all(|(number, frame)| number == *frame));
    run.stop().await.0.unwrap();
}

#[tokio::test]
async fn actions_are_written_ahead() {
    let run = Setup::new().start(|id_, _| {
        let permit = permit(1);
        vec![acting(1), Output::Act { id: id(1), permit }, done(id_)]
    });
    run.call(CommandName::HiveStatus).await.unwrap();
    run.input("Completed").await;
    let expected = [Seen::Prepared(id(1)), Seen::Executed(id(1), true)];
    assert_eq!(run.node.seen(), expected);
    assert!(run.inputs().iter().any(|input| input.contains("Done(Set")));
    run.stop().await.0.unwrap();
}

#[tokio::test]
async fn an_action_that_is_not_stored_is_never_executed() {
    let run = Setup::new().start(|id_, _| {
        let permit = permit(1);
        vec![Output::Act { id: id(1), permit }, done(id_)]
    });
    run.call(CommandName::HiveStatus).await.unwrap();
    let prepared = || run.node.seen() == [Seen::Prepared(id(1))];
    eventually("it is prepared", prepared).await;
    let stopped = || run.store.failure().is_some();
    eventually("the driver stops", stopped).await;
    let (ended, node, _) = run.stop().await;
    assert!(matches!(ended, Err(DriverError::Store(_))), "{ended:?}");
    assert_eq!(node.seen(), [Seen::Prepared(id(1))]);
}

#[tokio::test]
async fn an_open_begins_only_while_its_lock_is_young() {
    let young = snapshot(&[]).height.plus(5);
    for (height, synced, begins) in [
        (young, true, true),
        (young, false, false),
        (young.plus(1), true, false),
    ] {
        let setup = Setup::new();
        {
            let mut node = setup.node.snapshot.lock().unwrap();
            (node.height, node.synced) = (height, synced);
        }
        let run = setup.start(|id_, _| {
            let permit = open_permit(1);
            vec![acting(1), Output::Act { id: id(1), permit }, done(id_)]
        });
        run.call(CommandName::HiveStatus).await.unwrap();
        run.input("Completed").await;
        let executed = run.node.seen().contains(&Seen::Executed(id(1), true));
        assert_eq!(executed, begins, "{height} {synced}");
        run.stop().await.0.unwrap();
    }
}

#[tokio::test]
async fn an_unknown_end_is_pursued_and_never_repeated() {
    let setup = Setup::new();
    let unknown = Err(ActError::Unknown {
        reason: "cut off".into(),
    });
    setup.node.executions.lock().unwrap().push_back(unknown);
    let answers = [
        Ok(Reconciled::Unknown),
        Err(BackendError::Unreachable("down".into())),
        Ok(Reconciled::Done(Done::Set { before: None })),
    ];
    setup.node.reconciliations.lock().unwrap().extend(answers);
    let run = setup.start(|id_, _| {
        let permit = permit(1);
        vec![acting(1), Output::Act { id: id(1), permit }, done(id_)]
    });
    run.call(CommandName::HiveStatus).await.unwrap();
    run.input("cut off").await;
    let asked = |count| {
        let seen = run.node.seen();
        seen.iter()
            .filter(|seen| **seen == Seen::Reconciled(id(1)))
            .count()
            >= count
    };
    for count in 1..=3 {
        eventually("the node is asked again", || {
            run.clock.advance(BACKEND_RETRY_MAX);
            asked(count)
        })
        .await;
    }
    run.input("Done(Set").await;
    let executed = |seen: &&Seen| matches!(seen, Seen::Executed(..));
    assert_eq!(run.node.seen().iter().filter(executed).count(), 1);
    run.stop().await.0.unwrap();
}

#[tokio::test]
async fn what_was_under_way_is_reconciled_before_anything_else() {
    let setup = Setup::new();
    let rows = [1, 2].map(|number| Change::Action(stored(number)));
    let changes = rows.into();
    setup.store.apply(&ChangeSet { changes }).unwrap();
    let prepared = support::policy_prepared();
    setup.store.prepare(id(2), &prepared).unwrap();
    let answers = [
        Err(BackendError::Unreachable("still starting".into())),
        Ok(Reconciled::Done(Done::Set { before: None })),
    ];
    setup.node.reconciliations.lock().unwrap().extend(answers);
    let run = setup.start(|id, _| vec![done(id)]);
    let asked = || run.node.seen() == [Seen::Reconciled(id(2))];
    eventually("the node is asked", asked).await;
    let early = run.call(CommandName::HiveStatus).await.unwrap_err();
    assert_eq!(early.code, "starting");
    assert!(early.message.contains("still starting"), "{early:?}");
    run.clock.advance(BACKEND_RETRY_MAX);
    run.input("Observed").await;
    run.call(CommandName::HiveStatus).await.unwrap();
    let inputs = run.inputs();
    assert!(
        inputs[0].contains("NotDone") && inputs[0].contains("before it began"),
        "{inputs:?}"
    );
    assert!(inputs[1].contains("Done(Set"), "{inputs:?}");
    assert_eq!(run.node.seen(), vec![Seen::Reconciled(id(2)); 2]);
    run.stop().await.0.unwrap();
}

#[tokio::test]
async fn a_node_that_may_not_tell_what_became_of_an_action_does_not_lock_its_operator_out() {
    let setup = Setup::new();
    let changes = [Change::Action(stored(1))].into();
    setup.store.apply(&ChangeSet { changes }).unwrap();
    let prepared = support::policy_prepared();
    setup.store.prepare(id(1), &prepared).unwrap();
    let denied = || Err(BackendError::Denied("bake a wider macaroon".into()));
    let told = Ok(Reconciled::Done(Done::Set { before: None }));
    let answers = [denied(), denied(), told];
    setup.node.reconciliations.lock().unwrap().extend(answers);
    let run = setup.start(|id, _| vec![done(id)]);
    run.input("Observed").await;
    run.call(CommandName::HiveStatus).await.unwrap();
    let inputs = run.inputs();
    assert!(
        inputs[0].contains("Unknown") && inputs[0].contains("a wider macaroon"),
        "{inputs:?}"
    );
    eventually("the operator widens it", || {
        run.clock.advance(BACKEND_RETRY_MAX);
        run.inputs().iter().any(|input| input.contains("Done(Set"))
    })
    .await;
    run.stop().await.0.unwrap();
}

#[tokio::test]
async fn links_whose_events_were_missed_are_found_by_reading() {
    let setup = Setup::new();
    *setup.node.snapshot.lock().unwrap() = snapshot(&[2, 3]);
    let run = setup.start(|id, _| vec![done(id)]);
    run.input("Observed").await;
    let peers = |run: &support::Run| {
        let inputs = run.inputs();
        let about = inputs.iter().filter(|input| input.starts_with("Peer"));
        about
            .map(|input| input.split(", features").next().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    let connected = |number: u8| format!("PeerConnected {{ peer: {:?}", node(number));
    let gone = |number: u8| format!("PeerDisconnected {{ peer: {:?} }}", node(number));
    let mut expected = vec![connected(2), connected(3)];
    assert_eq!(peers(&run), expected);
    run.node
        .event(BackendEvent::PeerDisconnected { peer: node(2) });
    expected.push(gone(2));
    eventually("the event comes through", || peers(&run) == expected).await;
    // The streams break; meanwhile 3 goes and 4 comes.
    *run.node.snapshot.lock().unwrap() = snapshot(&[4]);
    run.node.event(BackendEvent::Restarted);
    expected.extend([connected(4), gone(3)]);
    eventually("the reading shows what was missed", || {
        run.clock.advance(OBSERVE_SPACING);
        peers(&run) == expected
    })
    .await;
    run.stop().await.0.unwrap();
}

#[tokio::test]
async fn messages_signatures_and_dials_come_and_go() {
    let setup = Setup::new();
    setup.node.dead.lock().unwrap().insert(node(5));
    let run = setup.start(|id, _| {
        let dial = || Output::Connect {
            to: node(5),
            addresses: vec!["127.0.0.1:9735".into()],
        };
        let sign = |text: &str| Output::SignWithNode { text: text.into() };
        vec![dial(), dial(), sign("text"), sign("refuse"), done(id)]
    });
    run.call(CommandName::HiveStatus).await.unwrap();
    run.input("Ok(\"signed text\")").await;
    run.input("the node refused: no").await;
    run.node.event(BackendEvent::Message {
        from: node(7),
        bytes: vec![0xbe, 0xe1],
    });
    run.input("bytes: [190, 225]").await;
    let dials = run.node.seen();
    assert_eq!(dials, [Seen::Connected(node(5))], "one dial at a time");
    run.clock.advance(Millis::from_secs(1));
    run.stop().await.0.unwrap();
}
