//! Runs a target in a child, and watches it.

use std::{
    fs::File,
    io,
    os::unix::{fs::FileExt, process::ExitStatusExt},
    process::{Child, Command, ExitStatus, Stdio},
    thread,
    time::{Duration, Instant},
};

use nix::sys::memfd::{MFdFlags, memfd_create};

use crate::{
    What,
    target::{BLOCK, Span},
};

/// A child that comes no further for so long hangs.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often to look.
const PULSE: Duration = Duration::from_millis(20);

/// Runs this in a child, and tells whether it ended well; if not, how to repeat it.
pub(crate) fn watch(what: What, span: Span, seconds: Duration) -> bool {
    match start(what, span, seconds).and_then(|(child, note)| wait(child, &note)) {
        Ok((End::Exited(status), _)) if status.success() => true,
        Ok((end, block)) => {
            tell(what, span, end, block);
            false
        }
        Err(error) => {
            eprintln!("laneway-fuzz: {}: {error}", what.word());
            false
        }
    }
}

/// How a child ended.
enum End {
    Exited(ExitStatus),
    Hung,
}

fn start(what: What, span: Span, seconds: Duration) -> io::Result<(Child, File)> {
    let note = File::from(memfd_create("laneway-fuzz", MFdFlags::MFD_CLOEXEC)?);
    note.write_all_at(&[0; 8], 0)?;
    let child = Command::new("/proc/self/exe")
        .arg(what.word())
        .arg("--here")
        .args(["--seed", &span.seed.to_string()])
        .args(["--from", &span.from.to_string()])
        .args(["--inputs", &span.inputs.to_string()])
        .args(["--seconds", &seconds.as_secs_f64().to_string()])
        .stdin(Stdio::from(note.try_clone()?))
        .spawn()?;
    Ok((child, note))
}

/// Waits until it ends or hangs. Tells the last number that it began, from 1.
fn wait(mut child: Child, note: &File) -> io::Result<(End, u64)> {
    let (mut last, mut since) = (0, Instant::now());
    loop {
        let mut bytes = [0; 8];
        note.read_exact_at(&mut bytes, 0)?;
        let begun = u64::from_le_bytes(bytes);
        if let Some(status) = child.try_wait()? {
            return Ok((End::Exited(status), begun));
        }
        if begun != last {
            (last, since) = (begun, Instant::now());
        }
        if since.elapsed() > PATIENCE {
            child.kill()?;
            child.wait()?;
            return Ok((End::Hung, begun));
        }
        thread::sleep(PULSE);
    }
}

fn tell(what: What, span: Span, end: End, begun: u64) {
    let how = match end {
        End::Hung => format!("came no further for {} s", PATIENCE.as_secs()),
        End::Exited(status) => match status.signal() {
            Some(signal) => format!("was ended by signal {signal}"),
            None => format!("failed, {status}"),
        },
    };
    let word = what.word();
    eprintln!("laneway-fuzz: {word} {how}");
    if what != What::Scribble {
        let from = begun.saturating_sub(1) * BLOCK;
        let seed = span.seed;
        eprintln!(
            "repeat it with: laneway-fuzz {word} --here --seed {seed} --from {from} --inputs {BLOCK}"
        );
    }
}
