//! A message to another process, and the answer: `cargo run --example hello`.
#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use std::{env, error::Error, process::Command};

use laneway::{
    Channel, Receiver, ReceiverExt, Sender,
    process::{give, inherited_receiver, inherited_sender},
};

fn main() -> Result<(), Box<dyn Error>> {
    // The child is this program again, and has been given two ends.
    if let Ok(mut questions) = inherited_receiver("questions") {
        let mut answers = inherited_sender("answers")?;
        let name = questions.loan()?;
        answers.send(format!("hello, {}", String::from_utf8_lossy(&name)).as_bytes())?;
        return Ok(());
    }

    // A channel has two ends. One of each stays here, the other goes to the child.
    let (mut questions, theirs) = laneway::channel("pipe:")?.pair()?;
    let (their_answers, mut answers) = laneway::channel("pipe:")?.pair()?;
    let mut command = Command::new(env::current_exe()?);
    give(&mut command, "questions", &theirs)?;
    give(&mut command, "answers", &their_answers)?;
    let mut child = command.spawn()?;
    // What was given away is theirs: if the child dies, we are told, and do not wait for ever.
    drop((command, theirs, their_answers));

    questions.send(b"world")?;
    let mut buf = [0; 64];
    let len = answers.recv(&mut buf)?;
    let answer = String::from_utf8_lossy(buf.get(..len).unwrap_or_default());
    println!("{answer}");
    assert_eq!(answer, "hello, world");
    assert!(child.wait()?.success());
    Ok(())
}
