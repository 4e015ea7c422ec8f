use super::*;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::sync::mpsc;

fn peer(number: u8) -> NodeId {
    let mut bytes = [number; 33];
    bytes[0] = 2;
    NodeId::from_bytes(bytes).unwrap()
}

fn message(from: u8, number: u32) -> BackendEvent {
    BackendEvent::Message {
        from: peer(from),
        bytes: number.to_be_bytes().into(),
    }
}

fn gone(number: u8) -> BackendEvent {
    BackendEvent::PeerDisconnected { peer: peer(number) }
}

fn view(number: u8) -> PeerView {
    PeerView {
        node_id: peer(number),
        features: vec![number],
    }
}

fn connected(number: u8, address: Option<&str>) -> BackendEvent {
    BackendEvent::PeerConnected {
        peer: peer(number),
        features: vec![number],
        address: address.map(str::to_owned),
    }
}

/// The next event of a queue in which no link waits for its features.
async fn next(queue: &EventQueue) -> BackendEvent {
    queue
        .next(async || panic!("nobody's features are asked for"))
        .await
}

fn is_empty(queue: &EventQueue) -> bool {
    queue.waiting().take().is_none()
}

#[tokio::test]
async fn t07_a_flood_is_dropped_counted_and_leaves_room() {
    let queue = EventQueue::default();
    for number in 0..10_000 {
        queue.push(message(1, number));
    }
    queue.push(message(2, 7));
    queue.push(gone(1));
    for number in 0..EVENTS_OF_A_PEER as u32 {
        assert_eq!(next(&queue).await, message(1, number));
    }
    assert_eq!(next(&queue).await, message(2, 7));
    assert_eq!(next(&queue).await, gone(1));
    assert_eq!(queue.dropped(), 10_000 - EVENTS_OF_A_PEER as u64);
    assert!(is_empty(&queue));
    assert!(queue.waiting().of_peer.is_empty());
    assert_eq!(queue.waiting().bytes, 0);
}

#[test]
fn t07_many_strangers_stay_within_bytes_and_number() {
    for (length, kept) in [(65_000, EVENT_BYTES / 65_000), (1, EVENT_QUEUE)] {
        let queue = EventQueue::default();
        for number in 0..=255 {
            for _ in 0..10 {
                queue.push(BackendEvent::Message {
                    from: peer(number),
                    bytes: vec![0; length],
                });
            }
        }
        assert_eq!(queue.waiting().queue.len(), kept);
        assert_eq!(queue.waiting().bytes, kept * length);
        assert_eq!(queue.dropped(), 2_560 - kept as u64);
    }
}

/// Links find a place beside a flood; beyond their own bound they become one reading.
#[tokio::test]
async fn links_beyond_the_bound_become_one_reading() {
    let queue = EventQueue::default();
    for number in 0..EVENT_QUEUE {
        queue.push(message((number % 200) as u8, 0));
    }
    for _ in 0..EVENT_QUEUE {
        queue.push(gone(1));
    }
    assert!(!queue.waiting().restarted);
    for _ in 0..EVENT_QUEUE {
        queue.push(gone(2));
        queue.push_linked(peer(2), None);
    }
    assert_eq!(queue.waiting().queue.len(), 2 * EVENT_QUEUE);
    assert_eq!(next(&queue).await, BackendEvent::Restarted);
    assert_eq!(next(&queue).await, message(0, 0));
}

#[tokio::test]
async fn of_news_the_newest_is_told_once() {
    let queue = EventQueue::default();
    for height in [5, 6] {
        queue.push(BackendEvent::Changed);
        queue.push(BackendEvent::GraphChanged);
        let height = BlockHeight::new(height);
        queue.push(BackendEvent::Block { height });
    }
    let height = BlockHeight::new(6);
    assert_eq!(next(&queue).await, BackendEvent::Block { height });
    assert_eq!(next(&queue).await, BackendEvent::Changed);
    assert_eq!(next(&queue).await, BackendEvent::GraphChanged);
    assert!(is_empty(&queue));
}

/// Who sends without end does not keep the node's own news from the agent, nor the other way around.
#[tokio::test]
async fn news_and_messages_take_turns() {
    let queue = EventQueue::default();
    for number in 0..10 {
        for _ in 0..3 {
            queue.push(message(1, number));
            queue.push(BackendEvent::Changed);
        }
        let two = [next(&queue).await, next(&queue).await];
        let news = two.iter().filter(|event| **event == BackendEvent::Changed);
        assert_eq!(news.count(), 1, "{two:?}");
    }
}

/// A hundred peers come at once: the node's list of peers is read once.
#[tokio::test]
async fn a_burst_of_links_is_one_reading() {
    let (queue, reads) = (EventQueue::default(), AtomicUsize::new(0));
    let peers = async || {
        reads.fetch_add(1, Ordering::SeqCst);
        // The last one is gone again.
        Ok((0..99).map(view).collect())
    };
    for number in 0..100 {
        queue.push_linked(peer(number), Some(format!("host:{number}")));
    }
    queue.push(gone(99));
    for number in 0..99 {
        let address = format!("host:{number}");
        assert_eq!(queue.next(peers).await, connected(number, Some(&address)));
    }
    assert_eq!(queue.next(peers).await, gone(99));
    assert_eq!(reads.load(Ordering::SeqCst), 1);
}

/// Who comes while the list is read may not be on it: it is read again for that one, and nobody is lost.
#[tokio::test]
async fn a_link_that_comes_during_a_reading_has_the_next_one() {
    let queue = Arc::new(EventQueue::default());
    let (began, mut begun) = mpsc::unbounded_channel();
    let (answers, list) = mpsc::unbounded_channel::<Vec<PeerView>>();
    let list = Arc::new(tokio::sync::Mutex::new(list));
    queue.push_linked(peer(1), None);
    queue.push_linked(peer(2), None);
    let taken = tokio::spawn({
        let queue = queue.clone();
        async move {
            let mut got = Vec::new();
            while got.len() < 3 {
                let (began, list) = (began.clone(), list.clone());
                let peers = move || {
                    let (began, list) = (began.clone(), list.clone());
                    async move {
                        began.send(()).unwrap();
                        Ok(list.lock().await.recv().await.unwrap())
                    }
                };
                got.push(queue.next(peers).await);
            }
            got
        }
    });
    begun.recv().await.unwrap();
    queue.push_linked(peer(3), None);
    queue.push_linked(peer(4), None);
    answers.send(vec![view(1), view(3)]).unwrap();
    begun.recv().await.unwrap();
    answers.send(vec![view(4)]).unwrap();
    // The second is gone; the third was on the first list already.
    let expected = [1, 3, 4].map(|number| connected(number, None));
    assert_eq!(taken.await.unwrap(), expected);
}

#[tokio::test]
async fn a_reading_that_fails_is_made_up_for_by_reading_everything() {
    let queue = EventQueue::default();
    queue.push_linked(peer(1), None);
    queue.push_linked(peer(2), None);
    queue.push(message(3, 1));
    let fails = async || Err(BackendError::Unreachable("away".into()));
    assert_eq!(queue.next(fails).await, BackendEvent::Restarted);
    assert_eq!(next(&queue).await, message(3, 1));
    assert!(is_empty(&queue));
}

/// Who stops waiting half way has taken nothing.
#[tokio::test]
async fn a_reading_that_is_given_up_loses_no_link() {
    let queue = EventQueue::default();
    queue.push_linked(peer(1), None);
    let never = || std::future::pending::<Result<Vec<PeerView>, BackendError>>();
    tokio::select! {
        biased;
        event = queue.next(never) => panic!("{event:?}"),
        () = tokio::task::yield_now() => {}
    }
    let peers = async || Ok(vec![view(1)]);
    assert_eq!(queue.next(peers).await, connected(1, None));
}
