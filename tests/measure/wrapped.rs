//! Ends that are another transport's, except for what a test changes, and for their address.

macro_rules! wrapped {
    ($($end:ty),*) => {$(
        impl laneway::Endpoint for $end {
            fn limits(&self) -> laneway::Limits { self.inner.limits() }
            fn depth(&self) -> std::io::Result<laneway::Depth> { self.inner.depth() }
            fn is_disconnected(&self) -> bool { self.inner.is_disconnected() }
            fn wait_peer(&mut self, deadline: laneway::Deadline) -> std::io::Result<bool> {
                self.inner.wait_peer(deadline)
            }
            fn agree(&mut self, fingerprint: laneway::Fingerprint) -> Result<(), laneway::OpenError> {
                self.inner.agree(fingerprint)
            }
            fn as_fd(&self) -> Option<std::os::fd::BorrowedFd<'_>> { self.inner.as_fd() }
            fn handoff(&self) -> std::io::Result<laneway::Handoff> {
                let mut handoff = self.inner.handoff()?;
                handoff.address = self.address.clone();
                Ok(handoff)
            }
        }
    )*};
}

pub(crate) use wrapped;
