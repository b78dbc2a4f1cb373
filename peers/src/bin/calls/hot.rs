//! What a program compiles to that sends and receives arrays: the functions whose assembly is looked at.

use std::hint::black_box;

use laneway::{
    BoxReceiver, BoxSender, Channel, Deadline, Receiver, RecvError, SendError, Sender,
    transport::{
        LockedReceiver, LockedSender, MpmcReceiver, MpmcSender, ShmLocked, ShmMpmc, ShmSpsc,
        SpscReceiver, SpscSender,
    },
};

/// One module a pair of types. Each function is found by its name, and called by a pointer so that nothing about the call is
/// known when it is compiled.
macro_rules! hot {
    ($($module:ident: $channel:expr, $sender:ty, $receiver:ty;)*) => {
        /// Moves a message by each function, and tells what went wrong.
        pub(crate) fn run() -> Result<(), String> {
            $($module::run().map_err(|error| format!("{}: {error}", stringify!($module)))?;)*
            Ok(())
        }

        $(mod $module {
            use super::*;

            #[inline(never)]
            fn try_send_64(tx: &mut $sender, message: &[u8; 64]) -> Result<(), SendError> {
                tx.try_send(message)
            }

            #[inline(never)]
            fn try_recv_64(rx: &mut $receiver, buf: &mut [u8; 64]) -> Result<usize, RecvError> {
                rx.try_recv(buf)
            }

            #[inline(never)]
            fn drain_64(rx: &mut $receiver, sum: &mut u64) -> Result<usize, RecvError> {
                rx.drain_by(64, Deadline::NOW, &mut |message| {
                    *sum += message.iter().map(|&byte| u64::from(byte)).sum::<u64>();
                })
            }

            pub(super) fn run() -> Result<(), String> {
                let send: fn(&mut $sender, &[u8; 64]) -> Result<(), SendError> = black_box(try_send_64);
                let recv: fn(&mut $receiver, &mut [u8; 64]) -> Result<usize, RecvError> = black_box(try_recv_64);
                let drain: fn(&mut $receiver, &mut u64) -> Result<usize, RecvError> = black_box(drain_64);
                let (mut tx, mut rx) = $channel.pair().map_err(|e| e.to_string())?;
                let message = black_box([3; 64]);
                let mut buf = [0; 64];
                let mut sum = 0;
                send(&mut tx, &message).map_err(|e| e.to_string())?;
                recv(&mut rx, &mut buf).map_err(|e| e.to_string())?;
                send(&mut tx, &message).map_err(|e| e.to_string())?;
                drain(&mut rx, &mut sum).map_err(|e| e.to_string())?;
                if buf != message || sum != 3 * 64 {
                    return Err("the message came out wrong".to_owned());
                }
                Ok(())
            }
        })*
    };
}

hot! {
    spsc: ShmSpsc::new(""), SpscSender, SpscReceiver;
    lock: ShmLocked::new(""), LockedSender, LockedReceiver;
    mpmc: ShmMpmc::new(""), MpmcSender, MpmcReceiver;
    boxed: ShmSpsc::new("").boxed(), BoxSender, BoxReceiver;
}
