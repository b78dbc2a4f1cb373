//! A peer process, as its session holds it.

use std::{
    env,
    os::unix::process::CommandExt,
    process::{Child, Command, ExitStatus, Stdio},
    time::Duration,
};

use crate::{
    BoxReceiver, BoxSender, Channel, Endpoint, ReceiverExt, RecvError, Registry, SenderExt,
    measure::{
        control::{ORDERS, Order, Orders, REPLIES, Replies, Reply},
        cost::Cost,
        fault::{Fault, SessionError},
        latencies::Latencies,
        lifeline,
        link::Side,
        message::Tally,
        peer::{self, Role},
        sizes::Sizes,
    },
    process::give,
};

/// How long a peer may take to end once its orders are closed.
const GRACE: Duration = Duration::from_millis(500);

/// A started peer; dropping it ends and reaps it.
#[derive(Debug)]
pub(super) struct Running {
    child: Child,
    /// Taken to let the peer go.
    orders: Option<Orders>,
    replies: Replies,
}

/// A pipe for control.
fn pipe() -> Result<(BoxSender, BoxReceiver), SessionError> {
    let channel = Registry::BUILTIN.channel(&"pipe:".parse()?)?;
    Ok(channel.pair()?)
}

impl Running {
    /// Starts this program again to play `role` on the ends given.
    pub(super) fn start(
        role: &Role,
        tx: &[&BoxSender],
        rx: Option<&BoxReceiver>,
        side: Option<Side>,
    ) -> Result<Self, SessionError> {
        let (orders, peer_orders) = pipe()?;
        let (peer_replies, replies) = pipe()?;
        let (orders, replies) = (orders.pod()?, replies.pod()?);
        let program = env::current_exe().map_err(SessionError::Spawn)?;
        let mut command = Command::new(program);
        let mut pass = |key: &str, end: &dyn Endpoint| {
            give(&mut command, key, end).map_err(SessionError::Spawn)
        };
        pass(ORDERS, &peer_orders)?;
        pass(REPLIES, &peer_replies)?;
        for (index, tx) in tx.iter().enumerate() {
            pass(&peer::sender(index), *tx)?;
        }
        if let Some(rx) = rx {
            pass(peer::RECEIVER, rx)?;
        }
        if let Some(side) = side {
            side.give(&mut command).map_err(SessionError::Spawn)?;
        }
        let child = command
            .env(peer::VARIABLE, role.to_text())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            // Control-C is the session's business: it lets its peers go and removes what they used.
            .process_group(0)
            .spawn()
            .map_err(SessionError::Spawn)?;
        let mut running = Self {
            child,
            orders: Some(orders),
            replies,
        };
        if let Sizes::Trace(trace) = &role.workload.sizes {
            for message in trace.messages() {
                let known = running.order(Order::Know(*message));
                known.map_err(|_| SessionError::Unanswered)?;
            }
        }
        Ok(running)
    }

    /// Gives an order.
    pub(super) fn order(&mut self, order: Order) -> Result<(), Fault> {
        let sent = match &mut self.orders {
            Some(orders) => orders.send(&order.words()),
            None => return Err(Fault::Stalled),
        };
        sent.map_err(|_| self.ended())
    }

    /// Waits for a reply. A peer whose channel does not move ends by itself, which ends the wait too.
    fn reply(&mut self) -> Result<Reply, Fault> {
        let words = self.replies.recv().map_err(|_| self.ended())?;
        match Reply::from_words(words) {
            Some(Reply::Fault(told)) => Err(told.fault()),
            Some(reply) => Ok(reply),
            None => Err(self.ended()),
        }
    }

    /// Waits until the peer is ready.
    pub(super) fn ready(&mut self) -> Result<(), Fault> {
        match self.reply()? {
            Reply::Ready => Ok(()),
            _ => Err(self.ended()),
        }
    }

    /// Waits until the peer has done what it was to do, and gathers the latencies that it tells.
    pub(super) fn measured(&mut self, latencies: &mut Latencies) -> Result<(Tally, Cost), Fault> {
        loop {
            match self.reply()? {
                Reply::Done(tally, cost) => return Ok((tally, cost)),
                Reply::Bucket { value, count } => latencies.add(value, count),
                Reply::Ready | Reply::Played(_) | Reply::Fault(_) => return Err(self.ended()),
            }
        }
    }

    /// What came out of playing a floor.
    pub(super) fn played(&mut self) -> Result<f64, Fault> {
        match self.reply()? {
            Reply::Played(figure) => Ok(figure),
            _ => Err(self.ended()),
        }
    }

    /// The fault that the peer has told or is about to tell, if any.
    pub(super) fn last_words(&mut self) -> Option<Fault> {
        loop {
            match self.replies.recv_timeout(GRACE).map(Reply::from_words) {
                Ok(Some(Reply::Fault(told))) => return Some(told.fault()),
                Ok(_) => {}
                Err(_) => return None,
            }
        }
    }

    /// Lets the peer go: it ends when it is done.
    pub(super) fn dismiss(&mut self) {
        self.orders = None;
    }

    /// Waits for the end that was seen, and tells what it means.
    fn ended(&mut self) -> Fault {
        let status = self.end();
        match status.map(|status| (status.code(), status)) {
            Some((Some(lifeline::STALLED), _)) => Fault::Stalled,
            Some((_, status)) => Fault::Died {
                status: status.to_string(),
            },
            None => Fault::Died {
                status: "unknown".to_owned(),
            },
        }
    }

    /// Lets the peer go, kills it if it does not go by itself, and reaps it.
    fn end(&mut self) -> Option<ExitStatus> {
        self.dismiss();
        loop {
            match self.replies.recv_timeout(GRACE) {
                Ok(_) => {}
                Err(RecvError::Disconnected) => break,
                Err(_) => {
                    // It cannot have been reaped yet, so the pid is its own.
                    let _ = self.child.kill();
                    break;
                }
            }
        }
        self.child.wait().ok()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.end();
    }
}
