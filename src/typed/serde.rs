//! Values of any type that serde knows, as postcard writes them.

use crate::{BoxReceiver, BoxSender};

use super::{ValueReceiver, ValueSender};

/// Sends values that serde writes, over any sender: see [`SenderExt::serde`](crate::SenderExt::serde).
pub type SerdeSender<T, S = BoxSender> = ValueSender<T, S>;
/// Receives values that serde reads, from any receiver: see [`ReceiverExt::serde`](crate::ReceiverExt::serde).
pub type SerdeReceiver<T, R = BoxReceiver> = ValueReceiver<T, R>;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        Channel, Deadline, Endpoint, ReceiverExt, RecvError, SendError, Sender, SenderExt,
    };

    fn pair<T>(address: &str) -> (SerdeSender<T>, SerdeReceiver<T>)
    where
        T: serde::Serialize + serde::de::DeserializeOwned + 'static,
    {
        let channel = crate::channel(address).expect("an address");
        let (tx, rx) = channel.pair().expect("opens");
        (tx.serde().expect("agrees"), rx.serde().expect("agrees"))
    }

    #[test]
    fn a_value_is_written_where_it_is_read() {
        // A sender whose own way to send bytes is closed: what gets through was written into a reservation.
        #[derive(Debug)]
        struct InPlace(BoxSender);

        impl Endpoint for InPlace {
            fn limits(&self) -> crate::Limits {
                self.0.limits()
            }
            fn depth(&self) -> std::io::Result<crate::Depth> {
                self.0.depth()
            }
            fn is_disconnected(&self) -> bool {
                self.0.is_disconnected()
            }
            fn wait_peer(&mut self, deadline: Deadline) -> std::io::Result<bool> {
                self.0.wait_peer(deadline)
            }
            fn agree(&mut self, ours: crate::Fingerprint) -> Result<(), crate::OpenError> {
                self.0.agree(ours)
            }
            fn handoff(&self) -> std::io::Result<crate::Handoff> {
                self.0.handoff()
            }
        }

        impl Sender for InPlace {
            fn reserve(&mut self, len: usize, by: Deadline) -> Result<&mut [u8], SendError> {
                self.0.reserve(len, by)
            }
            fn reserved(&mut self) -> &mut [u8] {
                self.0.reserved()
            }
            fn commit(&mut self, len: usize) -> Result<(), SendError> {
                self.0.commit(len)
            }
            fn abort(&mut self) {
                self.0.abort();
            }
            fn send_by(&mut self, _: &[u8], _: Deadline) -> Result<(), SendError> {
                Err(SendError::Poisoned)
            }
        }

        let (tx, rx) = crate::channel("shm:")
            .expect("an address")
            .pair()
            .expect("opens");
        let mut tx = InPlace(tx).serde::<Vec<String>>().expect("agrees");
        let mut rx = rx.serde::<Vec<String>>().expect("agrees");
        for length in [0, 1, 1000, 3] {
            let value = vec!["word".to_owned(); length];
            tx.send(&value).expect("sends");
            assert_eq!(rx.recv().expect("receives"), value);
        }
    }

    #[test]
    fn values_of_any_length_go_everywhere() {
        for address in [
            "pipe:",
            "sysv:",
            "shm+lock:",
            "shm:",
            "shm+mpmc:",
            "shm:?peer=untrusted",
        ] {
            let (mut tx, mut rx) = pair::<(u32, Vec<u8>)>(address);
            for length in [0, 5, 63, 64, 65, 500, 5000, 2, 6000] {
                let value = (7, vec![9; length]);
                tx.try_send(&value).expect("there is room");
                assert_eq!(rx.recv().expect("receives"), value, "{address}");
            }
        }
    }

    #[test]
    fn too_long_a_value_is_told_and_a_full_ring_takes_what_fits() {
        let (mut tx, mut rx) = pair::<Vec<u8>>("shm:?capacity=4KiB&max_message=1KiB");
        let long = tx.send(&vec![0; 2000]);
        assert!(
            matches!(long, Err(SendError::TooLarge { max: 1024 })),
            "{long:?}"
        );
        tx.send(&vec![1; 900]).expect("sends");
        while tx.try_send(&vec![2; 900]).is_ok() {}
        // As much as the last is not there, but less is.
        tx.try_send(&vec![3; 8]).expect("there is room for little");
        let mut last = Vec::new();
        while let Ok(value) = rx.try_recv() {
            last = value;
        }
        assert_eq!(last, [3; 8]);
    }

    #[derive(serde::Serialize, serde::Deserialize, Debug)]
    struct Nested(Option<Box<Nested>>);

    /// Receives these bytes, which no honest sender of the type writes.
    fn received<T>(bytes: &[u8]) -> Result<T, RecvError>
    where
        T: serde::Serialize + serde::de::DeserializeOwned + 'static,
    {
        let channel = crate::channel("shm:?peer=untrusted").expect("an address");
        let (mut tx, rx) = channel.pair().expect("opens");
        tx.send(bytes).expect("sends");
        rx.serde::<T>().expect("nobody said otherwise").recv()
    }

    /// A length of 2^64 - 1 in front of `rest`.
    fn endless(rest: &[u8]) -> Vec<u8> {
        [&[255; 9][..], &[1], rest].concat()
    }

    #[test]
    fn endless_lists_of_nothing_are_refused() {
        #[derive(serde::Serialize, serde::Deserialize, PartialEq, Eq, Debug)]
        struct Nothing;

        let mistyped = |found: Result<(), RecvError>| {
            assert!(
                matches!(found, Err(RecvError::Mistyped { .. })),
                "{found:?}"
            );
        };
        mistyped(received::<Vec<()>>(&endless(&[])).map(drop));
        mistyped(received::<Vec<Nothing>>(&endless(&[])).map(drop));
        mistyped(received::<(u8, Vec<[(); 3]>)>(&[&[1], &endless(&[])[..]].concat()).map(drop));
        mistyped(received::<std::collections::BTreeMap<(), ()>>(&endless(&[])).map(drop));
        mistyped(received::<Option<Vec<()>>>(&[&[1], &endless(&[])[..]].concat()).map(drop));
        // Each little, and together too much: 2,000 lists of 65,000 items.
        let mut lists = vec![0xd0, 0x0f];
        lists.extend([0xe8, 0xfb, 0x03].repeat(2000));
        mistyped(received::<Vec<Vec<()>>>(&lists).map(drop));
        // As many as any program has.
        let (mut tx, mut rx) = pair::<Vec<Nothing>>("shm:");
        let all: Vec<Nothing> = (0..60_000).map(|_| Nothing).collect();
        tx.send(&all).expect("sends");
        assert_eq!(rx.recv().expect("receives"), all);
    }

    #[test]
    fn what_is_nested_too_deep_is_refused() {
        let deep = received::<Nested>(&vec![1; 200_000]);
        assert!(
            matches!(deep, Err(RecvError::Mistyped { found: 200_000 })),
            "{deep:?}"
        );
        let bytes = |deep| [vec![1; deep], vec![0]].concat();
        // Each level is a structure and an option.
        let mut deepest = received::<Nested>(&bytes(63)).expect("is a value");
        for _ in 0..63 {
            deepest = *deepest.0.expect("holds one");
        }
        assert!(deepest.0.is_none());
        let deeper = received::<Nested>(&bytes(64));
        assert!(
            matches!(deeper, Err(RecvError::Mistyped { .. })),
            "{deeper:?}"
        );
    }

    #[test]
    fn values_of_all_forms_come_back() {
        #[derive(serde::Serialize, serde::Deserialize, PartialEq, Debug, Clone)]
        enum Form {
            Unit,
            One(Box<Form>),
            Two(u8, String),
            Named { list: Vec<Option<i64>>, word: char },
        }
        type All = (
            Vec<Form>,
            std::collections::HashMap<String, Vec<u8>>,
            Result<f64, [u16; 3]>,
            Option<((), bool, i128)>,
        );
        let (mut tx, mut rx) = pair::<All>("shm:");
        let form = Form::Named {
            list: vec![Some(-1), None, Some(i64::MAX)],
            word: 'ü',
        };
        let forms = vec![Form::Unit, Form::One(Box::new(form.clone())), form];
        let forms = [forms, vec![Form::Two(3, "three".to_owned())]].concat();
        let map = (0..100_u8).map(|n| (n.to_string(), vec![n; n.into()]));
        let map: std::collections::HashMap<_, _> = map.collect();
        for (result, option) in [
            (Ok(0.5), None),
            (Err([1, 2, 65535]), Some(((), true, i128::MIN))),
        ] {
            let value: All = (forms.clone(), map.clone(), result, option);
            tx.send(&value).expect("sends");
            assert_eq!(rx.recv().expect("receives"), value);
        }
    }

    #[test]
    fn a_value_waits_for_no_more_room_than_it_needs() {
        let (mut tx, mut rx) = pair::<Vec<u8>>("shm:?capacity=4KiB&max_message=1KiB");
        for _ in 0..5 {
            tx.try_send(&vec![1; 700]).expect("there is room");
        }
        tx.send_by(
            &vec![2; 8],
            Deadline::after(std::time::Duration::from_secs(60)),
        )
        .expect("there is room for little");
        for length in [700, 700, 700, 700, 700, 8] {
            assert_eq!(rx.try_recv().expect("is there").len(), length);
        }
    }

    #[test]
    fn another_type_is_refused_and_other_bytes_are_told() {
        let (tx, rx) = crate::channel("shm:")
            .expect("an address")
            .pair()
            .expect("opens");
        let mut raw = crate::channel("shm:")
            .expect("an address")
            .pair()
            .expect("opens");
        let _tx = tx.serde::<u64>().expect("agrees");
        rx.serde::<String>().expect_err("another type");
        raw.0.send(&[0xff; 3]).expect("sends");
        let mut rx = raw.1.serde::<String>().expect("nobody said otherwise");
        assert!(matches!(rx.recv(), Err(RecvError::Mistyped { found: 3 })));
        assert!(rx.skip());
        assert_eq!(
            rx.into_inner()
                .depth()
                .expect("tells")
                .messages
                .unwrap_or(0),
            0
        );
    }
}
