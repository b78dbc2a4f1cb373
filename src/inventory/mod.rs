//! What laneway has left on this machine, or has there: listed, and removed where no live process uses it.
//!
//! A program needs none of this: the last end to close removes the name, and the next to open heals what a crash left. It is for people who
//! look at a machine, and for names that nobody will open again.
//!
//! Who has an object open is told by the locks that the kernel holds for the living, never by a process id. [`Object::remove`]
//! is the code by which opening heals, under the same lock, so an opener that comes meanwhile loses nothing.
//!
//! ```
//! use laneway::{Channel, inventory::{Inventory, State}};
//!
//! let channel = laneway::channel(&format!("shm+spsc:laneway-doc.{}", std::process::id()))?;
//! let ends = channel.pair()?;
//! let objects = Inventory::new().survey()?;
//! let ours = objects.iter().find(|object| object.belongs_to(&channel.address()));
//! let ours = ours.ok_or("it is open")?;
//! assert_eq!(ours.state, State::Live);
//! assert_eq!((ours.users.senders, ours.users.receivers), (1, 1));
//! assert!(ours.remove().is_err(), "somebody has it open");
//! # drop(ends);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod census;
mod descriptors;
mod error;
mod folder;
mod header;
mod object;
mod observer;
mod remove;
mod segment;
mod slots;
mod socket;
mod survey;

pub use census::Users;
pub use error::{RemoveError, RemoveErrorKind, SurveyError};
pub use header::Field;
pub use object::{Kind, Object, State};
pub use observer::{Observer, WatchId, Watched};
pub use survey::Inventory;
