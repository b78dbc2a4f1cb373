//! A pool that has been described and not started.

use std::{fmt, io, marker::PhantomData, num::NonZero, sync::Arc, sync::Mutex, sync::mpsc, thread};

use crate::{
    Channel, DynChannel, Endpoint, Registry,
    process::{
        StartError,
        entry::{self, Type},
        pool::{
            Pool,
            cells::Cells,
            collector,
            core::{Core, Stage},
            keeper::Keeper,
            orders::Outfit,
        },
    },
    typed::Value,
};

/// How many jobs may be in flight if nobody says.
const IN_FLIGHT: u32 = 4096;
/// How many bytes jobs may take on their way, and results, if nobody says.
const CAPACITY: usize = 2 << 20;

/// A [`Pool`] that has been described but not started.
#[must_use = "it does nothing until it is started"]
pub struct PoolBuilder<Req, Resp> {
    workers: Option<u32>,
    in_flight: u32,
    capacity: usize,
    _functions: PhantomData<fn(Req) -> Resp>,
}

impl<Req: Value, Resp: Value + Send> PoolBuilder<Req, Resp> {
    pub(super) fn new() -> Self {
        Self {
            workers: None,
            in_flight: IN_FLIGHT,
            capacity: CAPACITY,
            _functions: PhantomData,
        }
    }

    /// How many workers; as many as this process may use cores, if nobody says. One at least.
    #[doc(alias = "processes")]
    pub fn workers(mut self, workers: u32) -> Self {
        self.workers = Some(workers.max(1));
        self
    }

    /// How many jobs may be in flight, queued or running: who submits more waits. 4096 if nobody says. One at least.
    pub fn in_flight(mut self, jobs: u32) -> Self {
        self.in_flight = jobs.max(1);
        self
    }

    /// How many bytes jobs may take on their way to the workers, and results on their way back, each; a request or a result may be
    /// a quarter of it, less a few bytes. 2 MiB if nobody says.
    pub fn capacity(mut self, bytes: usize) -> Self {
        self.capacity = bytes;
        self
    }

    /// Starts the workers.
    ///
    /// # Errors
    /// [`NotServed`](StartError::NotServed) or [`NoFunction`](StartError::NoFunction) if the program has no functions; else what the system refused. Then no
    /// worker is left.
    pub fn start(self) -> Result<Pool<Req, Resp>, StartError> {
        let functions = functions::<Req, Resp>()?;
        let cores = || thread::available_parallelism().map_or(1, NonZero::get);
        let workers = self
            .workers
            .unwrap_or_else(|| u32::try_from(cores()).unwrap_or(1));
        let open = || channel(self.capacity)?.pair().map_err(io::Error::from);
        let (to_workers, jobs) = open()?;
        let (answers, from_workers) = open()?;
        let (bell, ring) = io::pipe()?;
        let max = to_workers.limits().max_message;
        let core = Arc::new(Core::new(self.in_flight, functions, to_workers, ring));
        let outfit = Outfit {
            jobs,
            answers,
            cells: Cells::new(workers).map_err(io::Error::from)?,
        };
        let (started, has_started) = mpsc::channel();
        let keeper = Keeper::new(Arc::clone(&core), outfit, bell, workers);
        let name = |name: &str| thread::Builder::new().name(name.to_owned());
        let collector = name("pool-collector").spawn({
            let core = Arc::clone(&core);
            move || collector::collect(core, from_workers)
        })?;
        let keeper = name("pool-keeper").spawn(move || keeper.run(&started));
        let (keeper, result) = match keeper {
            Ok(keeper) => (Some(keeper), None),
            Err(error) => (None, Some(Err(StartError::Io(error)))),
        };
        let pool = Pool {
            core,
            max,
            workers,
            parent: std::process::id(),
            threads: Mutex::new([Some(collector), keeper].into_iter().flatten().collect()),
            _functions: PhantomData,
        };
        let gone = || Err(StartError::Io(io::ErrorKind::BrokenPipe.into()));
        match result.unwrap_or_else(|| has_started.recv().unwrap_or_else(|_| gone())) {
            Ok(()) => Ok(pool),
            Err(error) => {
                pool.core.end(Stage::Broken);
                Err(error)
            }
        }
    }
}

/// The functions of this program that have these types.
fn functions<Req: Value, Resp: Value>() -> Result<Vec<String>, StartError> {
    let (request, response) = (Type::of::<Req>(), Type::of::<Resp>());
    let known = entry::functions().ok_or(StartError::NotServed)?.iter();
    let fitting = known.filter(|known| (known.request, known.response) == (request, response));
    let names: Vec<String> = fitting.map(|known| known.name.clone()).collect();
    match names.is_empty() {
        true => Err(StartError::NoFunction {
            request: request.name,
            response: response.name,
        }),
        false => Ok(names),
    }
}

/// A channel that many share, of so many bytes.
fn channel(capacity: usize) -> io::Result<Box<DynChannel>> {
    let wrong = |error| io::Error::new(io::ErrorKind::InvalidInput, error);
    let address = "shm+mpmc:".parse::<crate::Address>().map_err(wrong)?;
    let address = address.with("capacity", capacity);
    Registry::BUILTIN.channel(&address).map_err(wrong)
}

impl<Req, Resp> fmt::Debug for PoolBuilder<Req, Resp> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PoolBuilder")
            .field("workers", &self.workers)
            .field("in_flight", &self.in_flight)
            .field("capacity", &self.capacity)
            .finish()
    }
}
