//! A Python script at work: it is told what to do a line each, and answers with how long that took.

use std::{
    io::{BufRead, BufReader, Write},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
};

use crate::rivals::python;

pub(super) struct Script {
    child: Child,
    orders: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Script {
    pub(super) fn start(path: &str, arguments: &[&str]) -> Self {
        let mut command = Command::new(python::interpreter());
        command.arg(path).args(arguments);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("starts Python");
        let orders = child.stdin.take().expect("piped");
        let answers = BufReader::new(child.stdout.take().expect("piped"));
        let mut script = Self {
            child,
            orders,
            answers,
        };
        assert_eq!(script.answer(), "ready");
        script
    }

    fn answer(&mut self) -> String {
        let mut line = String::new();
        self.answers.read_line(&mut line).expect("reads");
        line.trim_end().to_owned()
    }

    /// Has something done; seconds.
    pub(super) fn play(&mut self, order: &str) -> f64 {
        writeln!(self.orders, "{order}").expect("writes");
        self.answer().parse::<f64>().expect("a number") / 1e9
    }

    pub(super) fn end(mut self) {
        drop(self.orders);
        assert!(self.child.wait().expect("ends").success());
    }
}
