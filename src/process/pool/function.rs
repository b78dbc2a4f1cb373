//! A function that workers can run, by its name and over bytes.

use crate::{process::pool::wire::Kind, typed::Value};

/// Runs the function on a request; writes the response behind what is in the vector.
type Call = Box<dyn Fn(&[u8], &mut Vec<u8>) -> Kind>;

/// A function and its name.
pub(in crate::process) struct Function {
    pub(super) name: String,
    pub(super) call: Call,
}

impl Function {
    pub(in crate::process) fn new<Req: Value, Resp: Value>(
        name: &str,
        run: impl Fn(Req) -> Resp + 'static,
    ) -> Self {
        let call = move |request: &[u8], answer: &mut Vec<u8>| {
            let Some(request) = Req::read(request) else {
                return Kind::Unreadable;
            };
            let response = run(request);
            match response.plain() {
                Some(bytes) => answer.extend_from_slice(bytes),
                None if response.write(answer).is_err() => return Kind::Unencodable,
                None => {}
            }
            Kind::Done
        };
        Self {
            name: name.to_owned(),
            call: Box::new(call),
        }
    }
}
