//! What holds where something stands: the file's own rules, the names in scope, and the room.

use std::rc::Rc;
use std::sync::Arc;

use crate::scenario::model::{CorsPolicy, EventTemplate};

/// What holds for one file.
#[derive(Default)]
pub(super) struct FileScope {
    pub defaults: EventTemplate,
    pub cors: Option<Arc<CorsPolicy>>,
}

/// Where steps may stand: not every step makes sense everywhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Room {
    /// In a stream.
    Stream,
    /// Among steps that make one write.
    OneWrite,
    /// Among what is done when a stream is over.
    Finally,
    /// Among what a topic publishes by itself.
    Feed,
}

/// What holds where something stands.
#[derive(Clone)]
pub(super) struct Place {
    pub scope: Rc<FileScope>,
    pub names: Vec<String>,
    pub room: Room,
}

impl Place {
    pub fn new(scope: &Rc<FileScope>, names: Vec<String>, room: Room) -> Place {
        Place {
            scope: scope.clone(),
            names,
            room,
        }
    }

    /// The same place in another room.
    pub fn inside(&self, room: Room) -> Place {
        Place { room, ..self.clone() }
    }

    /// The same place with one more name.
    pub fn with(&self, name: &str) -> Place {
        let mut place = self.clone();
        place.names.push(name.to_owned());
        place
    }
}
