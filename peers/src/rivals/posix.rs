//! POSIX message queues, with as many messages as the system allows, up to 8 MiB.

use nix::{
    errno::Errno,
    mqueue::{MQ_OFlag, MqAttr, MqdT, mq_open, mq_receive, mq_send, mq_unlink},
    sys::{
        resource::{RLIM_INFINITY, Resource, setrlimit},
        stat::Mode,
    },
};

use super::numbers;
use crate::{
    crowd::{self, Tally},
    isolated::not_run,
    nap,
    row::{Kind, Row, Wait, Work},
    slices::{Other, Reader, Slice, fill, stream},
    traces,
};

/// What one queue holds at most, by the kernel.
const MOST: usize = 65_536;

/// A queue and room for a message.
struct Queue {
    queue: MqdT,
    message: Vec<u8>,
}

impl Queue {
    /// Two handles to a new queue, which has no name any more.
    fn pair(kind: &str, size: usize) -> (Self, Self) {
        // What is larger than the default limits is for those who may.
        let _ = setrlimit(Resource::RLIMIT_MSGQUEUE, RLIM_INFINITY, RLIM_INFINITY);
        let name = format!("/{}", traces::name(kind));
        let ours = Self::create(&name, size);
        let theirs = mq_open(name.as_str(), MQ_OFlag::O_RDWR, Mode::empty(), None);
        mq_unlink(name.as_str()).expect("removes");
        let theirs = theirs.expect("opens");
        (Self::new(ours, size), Self::new(theirs, size))
    }

    fn new(queue: MqdT, size: usize) -> Self {
        let message = vec![0; size];
        Self { queue, message }
    }

    /// As large as may be.
    fn create(name: &str, size: usize) -> MqdT {
        let flags = MQ_OFlag::O_RDWR | MQ_OFlag::O_CREAT | MQ_OFlag::O_EXCL;
        let mode = Mode::S_IRUSR | Mode::S_IWUSR;
        let signed = |number: usize| i64::try_from(number).expect("small");
        let mut count = ((8 << 20) / size).min(MOST);
        loop {
            let attributes = MqAttr::new(0, signed(count), signed(size), 0);
            match mq_open(name, flags, mode, Some(&attributes)) {
                Ok(queue) => return queue,
                Err(Errno::EINVAL | Errno::EMFILE | Errno::ENOMEM) if count > 1 => count /= 2,
                Err(Errno::EINVAL) => not_run(format!(
                    "{size} B is more than fs.mqueue.msgsize_max: sysctl -w fs.mqueue.msgsize_max={size}"
                )),
                Err(Errno::ENOSYS) => not_run("this kernel has no POSIX message queues"),
                Err(error) => panic!("mq_open: {error}"),
            }
        }
    }

    fn send(&mut self, number: u64) {
        fill(&mut self.message, number);
        mq_send(&self.queue, &self.message, 0).expect("sends");
    }

    fn receive(&mut self) -> &[u8] {
        let len = mq_receive(&self.queue, &mut self.message, &mut 0).expect("receives");
        assert_eq!(len, self.message.len(), "cut short");
        &self.message
    }
}

fn copied(size: usize, slices: u32) -> Vec<Slice> {
    let (mut tx, mut rx) = Queue::pair("mq", size);
    let receive = move |reader: &mut Reader| reader.read(rx.receive());
    let send = |from, to| numbers(from, to).for_each(|number| tx.send(number));
    stream(Other::Process, slices, 1, send, receive)
}

fn pinged(size: usize, slices: u32) -> Vec<Slice> {
    let (mut there, mut their) = Queue::pair("mq.there", size);
    let (mut back, mut ours) = Queue::pair("mq.back", size);
    let ping = |number| {
        there.send(number);
        assert!(ours.receive().chunks(8).all(|w| w == number.to_ne_bytes()));
    };
    let pong = move || {
        let number = u64::from_ne_bytes(*their.receive().first_chunk().expect("a number"));
        back.send(number);
        number
    };
    nap::round_trip(slices, ping, pong)
}

/// Four to four. Each has forked, so all use the one handle.
fn crowded(size: usize, slices: u32) -> Vec<Slice> {
    let (ours, theirs) = Queue::pair("mq", size);
    let sender = || {
        let mut message = vec![0; size];
        let queue = &ours.queue;
        move |from, to| {
            for number in numbers(from, to) {
                fill(&mut message, number);
                mq_send(queue, &message, 0).expect("sends");
            }
        }
    };
    let receiver = || {
        let mut message = vec![0; size];
        let queue = &theirs.queue;
        move |tally: &mut Tally| {
            let len = mq_receive(queue, &mut message, &mut 0).expect("receives");
            tally.read(&message[..len]);
        }
    };
    crowd::run(Other::Process, slices, 1, sender, receiver)
}

pub(super) fn rows() -> Vec<Row> {
    let row = |work: Work, run: fn(usize, u32) -> Vec<Slice>| {
        Row::new(Kind::Rival, work, "posix mq", Wait::Kernel, move |n| {
            run(work.size(), n)
        })
    };
    vec![
        row(Work::Stream(64), copied),
        row(Work::Stream(1 << 10), copied),
        row(Work::Stream(64 << 10), copied),
        row(Work::Crowd(64), crowded),
        row(Work::Trip(8), pinged),
    ]
}
