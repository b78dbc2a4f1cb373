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
