//! Death after each machine instruction of one call: the victim is traced, stepped so far, and killed; then those who are left
//! must get what was sent, and go on.

use std::{
    fmt, io, thread,
    time::{Duration, Instant},
};

use laneway::{
    BoxReceiver, BoxSender, Channel, Deadline, Endpoint, Receiver, RecvError, Sender, crash_points,
    process::{Child, Process, inherited_receiver, inherited_sender},
};
use nix::{
    sys::{
        ptrace,
        signal::{Signal, raise},
        wait::{WaitStatus, waitpid},
    },
    unistd::Pid,
};

use crate::{
    case::Case,
    ledger::{DRAIN, Ledger, Page, Stage},
    member::{KEY, Part, Taking},
    message,
};

/// How long a message is; with it, the ring's end is met in the middle of one.
const LEN: usize = 300;
/// The bytes of the ring.
const CAPACITY: usize = 4 << 10;
/// Messages that pass after a death: more than twice as many as the ring holds.
const AFTER: u64 = 40;
/// How many problems are told of one call.
const TOLD: usize = 10;

/// Which call is stepped through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Call {
    Send,
    Receive,
    /// Peek and consume.
    Peek,
    /// A batch of three.
    SendBatch,
}

/// What the call finds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Found {
    /// Messages, and room.
    Plain,
    /// The end of the ring, where the message does not fit any more.
    End,
    /// A receiver that sleeps.
    Asleep,
    /// What one has left who died at this point.
    Dead(&'static str),
}

/// One call in one state, on one ring.
struct Scene<'a> {
    case: &'a Case,
    call: Call,
    found: Found,
}

impl fmt::Display for Scene<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { case, call, found } = self;
        let name = case.name();
        match found {
            Found::Dead(point) => write!(f, "{name} {call:?} after a death at {point}"),
            found => write!(f, "{name} {call:?} {found:?}"),
        }
    }
}

/// What one death showed.
struct Seen {
    /// The call had returned.
    returned: bool,
    /// The message of the victim was sent, or received for good.
    counted: bool,
}

/// What the deaths in one call showed.
struct Total {
    scene: String,
    tried: u64,
    instructions: u64,
    /// The instruction after which it counted.
    counted: Option<u64>,
    wrong: Vec<String>,
    took: Duration,
}

fn told(error: impl fmt::Display) -> String {
    error.to_string()
}

/// Steps through each call on each ring, and dies after every `stride`-th instruction; whether all was well.
pub(crate) fn run(cases: &[Case], ledger: &Ledger, stride: u64) -> bool {
    let stride = stride.max(1);
    println!("| call | instructions | deaths | counted after | seconds | problems |");
    println!("|---|---:|---:|---:|---:|---:|");
    let mut totals = Vec::new();
    for case in cases
        .iter()
        .filter(|case| case.scheme().starts_with("shm") && !case.named)
    {
        for (call, found) in scenes(case) {
            let total = step_through(&Scene { case, call, found }, ledger, stride);
            let counted = total.counted.map_or("–".to_owned(), |at| at.to_string());
            println!(
                "| {} | {} | {} | {counted} | {:.1} | {} |",
                total.scene,
                total.instructions,
                total.tried,
                total.took.as_secs_f64(),
                total.wrong.len()
            );
            for wrong in &total.wrong {
                println!("{wrong}");
            }
            totals.push(total);
        }
    }
    let deaths: u64 = totals.iter().map(|total| total.tried).sum();
    println!("{deaths} deaths in {} calls", totals.len());
    totals.iter().all(|total| total.wrong.is_empty())
}

/// The first thing that is wrong in any call on this ring.
pub(crate) fn first_wrong(case: &Case, ledger: &Ledger, stride: u64) -> Option<String> {
    scenes(case).into_iter().find_map(|(call, found)| {
        let total = step_through(&Scene { case, call, found }, ledger, stride);
        let wrong = total.wrong.into_iter().next()?;
        Some(format!("{}: {wrong}", total.scene))
    })
}

fn scenes(case: &Case) -> Vec<(Call, Found)> {
    let mut scenes = vec![
        (Call::Send, Found::Plain),
        (Call::Send, Found::End),
        (Call::Send, Found::Asleep),
        (Call::SendBatch, Found::Plain),
        (Call::Receive, Found::Plain),
        (Call::Receive, Found::End),
        (Call::Peek, Found::Plain),
    ];
    match case.scheme() {
        "shm+mpmc" => scenes.extend([
            (Call::Receive, Found::Dead("mpmc.claimed")),
            (Call::Receive, Found::Dead("mpmc.taken")),
            (Call::Send, Found::Dead("mpmc.claimed")),
        ]),
        "shm+lock" => scenes.extend([
            (Call::Receive, Found::Dead("locked.copied")),
            (Call::Send, Found::Dead("locked.published")),
        ]),
        _ => scenes.push((Call::Send, Found::Dead("spsc.shown"))),
    }
    if case.looks_by_itself() {
        scenes.retain(|(_, found)| *found != Found::Asleep);
    }
    scenes
}

fn step_through(scene: &Scene<'_>, ledger: &Ledger, stride: u64) -> Total {
    let start = Instant::now();
    let mut total = Total {
        scene: scene.to_string(),
        tried: 0,
        instructions: 0,
        counted: None,
        wrong: Vec::new(),
        took: Duration::ZERO,
    };
    let mut steps = 0;
    while total.wrong.len() < TOLD {
        total.tried += 1;
        total.instructions = steps;
        match die_after(scene, ledger, steps) {
            Ok(seen) => {
                if seen.counted {
                    total.counted.get_or_insert(steps);
                } else if let Some(at) = total.counted {
                    // Where the way through the call depends on the clock, it counts a little sooner or later.
                    if seen.returned || steps > at + 2000 {
                        total.wrong.push(format!(
                            "{steps} instructions: counted after {at}, and not now"
                        ));
                    }
                }
                if seen.returned {
                    break;
                }
            }
            Err(wrong) => total.wrong.push(format!("{steps} instructions: {wrong}")),
        }
        steps += stride;
    }
    total.took = start.elapsed();
    total
}

/// Sends the message with this number.
fn put(tx: &mut BoxSender, number: u64) -> Result<(), String> {
    let mut text = [0; LEN];
    message::write(1, number, &mut text);
    let sent = tx.send_by(&text, Deadline::after(Duration::from_secs(10)));
    sent.map_err(|error| format!("sending {number}: {error}"))
}

/// Receives a message, and tells its number.
fn get(rx: &mut BoxReceiver) -> Result<u64, String> {
    let mut buf = [0; LEN];
    let len = rx.recv_by(&mut buf, Deadline::after(Duration::from_secs(10)));
    let len = len.map_err(|error| format!("receiving: {error}"))?;
    match buf.get(..len).and_then(message::read) {
        Some((_, number)) => Ok(number),
        None => Err("a message is corrupt".to_owned()),
    }
}

/// The message of the victim that sends.
const ITS: u64 = 1000;
/// The message of one who sends and has died before the victim comes.
const DEAD: u64 = 500;

/// Makes the scene, has the victim die after so many instructions of its call, and looks what is left.
fn die_after(scene: &Scene<'_>, ledger: &Ledger, steps: u64) -> Result<Seen, String> {
    ledger.clear().map_err(told)?;
    // Who spins first goes the same way again and again.
    let keys = [
        ("capacity", CAPACITY.to_string()),
        ("wait", "park".to_owned()),
    ];
    let channel = scene.case.channel("", &keys);
    let (mut tx, mut rx) = channel.pair().map_err(told)?;
    if scene.found == Found::End {
        let size = if scene.case.scheme() == "shm+mpmc" {
            320
        } else {
            312
        };
        for number in 0..(CAPACITY / size) as u64 {
            put(&mut tx, number)?;
            get(&mut rx)?;
        }
    }
    let receives = matches!(scene.call, Call::Receive | Call::Peek);
    // What stands in the ring before the victim comes.
    let before = match scene.found {
        Found::Asleep => 0,
        Found::End if !receives => 0,
        // So that it is this one which the victim gets.
        Found::Dead("mpmc.taken") => 1,
        _ => 3,
    };
    // What the dead one has left stands in front of them.
    let late = receives && scene.found == Found::Dead("mpmc.claimed");
    if !late {
        (0..before).try_for_each(|number| put(&mut tx, number))?;
    }
    // Made before anybody dies: from the first on, the places of the dead are anybody's.
    let (next_tx, next_rx) = (tx.handoff().map_err(told)?, rx.handoff().map_err(told)?);
    let sleeper = match scene.found {
        Found::Asleep => Some(asleep(&rx, ledger)?),
        _ => None,
    };
    if let Found::Dead(point) = scene.found {
        die_at(point, &tx, &rx)?;
    }
    if late {
        (0..before).try_for_each(|number| put(&mut tx, number))?;
    }
    let page = ledger.page(1);
    let victim = start(scene.call, &tx, &rx, page.clone())?;
    let stopped = step(&victim, steps);
    victim.kill().map_err(told)?;
    victim.join().map_err(told)?;
    stopped?;
    if page.stage().map_err(told)? == Stage::Wrong {
        return Err(page.said().map_err(told)?);
    }
    let returned = page.stage().map_err(told)? == Stage::Done;
    // In place of the dead.
    drop(tx);
    let mut tx = channel.adopt_sender(next_tx).map_err(told)?;
    if let Some((child, page)) = sleeper {
        drop(rx);
        drop(next_rx);
        return survive_asleep(tx, &child, &page, ledger, returned);
    }
    let mut rx = if receives {
        drop(rx);
        channel.adopt_receiver(next_rx).map_err(told)?
    } else {
        drop(next_rx);
        rx
    };
    let first_after = 2000;
    put(&mut tx, first_after)?;
    let mut got = Vec::new();
    loop {
        let number = get(&mut rx)?;
        got.push(number);
        if number == first_after {
            break;
        }
    }
    // What comes back from a dead receiver comes to one that has nothing else to do, and until then its room is taken.
    loop {
        let mut buf = [0; LEN];
        match rx.recv_by(&mut buf, Deadline::after(Duration::from_millis(3))) {
            Ok(len) => {
                let read = buf.get(..len).and_then(message::read);
                got.push(read.ok_or("a message is corrupt")?.1);
            }
            Err(RecvError::Empty) => break,
            Err(error) => return Err(format!("in between: {error}")),
        }
    }
    for number in 1..AFTER {
        put(&mut tx, first_after + number)?;
        got.push(get(&mut rx)?);
    }
    drop(tx);
    loop {
        match rx.peek(Deadline::after(Duration::from_secs(10))) {
            Ok(message) => got.push(message::read(message).ok_or("a message is corrupt")?.1),
            Err(RecvError::Disconnected) => break,
            Err(error) => return Err(format!("at the end: {error}")),
        }
        rx.consume();
    }
    judge(scene, before, returned, got)
}

/// Whether what was received is what may be.
fn judge(scene: &Scene<'_>, before: u64, returned: bool, got: Vec<u64>) -> Result<Seen, String> {
    let receives = matches!(scene.call, Call::Receive | Call::Peek);
    let mut sorted = got.clone();
    sorted.sort_unstable();
    let doubled = sorted.windows(2).any(|pair| pair.first() == pair.last());
    let has = |number: u64| got.contains(&number);
    let all = (0..before).chain(2000..2000 + AFTER);
    let missing: Vec<u64> = all.filter(|&number| !has(number)).collect();
    let its = match scene.call {
        Call::SendBatch => ITS..ITS + 3,
        _ => ITS..ITS + 1,
    };
    let wrong = |what: &str| Err(format!("{what}, got {got:?}"));
    if doubled {
        return wrong("something came twice");
    }
    match scene.found {
        Found::Dead("spsc.shown" | "locked.published") if !has(DEAD) => {
            return wrong("what the one who died before had sent is lost");
        }
        Found::Dead("mpmc.claimed") if has(DEAD) => {
            return wrong("what the one who died before had not sent was received");
        }
        _ => {}
    }
    if !receives {
        if !missing.is_empty() {
            return wrong("what others sent is lost");
        }
        let counted = its.clone().filter(|&number| has(number)).count();
        let all = counted == its.clone().count();
        if returned && !all {
            return wrong("what was sent is lost");
        }
        // A batch is sent in order.
        if its.clone().skip(counted).any(has) {
            return wrong("a batch has a hole");
        }
        return Ok(Seen {
            returned,
            counted: all,
        });
    }
    match missing.as_slice() {
        [] if returned => wrong("what was received came again"),
        [] => Ok(Seen {
            returned,
            counted: false,
        }),
        // The victim had it.
        [_] => Ok(Seen {
            returned,
            counted: true,
        }),
        _ => wrong("more is lost than the victim had"),
    }
}

/// Starts the victim, which stops before its call and after it.
fn start(call: Call, tx: &BoxSender, rx: &BoxReceiver, page: Page) -> Result<Child, String> {
    let run = move || {
        let mut text = [[0; LEN]; 3];
        for (number, text) in (ITS..).zip(&mut text) {
            message::write(1, number, text);
        }
        let [first, ..] = &text;
        let all: Vec<&[u8]> = text.iter().map(<[u8; LEN]>::as_slice).collect();
        let mut buf = [0; LEN];
        let failed = |error: &dyn fmt::Display| page.say(Stage::Wrong, &error.to_string());
        match call {
            Call::Send | Call::SendBatch => {
                let mut tx = inherited_sender(KEY).expect("given");
                ptrace::traceme().expect("may be traced");
                raise(Signal::SIGSTOP).expect("stops");
                let sent = match call {
                    Call::Send => tx.send(first),
                    _ => tx.send_batch_by(&all, Deadline::NEVER).map(drop),
                };
                match sent {
                    Ok(()) => page.set_stage(Stage::Done),
                    Err(error) => failed(&error),
                }
            }
            Call::Receive | Call::Peek => {
                let mut rx = inherited_receiver(KEY).expect("given");
                ptrace::traceme().expect("may be traced");
                raise(Signal::SIGSTOP).expect("stops");
                let received = match call {
                    Call::Receive => rx.recv(&mut buf).map(drop),
                    _ => rx.peek(Deadline::NEVER).map(drop),
                };
                rx.consume();
                match received {
                    Ok(()) => page.set_stage(Stage::Done),
                    Err(error) => failed(&error),
                }
            }
        }
        .expect("writes to memory");
        raise(Signal::SIGSTOP).expect("stops");
    };
    let process = Process::fork(run).end_with_parent();
    let process = match call {
        Call::Send | Call::SendBatch => process.give(KEY, tx),
        Call::Receive | Call::Peek => process.give(KEY, rx),
    };
    process.map_err(told)?.start().map_err(told)
}

/// Steps so far, or until the call is over.
fn step(victim: &Child, steps: u64) -> Result<(), String> {
    let pid = Pid::from_raw(i32::try_from(victim.pid()).map_err(told)?);
    let mut stop = waitpid(pid, None).map_err(told)?;
    if stop != WaitStatus::Stopped(pid, Signal::SIGSTOP) {
        return Err(format!("the victim did not stop before its call: {stop:?}"));
    }
    for _ in 0..steps {
        ptrace::step(pid, None).map_err(told)?;
        stop = waitpid(pid, None).map_err(told)?;
        match stop {
            WaitStatus::Stopped(_, Signal::SIGTRAP) => {}
            WaitStatus::Stopped(_, Signal::SIGSTOP) => return Ok(()),
            other => return Err(format!("the victim did not go on: {other:?}")),
        }
    }
    Ok(())
}

/// Has somebody die at this point.
fn die_at(point: &'static str, tx: &BoxSender, rx: &BoxReceiver) -> Result<(), String> {
    let receives = matches!(point, "mpmc.taken" | "locked.copied");
    let process = Process::fork(move || {
        assert!(crash_points::die_at(point, 1), "{point}");
        if receives {
            let mut rx = inherited_receiver(KEY).expect("given");
            let _ = rx.recv(&mut [0; LEN]);
        } else {
            let mut tx = inherited_sender(KEY).expect("given");
            let mut text = [0; LEN];
            message::write(1, DEAD, &mut text);
            let _ = tx.send(&text);
        }
    });
    let given = match receives {
        true => process.give(KEY, rx),
        false => process.give(KEY, tx),
    };
    let child = given
        .map_err(told)?
        .end_with_parent()
        .start()
        .map_err(told)?;
    let status = child.join().map_err(told)?;
    if status.success() {
        return Err(format!("nobody came to {point}"));
    }
    Ok(())
}

/// Starts a receiver, and waits until it sleeps and would be woken by a death.
pub(crate) fn asleep(rx: &BoxReceiver, ledger: &Ledger) -> Result<(Child, Page), String> {
    let page = ledger.page(2);
    let part = Part {
        id: 2,
        page: page.clone(),
        seed: 1,
        address: None,
        longest: LEN,
        alike: true,
        taking: Taking::Receive,
        may_be_torn: false,
        holds: 0,
        armed: None,
    };
    let process = Process::fork(move || part.receive_patiently());
    let process = process.give(KEY, rx).map_err(told)?.end_with_parent();
    let child = process.start().map_err(told)?;
    let start = Instant::now();
    let watched = |pid: u32| -> io::Result<bool> {
        // Its thread that hears of deaths runs, and the first one sleeps on a futex.
        let threads = std::fs::read_dir(format!("/proc/{pid}/task"))?.count();
        let call = std::fs::read_to_string(format!("/proc/{pid}/syscall"))?;
        Ok(threads == 2 && call.starts_with("202 "))
    };
    while !watched(child.pid()).map_err(told)? {
        if start.elapsed() > Duration::from_secs(60) {
            return Err("the receiver does not fall asleep".to_owned());
        }
        thread::sleep(Duration::from_micros(500));
    }
    Ok((child, page))
}

/// The receiver that slept gets what was sent, what is sent from now on, and the end.
fn survive_asleep(
    mut tx: BoxSender,
    child: &Child,
    page: &Page,
    ledger: &Ledger,
    returned: bool,
) -> Result<Seen, String> {
    let wait = |what: &str, ready: &dyn Fn() -> io::Result<bool>| {
        let start = Instant::now();
        while !ready().map_err(told)? {
            if start.elapsed() > Duration::from_secs(10) {
                return Err(format!("hang: {what}"));
            }
            thread::sleep(Duration::from_micros(50));
        }
        Ok(())
    };
    if returned {
        wait("it sleeps, and there is a message", &|| {
            Ok(page.count()? > 0)
        })?;
    }
    put(&mut tx, 2000)?;
    wait("it sleeps, and another has sent", &|| {
        Ok(page
            .all_received()?
            .last()
            .is_some_and(|&(_, number)| number == 2000))
    })?;
    ledger.order(DRAIN).map_err(told)?;
    drop(tx);
    wait("it sleeps, and nobody is left", &|| {
        Ok(child.exit_status().is_some())
    })?;
    let got: Vec<u64> = page
        .all_received()
        .map_err(told)?
        .iter()
        .map(|&(_, number)| number)
        .collect();
    match got.as_slice() {
        [2000] if !returned => Ok(Seen {
            returned,
            counted: false,
        }),
        [ITS, 2000] => Ok(Seen {
            returned,
            counted: true,
        }),
        other => Err(format!("received {other:?}, returned {returned}")),
    }
}
