//! Values instead of bytes, and what happens if the two ends disagree: `cargo run --example typed`.
#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use std::{env, error::Error, process::Command};

use bytemuck::{Pod, Zeroable};
use laneway::{
    Channel, OpenErrorKind, ReceiverExt, RecvError, SenderExt,
    process::{give, inherited_sender},
};

/// Plain bytes: no padding, every bit pattern is a value.
#[derive(Clone, Copy, Debug, PartialEq, Pod, Zeroable)]
#[repr(C)]
struct Reading {
    sensor: u32,
    count: u32,
    celsius: f64,
}

fn main() -> Result<(), Box<dyn Error>> {
    if let Ok(tx) = inherited_sender("readings") {
        let mut tx = tx.pod::<Reading>()?;
        for count in 0..3 {
            let celsius = 20.0 + f64::from(count) / 2.0;
            tx.send(&Reading {
                sensor: 7,
                count,
                celsius,
            })?;
        }
        return Ok(());
    }

    let (tx, rx) = laneway::channel("shm+lock:")?.pair()?;
    let mut rx = rx.pod::<Reading>()?;
    let mut command = Command::new(env::current_exe()?);
    give(&mut command, "readings", &tx)?;
    let mut child = command.spawn()?;

    // As large, but not as aligned: refused when the ends meet, not when a value is garbled.
    let error = tx.pod::<[u32; 4]>().expect_err("another type");
    assert!(matches!(error.kind, OpenErrorKind::Incompatible { .. }));
    println!("{error}");
    drop(command);
    let mut sum = 0.0;
    loop {
        match rx.recv() {
            Ok(reading) => {
                println!("{reading:?}");
                sum += reading.celsius;
            }
            Err(RecvError::Disconnected) => break,
            Err(error) => return Err(error.into()),
        }
    }
    assert!((sum - 61.5_f64).abs() < 1e-9, "{sum}");
    assert!(child.wait()?.success());
    Ok(())
}
