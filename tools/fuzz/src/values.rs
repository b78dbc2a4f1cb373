//! Messages that are read as values, plain or by serde, and types that are declared.

use std::{collections::BTreeMap, env, fmt::Debug, time::Duration};

use fastrand::Rng;
use laneway::{
    BoxReceiver, BoxSender, Channel, Endpoint, Fingerprint, OpenErrorKind, Receiver, ReceiverExt,
    RecvError, Sender, typed::Value,
};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use serde::{Deserialize, Serialize};

use crate::{
    corpus::{self, any},
    ring::Kind,
    target::{Outcome, Target},
};

/// The memory that this process may have: a length that somebody made up must not be believed.
const MEMORY: u64 = 4 << 30;

/// All that serde knows, more or less.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Shape {
    Nothing,
    One(u64),
    Pair(i128, f64),
    Named {
        text: String,
        bytes: Vec<u8>,
        numbers: Vec<u64>,
        letter: char,
        yes: bool,
    },
    Deep(Vec<Self>),
    Map(BTreeMap<String, Option<(i8, u16)>>),
    Maybe(Option<Box<Self>>),
    Time(Duration),
    Fixed([u32; 5], (u8, (), i64)),
    Result(Result<String, u32>),
}

/// Reads messages as values.
#[derive(Debug)]
pub(crate) struct Values {
    seeds: Vec<Vec<u8>>,
    live: Option<(BoxSender, BoxReceiver)>,
}

impl Values {
    pub(crate) fn new() -> Self {
        let (_, hard) = getrlimit(Resource::RLIMIT_AS).expect("a limit");
        // A sanitizer maps more than that.
        if env::var_os("ASAN_OPTIONS").is_none() && env::var_os("TSAN_OPTIONS").is_none() {
            setrlimit(Resource::RLIMIT_AS, MEMORY.min(hard), hard).expect("less is allowed");
        }
        let mut seeds = corpus::values();
        for shape in honest() {
            let mut bytes = Vec::new();
            shape.write(&mut bytes).expect("encodes");
            seeds.push(bytes);
        }
        Self { seeds, live: None }
    }
}

fn honest() -> Vec<Shape> {
    let text = || "é text".to_owned();
    vec![
        Shape::Nothing,
        Shape::One(u64::MAX),
        Shape::Pair(i128::MIN, f64::NAN),
        Shape::Named {
            text: text(),
            bytes: vec![1, 2, 3],
            numbers: vec![0, 1 << 40],
            letter: 'ß',
            yes: true,
        },
        Shape::Deep(vec![Shape::Nothing, Shape::Deep(vec![Shape::One(1)])]),
        Shape::Map(BTreeMap::from([
            (text(), Some((-1, 300))),
            (String::new(), None),
        ])),
        Shape::Maybe(Some(Box::new(Shape::Maybe(None)))),
        Shape::Time(Duration::from_millis(1500)),
        Shape::Fixed([1, 2, 3, 4, u32::MAX], (0, (), -1)),
        Shape::Result(Err(7)),
        Shape::Result(Ok(text())),
    ]
}

impl Target for Values {
    fn begin(&mut self, _: &mut Rng) {
        self.live = None;
        self.live = Some(Kind::Spsc.channel("").pair().expect("opens"));
    }

    fn input(&mut self, random: &mut Rng) -> Outcome {
        let mut bytes = any(random, &self.seeds);
        match random.u8(0..8) {
            0 => bytes = (0..random.usize(0..64)).map(|_| random.u8(..)).collect(),
            // A length or number that goes on and on.
            1 => {
                let at = random.usize(0..=bytes.len());
                bytes.splice(at..at, [0xff; 10].into_iter().take(random.usize(1..=10)));
            }
            _ => corpus::mutate(random, &mut bytes, |random| random.u8(..)),
        }
        bytes.truncate(400);
        let Some((mut tx, rx)) = self.live.take() else {
            return "not begun";
        };
        let (rx, outcome) = match random.u8(0..64) {
            0 => {
                self.live = Some((tx, rx));
                return agree(random);
            }
            1..16 => plain(random, &mut tx, rx, &bytes),
            16..32 => by_serde(&mut tx, rx, &bytes),
            _ => (rx, read(random, &bytes)),
        };
        self.live = Some((tx, rx));
        outcome
    }
}

/// Bytes that are a value are the same when they are read again.
fn same<T: Value + Debug>(bytes: &[u8]) -> Outcome {
    let Some(value) = T::read(bytes) else {
        return "no value";
    };
    let (mut once, mut twice) = (Vec::new(), Vec::new());
    value.write(&mut once).expect("encodes");
    let again = T::read(&once).expect("what was written is read");
    again.write(&mut twice).expect("encodes");
    assert_eq!(once, twice, "{value:?}");
    "a value"
}

fn read(random: &mut Rng, bytes: &[u8]) -> Outcome {
    match random.u8(0..8) {
        0 => same::<String>(bytes),
        1 => same::<Vec<String>>(bytes),
        2 => same::<(u8, u16, u32, u64, u128)>(bytes),
        3 => same::<BTreeMap<u32, Vec<char>>>(bytes),
        _ => same::<Shape>(bytes),
    }
}

/// A plain value takes messages of its own length, and leaves others.
fn plain(
    random: &mut Rng,
    tx: &mut BoxSender,
    rx: BoxReceiver,
    bytes: &[u8],
) -> (BoxReceiver, Outcome) {
    let bytes = if random.bool() {
        bytes.get(..12).unwrap_or(bytes)
    } else {
        bytes
    };
    tx.try_send(bytes).expect("there is room");
    let mut rx = rx.pod::<[u32; 3]>().expect("the same type each time");
    let outcome = match rx.try_recv() {
        Ok(value) => {
            let sent: Vec<u8> = value.iter().flat_map(|word| word.to_ne_bytes()).collect();
            assert_eq!(sent, bytes);
            "a plain value"
        }
        Err(RecvError::Mistyped { found }) => {
            assert!(found == bytes.len() && found != 12);
            "mistyped"
        }
        Err(error) => panic!("{error}"),
    };
    let mut rx = rx.into_inner();
    rx.consume();
    (rx, outcome)
}

/// A value of serde's, over a ring.
fn by_serde(tx: &mut BoxSender, rx: BoxReceiver, bytes: &[u8]) -> (BoxReceiver, Outcome) {
    tx.try_send(bytes).expect("there is room");
    let mut rx = rx;
    let found = rx.peek(laneway::Deadline::NOW).map(Shape::read);
    let outcome = match found.expect("there is a message") {
        Some(_) => "a value",
        None => "no value",
    };
    rx.consume();
    (rx, outcome)
}

/// Two ends agree if their types have one size and one alignment.
fn agree(random: &mut Rng) -> Outcome {
    let all = [
        (0, 0, Some(Fingerprint::UNTYPED)),
        of::<u8>(),
        of::<[u8; 4]>(),
        of::<u32>(),
        of::<f32>(),
        of::<u64>(),
        of::<[u32; 2]>(),
        of::<()>(),
        of::<[u8; 1 << 26]>(),
    ];
    let kind = *random.choice(&Kind::ALL).expect("one of all");
    let (mut tx, mut rx) = kind.channel("").pair().expect("opens");
    let [ours, theirs] = [(); 2].map(|()| *random.choice(&all).expect("one of all"));
    let (Some(our), Some(their)) = (ours.2, theirs.2) else {
        return "too large";
    };
    tx.agree(our).expect("the first to tell");
    match rx.agree(their) {
        Ok(()) => {
            assert_eq!(our, their);
            "agreed"
        }
        Err(error) => {
            assert_ne!(our, their, "{error}");
            assert!(
                matches!(error.kind, OpenErrorKind::Incompatible { .. }),
                "{error}"
            );
            "incompatible"
        }
    }
}

fn of<T>() -> (usize, usize, Option<Fingerprint>) {
    (size_of::<T>(), align_of::<T>(), Fingerprint::of::<T>())
}
