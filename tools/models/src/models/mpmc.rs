//! The ring of many producers and many consumers.

use loom::{sync::Arc, thread};

use crate::{
    models::Model,
    ring::{
        Memory, die_claiming,
        mpmc::{Ring, Stuck},
        pace::Pace,
        state::{NOBODY, SLOT},
    },
    sync::{AtomicU64, make_way},
    tally::TALLY,
};

const FILE: &str = "ring/mpmc.rs";

pub(super) const MODELS: &[Model] = &[
    Model::exhaustive("mpmc, one to one round the ring", FILE, one_to_one),
    Model::bounded("mpmc, what does not fit is skipped", FILE, 2, long_messages),
    Model::bounded("mpmc, the room of a long record", FILE, 2, given_back),
    Model::bounded(
        "mpmc, the room of a long record for two",
        FILE,
        3,
        handed_on,
    )
    .long(),
    Model::exhaustive("mpmc, two senders", FILE, two_senders),
    Model::exhaustive("mpmc, two receivers", FILE, two_receivers),
    Model::exhaustive("mpmc, two see to a dead sender", FILE, dead_sender),
    Model::exhaustive("mpmc, two see to a dead receiver", FILE, dead_receiver),
    Model::exhaustive(
        "mpmc, a newcomer with the number of the dead",
        FILE,
        newcomer,
    ),
    Model::bounded("mpmc, two senders and a receiver", FILE, 1, two_to_one),
    Model::bounded("mpmc, a sender and two receivers", FILE, 1, one_to_two),
    Model::exhaustive("mpmc, one to one from the start", FILE, from_the_start).long(),
    Model::exhaustive(
        "mpmc, records of one slot and of two",
        FILE,
        longer_messages,
    )
    .long(),
    Model::exhaustive(
        "mpmc, the room of a long record, every order",
        FILE,
        given_back,
    )
    .long(),
    Model::bounded(
        "mpmc, two senders and a receiver, longer",
        FILE,
        2,
        two_to_one,
    )
    .long(),
    Model::bounded(
        "mpmc, a sender and two receivers, longer",
        FILE,
        2,
        one_to_two,
    )
    .long(),
];

/// What the processes share.
struct Shared {
    tail: AtomicU64,
    head: AtomicU64,
    freed: AtomicU64,
    states: Vec<AtomicU64>,
    memory: Memory,
}

impl Shared {
    fn new(slots: usize) -> Arc<Self> {
        Arc::new(Self {
            tail: AtomicU64::new(0),
            head: AtomicU64::new(0),
            freed: AtomicU64::new(0),
            states: (0..slots).map(|_| AtomicU64::new(0)).collect(),
            memory: Memory::new(slots * SLOT, false),
        })
    }

    fn ring(&self) -> Ring<'_> {
        Ring {
            tail: &self.tail,
            head: &self.head,
            freed: &self.freed,
            states: &self.states,
            tally: &TALLY,
            data: self.memory.data(),
        }
    }
}

fn send(shared: &Shared, me: u16, message: &[u8]) {
    loop {
        match shared.ring().push(me, message) {
            Ok(()) => return,
            Err(Stuck::NotNow) => make_way(),
            Err(Stuck::Corrupt) => panic!("corrupt"),
        }
    }
}

/// Receives one if it is there.
fn try_receive(shared: &Shared, me: u16, pace: &mut Pace) -> Option<Vec<u8>> {
    match shared.ring().take(me, pace) {
        Ok(taken) => {
            let message = shared.ring().message(&taken).to_vec();
            shared.ring().finish(taken);
            Some(message)
        }
        Err(Stuck::NotNow) => None,
        Err(Stuck::Corrupt) => panic!("corrupt"),
    }
}

fn receive(shared: &Shared, me: u16, pace: &mut Pace) -> Vec<u8> {
    loop {
        match try_receive(shared, me, pace) {
            Some(message) => return message,
            None => make_way(),
        }
    }
}

/// Starts a sender of messages of these lengths, each filled with its number, of which the first `before` are sent before anybody
/// else is there. Then receives them.
///
/// Accepted: each message once, in order, whole.
fn stream(slots: usize, before: usize, lengths: &'static [usize]) {
    let shared = Shared::new(slots);
    let message = |n: usize| vec![u8::try_from(n).expect("few"); lengths[n]];
    (0..before).for_each(|n| send(&shared, 1, &message(n)));
    let other = Arc::clone(&shared);
    let sender = thread::spawn(move || {
        (before..lengths.len()).for_each(|n| send(&other, 1, &message(n)));
    });
    let mut pace = Pace::default();
    for n in 0..lengths.len() {
        assert_eq!(receive(&shared, 2, &mut pace), message(n));
    }
    sender.join().expect("no panic");
    assert_eq!(try_receive(&shared, 2, &mut pace), None);
}

fn one_to_one() {
    stream(2, 2, &[8, 8, 8]);
}

fn from_the_start() {
    stream(2, 0, &[8, 8, 8]);
}

/// One slot, two slots, then two where one is left: it is skipped, and the next lap meets words inside a record.
fn long_messages() {
    stream(4, 2, &[8, 65, 65]);
}

fn longer_messages() {
    stream(4, 2, &[8, 65, 65, 8]);
}

/// A record of two slots is finished, and its room given back by its receiver or by the sender: then both slots are filled anew.
///
/// Accepted: each message once, in order, whole.
fn given_back() {
    let shared = Shared::new(2);
    send(&shared, 1, &[1; 65]);
    let other = Arc::clone(&shared);
    let sender = thread::spawn(move || {
        send(&other, 1, &[2; 8]);
        send(&other, 1, &[3; 8]);
    });
    let mut pace = Pace::default();
    assert_eq!(receive(&shared, 2, &mut pace), [1; 65]);
    assert_eq!(recover(&shared, 2), None);
    assert_eq!(receive(&shared, 2, &mut pace), [2; 8]);
    assert_eq!(receive(&shared, 2, &mut pace), [3; 8]);
    sender.join().expect("no panic");
}

/// A record of two slots is finished and given back, and the slots are filled by two senders: the one whose place is inside the old
/// record hears of its end from the room or from the tail only.
///
/// Accepted: both messages, in either order.
fn handed_on() {
    let shared = Shared::new(2);
    send(&shared, 1, &[1; 65]);
    let other = Arc::clone(&shared);
    let sender = thread::spawn(move || send(&other, 3, &[3; 8]));
    assert_eq!(receive(&shared, 2, &mut Pace::default()), [1; 65]);
    assert_eq!(recover(&shared, 2), None);
    send(&shared, 2, &[2; 8]);
    sender.join().expect("no panic");
    let all = rest(&shared);
    assert!(all == [2, 3] || all == [3, 2], "{all:?}");
}

/// All that is left, without waiting.
fn rest(shared: &Shared) -> Vec<u8> {
    let mut pace = Pace::default();
    let mut all = Vec::new();
    while let Some(message) = try_receive(shared, 9, &mut pace) {
        assert!(
            message.iter().all(|&byte| byte == message[0]),
            "{message:?}"
        );
        all.push(message[0]);
    }
    all
}

/// Accepted: both messages, in either order.
fn two_senders() {
    let shared = Shared::new(2);
    let other = Arc::clone(&shared);
    let sender = thread::spawn(move || send(&other, 1, &[1; 8]));
    send(&shared, 2, &[2; 8]);
    sender.join().expect("no panic");
    let all = rest(&shared);
    assert!(all == [1, 2] || all == [2, 1], "{all:?}");
}

/// Accepted: each message at one of the two, once.
fn two_receivers() {
    let shared = Shared::new(2);
    send(&shared, 1, &[1; 8]);
    send(&shared, 1, &[2; 8]);
    let other = Arc::clone(&shared);
    let receiver = thread::spawn(move || receive(&other, 3, &mut Pace::default()));
    let mine = receive(&shared, 2, &mut Pace::default());
    let theirs = receiver.join().expect("no panic");
    let both = [mine[0], theirs[0]];
    assert!(both == [1, 2] || both == [2, 1], "{both:?}");
    // The room of both is there again.
    send(&shared, 1, &[3; 8]);
    send(&shared, 1, &[4; 8]);
    assert_eq!(rest(&shared), [3, 4]);
}

/// The owner that is dead.
const DEAD: u16 = 7;

fn recover(shared: &Shared, me: u16) -> Option<Vec<u8>> {
    let recovered = shared
        .ring()
        .recover(me, |owner| owner == DEAD || owner == NOBODY);
    recovered.expect("sound").map(|taken| {
        let message = shared.ring().message(&taken).to_vec();
        shared.ring().finish(taken);
        message
    })
}

/// Accepted: the claim of the dead is passed over, the message behind it arrives once, and all of the room comes back.
fn dead_sender() {
    let shared = Shared::new(2);
    // A record of two slots.
    die_claiming(shared.ring(), DEAD, 65);
    let other = Arc::clone(&shared);
    let helper = thread::spawn(move || {
        assert_eq!(recover(&other, 3), None);
    });
    assert_eq!(recover(&shared, 2), None);
    // Either has finished it, or is about to.
    send(&shared, 2, &[5; 8]);
    helper.join().expect("no panic");
    send(&shared, 2, &[6; 8]);
    assert_eq!(rest(&shared), [5, 6]);
}

/// Accepted: what the dead had taken comes once more, at one of the two.
fn dead_receiver() {
    let shared = Shared::new(2);
    send(&shared, 1, &[1; 8]);
    let taken = shared.ring().take(DEAD, &mut Pace::default());
    assert!(taken.is_ok());
    let other = Arc::clone(&shared);
    let helper = thread::spawn(move || recover(&other, 3));
    let mine = recover(&shared, 2);
    let theirs = helper.join().expect("no panic");
    assert!(mine.is_some() != theirs.is_some(), "{mine:?} {theirs:?}");
    assert_eq!(mine.or(theirs), Some(vec![1; 8]));
    send(&shared, 1, &[2; 8]);
    send(&shared, 1, &[3; 8]);
    assert_eq!(rest(&shared), [2, 3]);
}

/// Accepted: a newcomer disowns what the dead one with its number had taken while another goes on; it comes once more.
fn newcomer() {
    let shared = Shared::new(2);
    send(&shared, 1, &[1; 8]);
    assert!(shared.ring().take(DEAD, &mut Pace::default()).is_ok());
    let other = Arc::clone(&shared);
    let newcomer = thread::spawn(move || {
        other.ring().disown(DEAD).expect("sound");
    });
    // The number lives again, so this sees only what is nobody's.
    send(&shared, 1, &[2; 8]);
    assert_eq!(receive(&shared, 2, &mut Pace::default()), [2; 8]);
    newcomer.join().expect("no panic");
    let recovered = shared.ring().recover(2, |owner| owner == NOBODY);
    let taken = recovered.expect("sound").expect("it comes again");
    assert_eq!(shared.ring().message(&taken), [1; 8]);
    shared.ring().finish(taken);
}

/// Accepted: both messages, in either order.
fn two_to_one() {
    let shared = Shared::new(1);
    let senders = [1_u8, 2].map(|n| {
        let other = Arc::clone(&shared);
        thread::spawn(move || send(&other, n.into(), &[n; 8]))
    });
    let mut pace = Pace::default();
    let all = [(); 2].map(|()| receive(&shared, 3, &mut pace));
    assert!(
        all == [[1; 8], [2; 8]] || all == [[2; 8], [1; 8]],
        "{all:?}"
    );
    for sender in senders {
        sender.join().expect("no panic");
    }
}

/// Accepted: each message at one of the two, once.
fn one_to_two() {
    let shared = Shared::new(1);
    let receivers = [1_u16, 2].map(|me| {
        let other = Arc::clone(&shared);
        thread::spawn(move || receive(&other, me, &mut Pace::default()))
    });
    send(&shared, 3, &[1; 8]);
    send(&shared, 3, &[2; 8]);
    let all = receivers.map(|receiver| receiver.join().expect("no panic"));
    assert!(
        all == [[1; 8], [2; 8]] || all == [[2; 8], [1; 8]],
        "{all:?}"
    );
}
