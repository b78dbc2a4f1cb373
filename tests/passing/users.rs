//! Processes of other users: who may be across is told by the kernel, and whoever may not disturbs nobody.

use std::{
    env,
    os::unix::{fs::PermissionsExt, net::UnixListener, process::CommandExt},
};

use laneway::{
    Address, BoxChannel, Channel, Endpoint, OpenError, OpenErrorKind, Receiver, Registry,
    SendError, Sender,
    process::{Courier, CourierError},
};
use libtest_mimic::Trial;
use nix::unistd::Uid;

use crate::{Meeting, Running, again, go_to, soon, unique};

/// Somebody without any right.
const NOBODY: u32 = 65534;
/// Somebody else.
const OTHER: u32 = 65533;

pub(crate) fn trials() -> Vec<Trial> {
    let root = Uid::effective().is_root();
    let cases: [(&str, fn()); 5] = [
        ("users/others_are_denied_by_default", others_are_denied),
        (
            "users/a_stranger_is_turned_away_and_disturbs_nobody",
            turned_away,
        ),
        ("users/who_is_allowed_is_heard", heard),
        (
            "users/a_receiver_of_another_is_not_sent_to",
            receiver_of_another,
        ),
        ("users/a_courier_takes_nothing_from_a_stranger", courier),
    ];
    let trials = cases.into_iter().map(|(name, run)| trial(name, root, run));
    trials.collect()
}

/// A trial that runs if it `can`, as what takes root does not everywhere.
pub(crate) fn trial(name: &str, can: bool, run: fn()) -> Trial {
    let name = if can {
        name.to_owned()
    } else {
        format!("{name} (not run: needs root)")
    };
    Trial::test(name, move || {
        run();
        Ok(())
    })
    .with_ignored_flag(!can)
}

/// A channel of each transport over sockets, with these keys.
fn channels(keys: &[(&str, String)]) -> Vec<BoxChannel> {
    let drivers = Registry::BUILTIN.drivers().iter();
    let unix = drivers.filter(|driver| driver.keys().iter().any(|key| key.name == "allow_uid"));
    let channels = unix.map(|driver| {
        let name = driver.example_name(&unique("users")).expect("has names");
        let mut address = Address::new(driver.scheme(), name).expect("a good name");
        for (key, value) in keys {
            address = address.with(key, value);
        }
        driver.channel(&address).expect("a good address")
    });
    let channels: Vec<_> = channels.collect();
    assert_eq!(channels.len(), 2);
    channels
}

/// The same channel, as a user has to name it who may meet root there.
fn for_others(channel: &BoxChannel) -> String {
    let own = channel.address();
    let address = Address::new(own.scheme(), own.name()).expect("was good");
    address.with("allow_uid", "0").to_string()
}

/// A child of another user.
pub(crate) fn as_user(uid: u32, task: &str) -> Running {
    let mut command = again(task);
    command.uid(uid).gid(uid);
    Running::run(&mut command)
}

/// By default the path itself is closed to others.
fn others_are_denied() {
    for channel in channels(&[]) {
        let (mut tx, mut rx) = channel.pair().expect("opens");
        as_user(NOBODY, &format!("user denied {}", for_others(&channel))).finish();
        tx.send(b"alive").expect("sends");
        assert_eq!(rx.peek(soon()).expect("comes"), b"alive");
    }
}

/// A stranger learns it by its next send, and others hear and are heard all the while.
fn turned_away() {
    for channel in channels(&[("allow_uid", OTHER.to_string())]) {
        let (mut tx, mut rx) = channel.pair().expect("opens");
        let stranger = as_user(NOBODY, &format!("user stranger {}", for_others(&channel)));
        let mut got = 0_u64;
        let mut stranger = Some(stranger);
        while let Some(mut running) = stranger.take() {
            tx.send(&got.to_le_bytes()).expect("sends");
            assert_eq!(rx.peek(soon()).expect("comes"), got.to_le_bytes());
            rx.consume();
            got += 1;
            match running.0.try_wait().expect("a child") {
                Some(status) => assert!(status.success(), "{status}"),
                None => stranger = Some(running),
            }
        }
        assert!(got > 0 && !rx.is_disconnected());
        drop(tx);
        assert!(rx.peek(soon()).is_err(), "nothing of the stranger's");
    }
}

fn heard() {
    for channel in channels(&[("allow_uid", format!("{OTHER},{NOBODY}"))]) {
        let mut rx = channel.receiver().expect("listens");
        let sender = as_user(NOBODY, &format!("user sender {}", for_others(&channel)));
        assert_eq!(rx.peek(soon()).expect("comes"), b"from nobody");
        rx.consume();
        sender.finish();
        let error = rx.peek(soon()).expect_err("it has gone");
        assert!(matches!(error, laneway::RecvError::Disconnected), "{error}");
    }
}

/// Who does not allow the user who listens sends nothing.
fn receiver_of_another() {
    for channel in channels(&[("allow_uid", NOBODY.to_string())]) {
        let rx = channel.receiver().expect("listens");
        let own = channel.address();
        let address = Address::new(own.scheme(), own.name()).expect("was good");
        as_user(NOBODY, &format!("user wary {address}")).finish();
        drop(rx);
    }
}

fn courier() {
    let meeting = Meeting::new();
    let path = meeting.path();
    let listener = UnixListener::bind(path).expect("listens");
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o666)).expect("is ours");
    for allowed in [false, true] {
        let giver = as_user(NOBODY, &format!("user giver {}", path.display()));
        let (socket, _) = listener.accept().expect("comes");
        let courier = Courier::new(&socket);
        if allowed {
            let taken = courier.allow_uid([NOBODY]).take_receiver(soon());
            assert_eq!(taken.expect("takes").peek(soon()).expect("comes"), b"given");
        } else {
            let error = courier.take(soon()).expect_err("a stranger");
            assert!(
                matches!(error, CourierError::Stranger { uid: NOBODY }),
                "{error}"
            );
        }
        drop(socket);
        giver.finish();
    }
}

/// A child's part.
pub(crate) fn play(words: &[&str]) {
    env::set_current_dir("/").expect("is there");
    match words {
        ["denied", address] => {
            let error = sender(address).map(drop).expect_err("closed to us");
            assert_eq!(error.kind, OpenErrorKind::Denied, "{error}");
        }
        ["stranger", address] => {
            let mut tx = sender(address).expect("connects");
            let told = loop {
                if let Err(error) = tx.send_timeout(b"?", std::time::Duration::from_secs(60)) {
                    break error;
                }
            };
            for told in [told, tx.send(b"again").expect_err("for good")] {
                let SendError::Io(error) = told else {
                    panic!("{told}");
                };
                assert_eq!(
                    error.kind(),
                    std::io::ErrorKind::PermissionDenied,
                    "{error}"
                );
                let inner = error.get_ref().and_then(|e| e.downcast_ref::<OpenError>());
                let kind = inner.expect("typed").kind;
                assert_eq!(kind, OpenErrorKind::Stranger { uid: NOBODY });
            }
            assert!(tx.is_disconnected());
        }
        ["sender", address] => {
            let mut tx = sender(address).expect("connects");
            tx.send(b"from nobody").expect("sends");
        }
        ["wary", address] => {
            let error = sender(address).map(drop).expect_err("root listens there");
            assert_eq!(error.kind, OpenErrorKind::Stranger { uid: 0 }, "{error}");
        }
        ["giver", path] => {
            let socket = go_to(path);
            let (mut tx, rx) = laneway::channel("pipe:")
                .expect("good")
                .pair()
                .expect("opens");
            tx.send(b"given").expect("sends");
            let courier = Courier::new(&socket);
            // It need not allow the taker: what was checked is who listens.
            let error = courier.give(&rx, soon()).expect_err("root listens there");
            assert!(
                matches!(error, CourierError::Stranger { uid: 0 }),
                "{error}"
            );
            match courier.allow_uid([0]).give(&rx, soon()) {
                // The taker may have turned us away before.
                Ok(()) | Err(CourierError::Gone) => {}
                Err(error) => panic!("{error}"),
            }
            drop(rx);
            // Until it is taken or refused.
            let _ = std::io::Read::read(&mut &socket, &mut [0]);
        }
        _ => panic!("no task {words:?}"),
    }
}

fn sender(address: &str) -> Result<laneway::BoxSender, OpenError> {
    laneway::channel(address).expect("a good address").sender()
}
